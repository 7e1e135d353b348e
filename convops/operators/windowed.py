"""Convolution: the window of a convolution as an operator, its engine chosen and prepared by `build`."""

import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import fusion, window_matrix
from .arrays import traced
from .base import LinearOperator, Shape
from .engines import ENGINES, able, choose, facts_of, separable
from .engines.facts import Facts
from .explaining import explanation
from .norms import convolution_norm
from .pytree import static
from .window import Window, positive


class Convolution(LinearOperator):
    """A window of the convolution with a kernel; built by `convolution` or `correlation`.

    ``kernel`` holds the taps, ``data`` what the engine keeps beside them (the spectrum): differentiate through the
    factory, which makes one from the other.
    """

    kernel: jax.Array
    data: Any
    in_shape: Shape = static()
    out_shape: Shape = static()
    window: Window = static()
    axes: tuple[int, ...] = static()
    channels: bool = static()
    method: str = static()
    requested: str = static()
    structure: Any = static()
    left_out: Any = None
    facts: frozenset[str] = static(default=frozenset())

    def _matvec(self, x: jax.Array) -> jax.Array:
        return self._computed(ENGINES[self.method].forward, x, self.out_shape)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return self._computed(ENGINES[self.method].adjoint, y, self.in_shape)

    def _computed(self, engine: Any, x: jax.Array, shape: Shape) -> jax.Array:
        """Apply an engine's function along the last axes, half precision computed in single."""
        dtype = jnp.result_type(self.kernel, x)
        if self.window.empty:
            return jnp.zeros(shape, dtype)
        wide = jnp.promote_types(dtype, jnp.float32)
        last = tuple(range(-self.window.ndim, 0))
        x = jnp.moveaxis(x.astype(jnp.promote_types(x.dtype, jnp.finfo(wide).dtype)), self.axes, last)
        kernel, data = self._at_least(jnp.finfo(wide).dtype)
        y = engine(kernel, data, x, self.window, self.structure)
        return jnp.moveaxis(y.astype(wide), last, self.axes).astype(dtype)

    def _at_least(self, real: Any) -> tuple[jax.Array, Any]:
        """The kernel and what the engine keeps of it, as precise as the signal."""
        own = jnp.promote_types(self.kernel.dtype, jnp.float32)
        kernel = self.kernel.astype(jnp.promote_types(own, real))
        if kernel.dtype == own or self.method == "separable":
            return kernel, self.data
        return kernel, ENGINES[self.method].prepare(kernel, self.window, self.structure, None)

    @property
    def dtype(self) -> jnp.dtype:
        return self.kernel.dtype

    def _inexact_leaves(self) -> list[jax.Array]:
        return [self.kernel]

    @property
    def tags(self) -> frozenset[str]:
        return self.facts | ({"circulant"} if self.window.circulant and not self.channels else set())

    @property
    def nnz(self) -> int:
        return window_matrix.count(self._counted(), self.window, self._layout())

    def _counted(self) -> np.ndarray:
        """The kernel as numbers; all ones where it is traced."""
        if traced(self.kernel):
            return np.ones(self.kernel.shape)
        return np.asarray(self.kernel)

    def _norm(self) -> jax.Array:
        """Largest singular value: exact for a periodic boundary, else a bound that is never below it."""
        return convolution_norm(self)

    def conj(self) -> LinearOperator:
        return rebuild(self, jnp.conj(self.kernel)) if jnp.iscomplexobj(self.kernel) else self

    def gram(self) -> LinearOperator:
        fused = fusion.gram(self)
        return super().gram() if fused is None else fused

    def _scaled(self, factor: jax.Array) -> LinearOperator:
        return rebuild(self, factor * self.kernel)

    def _fuse_product(self, other: LinearOperator) -> LinearOperator | None:
        return fusion.product(self, other) if isinstance(other, Convolution) else None

    def _fuse_sum(self, other: LinearOperator) -> LinearOperator | None:
        return fusion.total(self, other) if isinstance(other, Convolution) else None

    def _layout(self) -> window_matrix.Layout:
        return window_matrix.Layout(self.in_shape, self.out_shape, self.axes, self.channels)

    def _as_matrix(self) -> jax.Array:
        return window_matrix.dense(self.kernel, self.window, self._layout())

    def _coordinates(self) -> Any:
        return window_matrix.coordinates(np.asarray(self.kernel), self.window, self._layout())

    @property
    def _batch(self) -> Shape:
        """The axes that vmap has put in front of the arrays."""
        return self.kernel.shape[: self.kernel.ndim - self.window.ndim - 2 * self.channels]

    def _facts(self) -> Facts:
        carried = _carried(self.in_shape, self.axes, self.channels)
        if not self._batch:
            return facts_of(self.kernel, self.window, carried)
        channels = (self.out_shape[0], self.in_shape[0]) if self.channels else None  # of many kernels: by shape alone
        return Facts(self.window, np.dtype(self.dtype), channels, None, carried)

    def _predicted(self, window: Window) -> float:
        """Predicted time of a product over a window, by shapes alone, in microseconds."""
        choice = choose(replace(self._facts(), window=window, numbers=None), self.requested)
        return choice.costs[choice.engine]

    def explain(self) -> str:
        return explanation(self, self._facts())

    def _detail(self) -> str:
        mixed = self.channels and (self.out_shape[0], self.in_shape[0])
        kernel = "x".join(map(str, (*(mixed or ()), *self.window.kernel)))
        return f"{kernel} kernel, {self.window.describe()}, {self.method}"


