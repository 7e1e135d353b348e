"""Crop, downsample and pad: the operators that change how many samples there are."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from . import boundary as boundaries
from .base import LinearOperator, Shape
from .pytree import static
from .window import BOUNDARIES, integer, per_axis, positive, shape_of


class Slice(LinearOperator):
    """A regular part of an array: every ``step``-th sample from ``start``, ``count`` of them, along each axis."""

    in_shape: Shape = static()
    out_shape: Shape = static()
    start: Shape = static()
    step: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        stop = [a + s * (c - 1) + 1 for a, s, c in zip(self.start, self.step, self.out_shape, strict=True)]
        return lax.slice(x, self.start, stop, self.step)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        widths = [
            (a, n - 1 - a - s * (c - 1), s - 1)
            for a, s, c, n in zip(self.start, self.step, self.out_shape, self.in_shape, strict=True)
        ]
        return lax.pad(y, jnp.zeros((), y.dtype), widths)

    @property
    def nnz(self) -> int:
        return math.prod(self.out_shape)

    def _norm(self) -> jax.Array:
        return jnp.ones(())

    def _source(self) -> np.ndarray:
        numbers = np.arange(math.prod(self.in_shape)).reshape(self.in_shape)
        parts = zip(self.start, self.step, self.out_shape, strict=True)
        return numbers[tuple(slice(a, a + s * c, s) for a, s, c in parts)].reshape(-1)

    def _as_matrix(self) -> jax.Array:
        return jnp.eye(math.prod(self.in_shape), dtype=self.dtype)[self._source()]

    def _coordinates(self) -> Any:
        return np.arange(self.shape[0]), self._source(), np.ones(self.shape[0])

    def _detail(self) -> str:
        return f"start {self.start}, step {self.step}"


class Pad(LinearOperator):
    """The extension of an array beyond its ends."""

    in_shape: Shape = static()
    out_shape: Shape = static()
    widths: tuple[tuple[int, int], ...] = static()
    boundary: tuple[str, ...] = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        for axis, ((before, after), name) in enumerate(zip(self.widths, self.boundary, strict=True)):
            if before or after:
                x = boundaries.extend_axis(x, axis, -before, x.shape[axis] - 1 + after, name)
        return x

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        for axis, ((before, after), name) in enumerate(zip(self.widths, self.boundary, strict=True)):
            n = self.in_shape[axis]
            if before or after:
                y = boundaries.fold_axis(y, axis, n, -before, n - 1 + after, name)
        return y

    def _factors(self) -> list[np.ndarray]:
        parts = zip(self.in_shape, self.widths, self.boundary, strict=True)
        return [boundaries.matrix(n, -before, n - 1 + after, name) for n, (before, after), name in parts]

    @property
    def nnz(self) -> int:
        return math.prod(int(np.count_nonzero(f)) for f in self._factors())

    def _norm(self) -> jax.Array:
        return jnp.asarray(math.prod(float(np.linalg.norm(f, 2)) for f in self._factors()))

    def _as_matrix(self) -> jax.Array:
        matrix = jnp.ones((1, 1), self.dtype)
        for factor in self._factors():
            matrix = jnp.kron(matrix, jnp.asarray(factor, self.dtype))
        return matrix

    def _coordinates(self) -> Any:
        rows, columns, values = np.zeros(1, int), np.zeros(1, int), np.ones(1)
        for factor in self._factors():
            i, j = np.nonzero(factor)
            rows = (rows[:, None] * factor.shape[0] + i).ravel()
            columns = (columns[:, None] * factor.shape[1] + j).ravel()
            values = np.outer(values, factor[i, j]).ravel()
        return rows, columns, values

    def _detail(self) -> str:
        return f"widths {self.widths}, {'/'.join(dict.fromkeys(self.boundary))}"


def crop(shape: Any, slices: Any) -> LinearOperator:
    """Return the operator that keeps a part of an array of a shape.

    `slices` holds one slice an axis (positive steps), as in indexing; a missing one keeps the axis whole.

    >>> import convops as co
    >>> print(co.crop(4, slice(1, 3)).as_matrix())
    [[0. 1. 0. 0.]
     [0. 0. 1. 0.]]
    """
    shape = shape_of(shape)
    slices = tuple(slices) if isinstance(slices, Iterable) else (slices,)
    if len(slices) > len(shape) or not all(isinstance(s, slice) for s in slices):
        raise ValueError(f"`slices` is {slices}; give at most {len(shape)} slices for shape {shape}")
    slices += (slice(None),) * (len(shape) - len(slices))
    parts = [range(n)[s] for n, s in zip(shape, slices, strict=True)]
    if any(len(part) == 0 or part.step < 1 for part in parts):
        raise ValueError(f"`slices` {slices} keep nothing, or go backwards, in shape {shape}")
    return Slice(
        in_shape=shape,
        out_shape=tuple(len(part) for part in parts),
        start=tuple(part.start for part in parts),
        step=tuple(part.step for part in parts),
    )


def downsample(shape: Any, factor: Any, offset: Any = 0) -> LinearOperator:
    """Return the operator that keeps every `factor`-th sample from `offset`, one for all axes or one an axis.

    >>> import convops as co
    >>> print(co.downsample(5, 2) @ [1.0, 2.0, 3.0, 4.0, 5.0])
    [1. 3. 5.]
    """
    shape = shape_of(shape)
    factors = [positive(f, "factor") for f in per_axis(factor, len(shape), "factor")]
    offsets = [integer(o, "offset") for o in per_axis(offset, len(shape), "offset")]
    for o, n in zip(offsets, shape, strict=True):
        if not 0 <= o < n:
            raise ValueError(f"`offset` is {o} for an axis of length {n}; give an index from 0 to {n - 1}")
    return crop(shape, [slice(o, None, f) for o, f in zip(offsets, factors, strict=True)])


def pad(shape: Any, widths: Any, boundary: Any = "zero") -> LinearOperator:
    """Return the operator that extends an array of a shape, as `numpy.pad` does.

    Parameters
    ----------
    shape : int or tuple of int
    widths : int, or one int or (before, after) pair an axis
        Samples to add at each end.
    boundary : str or tuple of str
        ``zero``, ``wrap``, ``symmetric``, ``reflect``, ``edge`` or ``antireflect``, one for all axes or one an axis.

    Examples
    --------
    >>> import convops as co
    >>> print(co.pad(3, (2, 1), "reflect") @ [1.0, 2.0, 3.0])
    [3. 2. 1. 2. 3. 2.]
    """
    shape = shape_of(shape)
    names = per_axis(boundary, len(shape), "boundary")
    for name in names:
        if name not in BOUNDARIES:
            raise ValueError(f"`boundary` is {name!r}; accepted are {', '.join(map(repr, BOUNDARIES))}")
    if len(shape) == 1 and isinstance(widths, Sequence) and len(widths) == 2 and not isinstance(widths[0], Sequence):
        widths = (widths,)
    pairs = [per_axis(w, 2, "widths") for w in per_axis(widths, len(shape), "widths")]
    sizes = tuple((integer(a, "widths"), integer(b, "widths")) for a, b in pairs)
    if any(w < 0 for pair in sizes for w in pair):
        raise ValueError(f"`widths` are {sizes}; give numbers of at least 0 (crop() removes samples)")
    out = tuple(n + a + b for n, (a, b) in zip(shape, sizes, strict=True))
    return Pad(in_shape=shape, out_shape=out, widths=sizes, boundary=names)
