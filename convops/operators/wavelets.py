"""Orthonormal periodic wavelet transforms: Haar and Daubechies, over any axes."""

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .base import LinearOperator, Shape
from .daubechies import NAMES, periodised
from .elementary import identity
from .pytree import static
from .transforms import axes_of
from .window import positive, shape_of


class Wavelet(LinearOperator):
    """An orthonormal wavelet transform; it has no arrays, so that the signal's dtype is kept."""

    in_shape: Shape = static()
    out_shape: Shape = static()
    name: str = static()
    levels: int = static()
    axes: tuple[int, ...] = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        for level in range(self.levels):
            corner = self._corner(level)
            part = reduce(lambda part, axis: _analysis(part, axis, self.name), self.axes, y[corner])
            y = y.at[corner].set(part)
        return y.astype(x.dtype)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        x = y.astype(jnp.promote_types(y.dtype, jnp.float32))
        for level in reversed(range(self.levels)):
            corner = self._corner(level)
            part = reduce(lambda part, axis: _synthesis(part, axis, self.name), self.axes, x[corner])
            x = x.at[corner].set(part)
        return x.astype(y.dtype)

    def _corner(self, level: int) -> tuple[slice, ...]:
        """What is left to transform at a level."""
        return tuple(slice(n >> level if a in self.axes else n) for a, n in enumerate(self.in_shape))

    @property
    def tags(self) -> frozenset[str]:
        return frozenset({"unitary"})

    def gram(self) -> LinearOperator:
        return identity(self.in_shape)

    def _norm(self) -> jax.Array:
        return jnp.ones(())

    def _coordinates(self) -> Any:
        import scipy.sparse

        numbers = np.arange(self.shape[0]).reshape(self.in_shape)
        total: Any = scipy.sparse.eye_array(numbers.size, format="csr")
        for level in range(self.levels):
            corner = numbers[self._corner(level)]
            steps = [_step(n, self.name) if a in self.axes else np.eye(n) for a, n in enumerate(corner.shape)]
            parts: list[Any] = [scipy.sparse.coo_array(s) for s in steps]
            step = reduce(scipy.sparse.kron, parts).tocoo()
            rest = np.setdiff1d(numbers, corner)
            rows, columns = (np.concatenate([corner.ravel()[i], rest]) for i in (step.row, step.col))
            values = np.concatenate([step.data, np.ones(len(rest))])
            total = scipy.sparse.coo_array((values, (rows, columns)), shape=total.shape).tocsr() @ total
        found = total.tocoo()
        return found.row, found.col, found.data

    def _detail(self) -> str:
        return f"{self.name}, {self.levels} levels over axes {self.axes}"


def wavelet(shape: Any, name: str = "haar", levels: int | None = None, axes: Any = None) -> LinearOperator:
    """Return an orthonormal periodic wavelet transform W: its adjoint W^H is its inverse.

    One level along an axis of length n gives n/2 averages a[k] = sum_m h[m] x[2k + m] and then n/2 details d[k] =
    sum_m g[m] x[2k + m], with h the scaling filter, g[m] = (-1)^m h[2p-1-m] and x periodic. A level does so along
    every axis, and the next one takes the averages: the coarsest stand in the corner at index 0 (Mallat's pyramid).

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the signals, and of the coefficients. Each axis transformed must be divisible by 2^levels; filters
        longer than the signal at a level wrap around, several times if need be.
    name : str
        ``haar``, or ``db1`` (the same) to ``db10``: Daubechies' filters with so many vanishing moments, with the
        largest coefficients first (extremal phase).
    levels : int, optional
        As many as the lengths allow by default.
    axes : int or tuple of int, optional
        The axes that are transformed; all by default.

    Returns
    -------
    LinearOperator
        It keeps the signal's dtype.

    Raises
    ------
    ValueError
        For an unknown name, axes that do not fit, or lengths that cannot be halved so often.

    Examples
    --------
    >>> import convops as co
    >>> W = co.wavelet(4)
    >>> print((W @ [4.0, 2.0, 5.0, 5.0]).round(2) + 0.0)
    [ 8.   -2.    1.41  0.  ]
    >>> W.gram()
    Identity R(4) -> R(4)
    """
    shape = shape_of(shape)
    if name not in NAMES:
        raise ValueError(f"`name` is {name!r}; accepted are 'haar' and 'db1' to 'db10'")
    axes = axes_of(axes, len(shape))
    axis = min(axes, key=lambda a: _halvings(shape[a]))
    most = _halvings(shape[axis])
    count = most if levels is None else positive(levels, "levels")
    if not 0 < count <= most:
        raise ValueError(
            f"`levels` is {levels}, but axis {axis} has length {shape[axis]}, which allows at most {most} levels"
            + ("" if most else ": crop or pad it to an even length, or leave it out of `axes`")
        )
    return Wavelet(in_shape=shape, out_shape=shape, name=name, levels=count, axes=axes)


def _halvings(n: int) -> int:
    return (n & -n).bit_length() - 1


def _analysis(x: jax.Array, axis: int, name: str) -> jax.Array:
    """Averages and details along an axis."""
    n = x.shape[axis]
    h, g = periodised(name, n)
    taps = len(h) // 2
    phases = [lax.slice_in_dim(x, i, n, 2, axis) for i in (0, 1)]
    phases = [jnp.concatenate([p, lax.slice_in_dim(p, 0, taps - 1, axis=axis)], axis) for p in phases]
    shifted = [lax.slice_in_dim(phases[m % 2], m // 2, m // 2 + n // 2, axis=axis) for m in range(len(h))]
    return jnp.concatenate([_weighted(h, shifted), _weighted(g, shifted)], axis)


def _synthesis(y: jax.Array, axis: int, name: str) -> jax.Array:
    """The transpose, and inverse, of `_analysis`: x[2k + i] = sum_j h[2j + i] a[k - j] + g[2j + i] d[k - j]."""
    n = y.shape[axis]
    h, g = periodised(name, n)
    taps = len(h) // 2
    halves = [lax.slice_in_dim(y, i, i + n // 2, axis=axis) for i in (0, n // 2)]
    halves = [jnp.concatenate([lax.slice_in_dim(p, n // 2 - taps + 1, n // 2, axis=axis), p], axis) for p in halves]
    shifted = [lax.slice_in_dim(p, taps - 1 - j, taps - 1 - j + n // 2, axis=axis) for p in halves for j in range(taps)]
    phases = [_weighted(np.concatenate([h[i::2], g[i::2]]), shifted) for i in (0, 1)]
    return jnp.stack(phases, axis + 1).reshape(y.shape)


def _weighted(weights: np.ndarray, parts: list[jax.Array]) -> jax.Array:
    """Sum of parts times numbers, in the parts' dtype."""
    terms = [float(w) * p for w, p in zip(weights, parts, strict=True)]
    return sum(terms[1:], terms[0])


def _step(n: int, name: str) -> np.ndarray:
    """The matrix of `_analysis` for length n."""
    matrix = np.zeros((n, n))
    for half, taps in enumerate(periodised(name, n)):
        for k in range(n // 2):
            np.add.at(matrix[half * n // 2 + k], (2 * k + np.arange(len(taps))) % n, taps)
    return matrix