def build(
    kernel: jax.Array,
    window: Window,
    in_shape: Shape,
    axes: tuple[int, ...],
    *,
    channels: bool = False,
    method: str = "auto",
    rank: Any = None,
    facts: frozenset[str] = frozenset(),
    strict: bool = True,
) -> Convolution:
    """Return the operator of a window, with its engine chosen and prepared.

    A method that cannot compute the kernel is refused, or, without `strict`, left to ``auto``: a kernel made from
    another may have lost what an engine asks for (its numbers under jit, its symmetry, its rank).
    """
    left_out = None
    if not isinstance(method, str):
        raise ValueError(f"`method` is {method!r}; accepted are 'auto', {', '.join(map(repr, ENGINES))}")
    if rank is not None:
        kernel, left_out = _truncated(kernel, window, channels, method, rank)
    known = facts_of(kernel, window, _carried(in_shape, axes, channels))
    if not strict and not able(known, method):
        method = "auto"
    choice = choose(known, method)
    wide = kernel.astype(jnp.promote_types(kernel.dtype, jnp.float32))
    out = list(in_shape)
    for axis, size in zip(axes, window.count, strict=True):
        out[axis] = size
    if channels:
        out[0] = kernel.shape[0]
    return Convolution(
        kernel=kernel,
        data=None if window.empty else ENGINES[choice.engine].prepare(wide, window, choice.structure, known),
        in_shape=in_shape,
        out_shape=tuple(out),
        window=window,
        axes=axes,
        channels=channels,
        method=choice.engine,
        requested=method,
        structure=choice.structure,
        facts=facts,
        left_out=left_out,
    )


def _truncated(kernel: jax.Array, window: Window, channels: bool, method: str, rank: Any) -> tuple[jax.Array, Any]:
    """Return the nearest kernel of that many separable terms, and the sum of the |taps| left out."""
    number = positive(rank, "rank")
    if method != "separable" or channels or window.ndim != 2 or traced(kernel):
        raise ValueError(
            f"`rank` is {number}: an approximation by so many separable terms needs method='separable' and a concrete "
            "kernel of two axes without channels"
        )
    if not jnp.all(jnp.isfinite(kernel)):
        raise ValueError(f"`kernel` holds NaN or infinite taps; with `rank` {number} give finite ones")
    near = separable.truncated(np.asarray(kernel), number)
    return jnp.asarray(near), np.sum(np.abs(np.asarray(kernel) - near))


def rebuild(op: Convolution, kernel: jax.Array, window: Window | None = None, method: str | None = None) -> Convolution:
    """Return `op` with another kernel, and another window and method if given."""
    return build(
        kernel,
        op.window if window is None else window,
        op.in_shape,
        op.axes,
        channels=op.channels,
        method=op.requested if method is None else method,
        strict=False,
    )


def _carried(in_shape: Shape, axes: tuple[int, ...], channels: bool) -> int:
    """Number of signals that the axes beside the kernel's hold, channels apart."""
    return math.prod(n for a, n in enumerate(in_shape) if a not in axes and not (channels and a == 0))
