"""The geometry of a convolution: which entries of the full convolution an operator keeps.

With signal length N, kernel length L and dilation d, the full convolution along an axis is
``f[n] = sum_m k[m] e[n - d m]``, where ``e`` is the signal extended beyond its ends, and every operator is a
window of it, ``y[i] = f[start + step * i]`` for ``i < count``. This file holds the only index arithmetic.
"""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

MODES = ("full", "same", "valid")
BOUNDARIES = ("zero", "wrap", "symmetric", "reflect", "edge", "antireflect")


@dataclass(frozen=True)
class Window:
    """The window of a convolution, one entry a kernel axis in every tuple.

    ``signal`` and ``kernel`` are the lengths N and L, ``origin`` the index of the kernel element that lies on the
    output sample (used by ``same`` alone), ``start`` the index in the full convolution of the first of ``count``
    output samples, ``step`` the stride and ``dilation`` the spacing of the kernel's taps.
    """

    signal: tuple[int, ...]
    kernel: tuple[int, ...]
    mode: str
    boundary: tuple[str, ...]
    origin: tuple[int, ...]
    start: tuple[int, ...]
    step: tuple[int, ...]
    count: tuple[int, ...]
    dilation: tuple[int, ...]

    def __hash__(self) -> int:
        return self._hash

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: strings hash to another number in every process."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, field.name) for field in fields(self)))

    @property
    def ndim(self) -> int:
        """Number of axes that the kernel acts on."""
        return len(self.kernel)

    @cached_property
    def length(self) -> tuple[int, ...]:
        """Length of the dilated kernel, d (L - 1) + 1."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    @property
    def empty(self) -> bool:
        """Whether there is no output sample (``valid`` with a kernel longer than the signal)."""
        return 0 in self.count

    @cached_property
    def reach(self) -> tuple[int, ...]:
        """Distance from the first to the last output sample, step (count - 1)."""
        return tuple(s * (c - 1) for s, c in zip(self.step, self.count, strict=True))

    @cached_property
    def low(self) -> tuple[int, ...]:
        """Index of the first signal sample that the window reads (negative: before the signal's start)."""
        return tuple(a - (k - 1) for a, k in zip(self.start, self.length, strict=True))

    @cached_property
    def high(self) -> tuple[int, ...]:
        """Index of the last signal sample that the window reads (N or more: past the signal's end)."""
        return tuple(a + r for a, r in zip(self.start, self.reach, strict=True))

    @cached_property
    def extended(self) -> tuple[bool, ...]:
        """Whether an axis reads an extension of the signal other than zeros."""
        return tuple(
            boundary != "zero" and (low < 0 or high >= n)
            for boundary, low, high, n in zip(self.boundary, self.low, self.high, self.signal, strict=True)
        )

    @cached_property
    def circulant(self) -> bool:
        """Whether the matrix is (block) circulant: periodic, as many outputs as inputs."""
        return self.mode == "same" and set(self.boundary) == {"wrap"} and set(self.step) == {1}

    @cached_property
    def source(self) -> tuple[int, ...]:
        """Length of what the taps are read from: the positions low .. high where extended, else the signal."""
        return tuple(
            k + r if e else n for k, r, e, n in zip(self.length, self.reach, self.extended, self.signal, strict=True)
        )

    @cached_property
    def offset(self) -> tuple[int, ...]:
        """Index in the full convolution of `source` of the first output sample."""
        return tuple(k - 1 if e else a for k, e, a in zip(self.length, self.extended, self.start, strict=True))

    def describe(self) -> str:
        """Mode, boundary and what differs from the defaults, in words."""
        parts = [self.mode] if self.mode != "same" else [_joined(self.boundary)]
        if self.mode == "same" and self.origin != tuple(k // 2 for k in self.kernel):
            parts.append(f"origin {_joined(self.origin)}")
        if set(self.step) != {1}:
            parts.append(f"stride {_joined(self.step)}")
        if set(self.dilation) != {1}:
            parts.append(f"dilation {_joined(self.dilation)}")
        return ", ".join(parts)


def _joined(values: Sequence[Any]) -> str:
    values = [values[0]] if len(set(values)) == 1 else values
    return "/".join(map(str, values))


def make_window(
    signal: tuple[int, ...],
    kernel: tuple[int, ...],
    *,
    mode: str = "same",
    boundary: Any = "zero",
    origin: Any = "center",
    stride: Any = 1,
    dilation: Any = 1,
) -> Window:
    """Check the words of a convolution and put them into a `Window`."""
    ndim = len(kernel)
    if 0 in kernel:
        raise ValueError(f"`kernel` is empty (shape {kernel}); give at least one tap along every axis")
    if mode not in MODES:
        raise ValueError(f"`mode` is {mode!r}; accepted are {', '.join(map(repr, MODES))}")
    boundary = per_axis(boundary, ndim, "boundary")
    for name in boundary:
        if name not in BOUNDARIES:
            raise ValueError(f"`boundary` is {name!r}; accepted are {', '.join(map(repr, BOUNDARIES))}")
    if mode != "same" and set(boundary) != {"zero"}:
        raise ValueError(
            f"`boundary` is {_joined(boundary)!r} with mode={mode!r}; '{mode}' takes 'zero' only: "
            "use mode='same' for an extended signal"
        )
    step = tuple(positive(s, "stride") for s in per_axis(stride, ndim, "stride"))
    spacing = tuple(positive(d, "dilation") for d in per_axis(dilation, ndim, "dilation"))
    origins = tuple(_origin(o, k) for o, k in zip(per_axis(origin, ndim, "origin"), kernel, strict=True))
    full = [n + d * (k - 1) for n, k, d in zip(signal, kernel, spacing, strict=True)]
    start, sizes = {
        "full": ([0] * ndim, full),
        "same": ([d * o for d, o in zip(spacing, origins, strict=True)], signal),
        "valid": (
            [d * (k - 1) for d, k in zip(spacing, kernel, strict=True)],
            [max(n - d * (k - 1), 0) for n, k, d in zip(signal, kernel, spacing, strict=True)],
        ),
    }[mode]
    count = tuple(math.ceil(size / s) for size, s in zip(sizes, step, strict=True))
    return Window(signal, kernel, mode, boundary, origins, tuple(start), step, count, spacing)


def per_axis(value: Any, ndim: int, name: str) -> tuple[Any, ...]:
    """One entry an axis: a scalar (or a name) is repeated, a sequence must have `ndim` entries."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return (value,) * ndim
    if len(value) != ndim:
        raise ValueError(
            f"`{name}` has {len(value)} entries {tuple(value)} for a kernel that acts on {ndim} axes; "
            "give one for all axes or one an axis"
        )
    return tuple(value)


def integer(value: Any, name: str, accepted: str = "an integer") -> int:
    """Return `value` as an int, or refuse it."""
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"`{name}` is {value!r}; give {accepted}") from None


def positive(value: Any, name: str) -> int:
    """Return `value` as an int of at least 1, or refuse it."""
    number = integer(value, name)
    if number < 1:
        raise ValueError(f"`{name}` is {number}; give an integer of at least 1")
    return number


def shape_of(shape: Any, name: str = "shape") -> tuple[int, ...]:
    """Return a shape (an int for one axis) as a tuple of positive ints."""
    if isinstance(shape, Sequence) and not isinstance(shape, str):
        return tuple(positive(n, name) for n in shape)
    return (positive(shape, name),)


def _origin(value: Any, kernel: int) -> int:
    if isinstance(value, str):
        named = {"center": kernel // 2, "scipy": (kernel - 1) // 2}
        if value not in named:
            raise ValueError(
                f"`origin` is {value!r}; accepted are 'center' (L//2, as MATLAB has it), "
                "'scipy' ((L-1)//2, as scipy.signal has it), or an index of the kernel"
            )
        return named[value]
    index = integer(value, "origin")
    if not 0 <= index < kernel:
        raise ValueError(
            f"`origin` is {index} for a kernel of length {kernel}; give an index from 0 to {kernel - 1} "
            f"(SciPy would give origin {(kernel - 1) // 2}, MATLAB {kernel // 2})"
        )
    return index
