"""Circulant, Toeplitz and Hankel matrices, with SciPy's conventions and without the matrix."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import transforms
from .algebra import Composition
from .arrays import as_inexact, traced
from .base import LinearOperator, Shape
from .diagonalized import Spectral, stored
from .engines.fourier import fast_length
from .pytree import static


class Toeplitz(LinearOperator):
    """A[i, j] = values[i - j + n - 1]; products go through a circulant matrix that it is a part of.

    ``values`` holds the diagonals from the top right to the bottom left, ``data`` the spectrum of the circulant
    matrix: differentiate through the factory, which makes one from the other.
    """

    values: jax.Array
    data: jax.Array
    in_shape: Shape = static()
    out_shape: Shape = static()
    length: int = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return self._circular(lambda gain: gain, x, self.out_shape[0])

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return self._circular(jnp.conj, y, self.in_shape[0])

    def _circular(self, made: Callable[[jax.Array], jax.Array], x: jax.Array, count: int) -> jax.Array:
        dtype = jnp.result_type(self.dtype, x)
        wide = jnp.promote_types(dtype, jnp.float32)
        padded = jnp.pad(x.astype(wide), (0, self.length - x.shape[0]))
        gain, real = made(self._at_least(jnp.finfo(wide).dtype)), not jnp.iscomplexobj(self.values)
        return transforms.filtered(padded, gain, "fft", (0,), real)[:count].astype(dtype)

    def _at_least(self, real: Any) -> jax.Array:
        """The spectrum, as precise as the signal."""
        if jnp.promote_types(self.data.dtype, real) == self.data.dtype:
            return self.data
        return _spectrum(self.values.astype(jnp.promote_types(self.values.dtype, real)), self.in_shape[0], self.length)

    @property
    def dtype(self) -> jnp.dtype:
        return self.values.dtype

    def _inexact_leaves(self) -> list[jax.Array]:
        return [self.values]

    def conj(self) -> LinearOperator:
        return _toeplitz(jnp.conj(self.values), self.shape) if jnp.iscomplexobj(self.values) else self

    def _scaled(self, factor: jax.Array) -> LinearOperator:
        return _toeplitz(factor * self.values, self.shape)

    def _fuse_sum(self, other: LinearOperator) -> LinearOperator | None:
        return _toeplitz(self.values + other.values, self.shape) if isinstance(other, Toeplitz) else None

    def _norm(self) -> jax.Array:
        """Largest eigenvalue of the circulant matrix that it is a part of: an upper bound."""
        return jnp.max(jnp.abs(self.data))

    @property
    def nnz(self) -> int:
        if traced(self.values):
            return self.shape[0] * self.shape[1]
        return int(np.sum(self._diagonals()[2]))

    def _diagonals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Place in `values`, row minus column and length of the diagonals that are not zero."""
        m, n = self.shape
        where = np.flatnonzero(np.asarray(self.values))
        offsets = where - (n - 1)
        return where, offsets, np.minimum(m, n + offsets) - np.maximum(offsets, 0)

    def _as_matrix(self) -> jax.Array:
        m, n = self.shape
        return self.values[np.arange(m)[:, None] - np.arange(n) + n - 1]

    def _coordinates(self) -> Any:
        where, offsets, lengths = self._diagonals()
        along = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows = along + np.repeat(np.maximum(offsets, 0), lengths)
        return rows, rows - np.repeat(offsets, lengths), np.repeat(np.asarray(self.values)[where], lengths)


class Flip(LinearOperator):
    """The samples of a vector in reverse order."""

    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return jnp.flip(x)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return jnp.flip(y)

    @property
    def tags(self) -> frozenset[str]:
        return frozenset({"selfadjoint", "unitary"})

    @property
    def nnz(self) -> int:
        return self.in_shape[0]

    def _norm(self) -> jax.Array:
        return jnp.ones(())

    def _as_matrix(self) -> jax.Array:
        return jnp.flip(jnp.eye(self.in_shape[0], dtype=self.dtype), 0)

    def _coordinates(self) -> Any:
        where = np.arange(self.in_shape[0])
        return where, where[::-1], np.ones(len(where))


class Hankel(Composition):
    """A Toeplitz matrix with its columns in reverse order."""

    @property
    def nnz(self) -> int:
        return self.factors[0].nnz


def circulant(c: Any) -> Spectral:
    """Return the circulant matrix with first column `c`, A[i, j] = c[(i - j) mod n], as `scipy.linalg.circulant` does.

    For an array `c` of several axes it is the block circulant matrix with circulant blocks, on arrays of the shape of
    `c`: its first column is `c` in C order (`scipy.linalg.circulant` takes the leading axes for a batch).

    Parameters
    ----------
    c : array
        Real or complex.

    Returns
    -------
    Spectral
        Known by its eigenvalues, the FFT of `c` in the precision of `c` (single for half): for signals in double give
        `c` in double. See `spectral`.

    Examples
    --------
    >>> import convops as co
    >>> A = co.circulant([1.0, 2.0, 4.0])
    >>> print(A.as_matrix().round(2) + 0.0)
    [[1. 4. 2.]
     [2. 1. 4.]
     [4. 2. 1.]]
    >>> print(A.solve(A @ [1.0, 0.0, 2.0]).round(2) + 0.0)
    [1. 0. 2.]
    """
    array = as_inexact(c, "c")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"`c` has shape {array.shape}; give at least one number along at least one axis")
    axes = tuple(range(array.ndim))
    wide = array.astype(jnp.promote_types(array.dtype, jnp.float32))
    real = not jnp.iscomplexobj(array)
    values = jnp.fft.fftn(wide)
    return stored(values, array.shape, "fft", axes, real, frozenset({"circulant"}))


def toeplitz(c: Any, r: Any = None) -> LinearOperator:
    """Return the Toeplitz matrix with first column `c` and first row `r`, as `scipy.linalg.toeplitz` has it.

    A[i, j] is c[i - j] on and below the diagonal and r[j - i] above it. A product takes one pair of FFTs of length
    len(c) + len(r) - 1 or little more.

    Parameters
    ----------
    c : array of shape (m,)
        Real or complex.
    r : array of shape (n,), optional
        ``r[0]`` is ignored, c[0] stands there. conj(c) by default, which makes the matrix Hermitian if c[0] is real.

    Returns
    -------
    LinearOperator
        From (n,) to (m,).

    Examples
    --------
    >>> import convops as co
    >>> print(co.toeplitz([1.0, 2.0, 3.0], [1.0, 4.0]).as_matrix())
    [[1. 4.]
     [2. 1.]
     [3. 2.]]
    """
    column = _vector(c, "c")
    row = jnp.conj(column) if r is None else _vector(r, "r")
    dtype = jnp.result_type(column, row)
    values = jnp.concatenate([jnp.flip(row[1:]).astype(dtype), column.astype(dtype)])
    return _toeplitz(values, (len(column), len(row)))


def hankel(c: Any, r: Any = None) -> LinearOperator:
    """Return the Hankel matrix with first column `c` and last row `r`, as `scipy.linalg.hankel` has it.

    A[i, j] is c[i + j] where that is within `c`, and r[i + j - m + 1] beyond it: a Toeplitz matrix with its columns
    in reverse order.

    Parameters
    ----------
    c : array of shape (m,)
        Real or complex.
    r : array of shape (n,), optional
        ``r[0]`` is ignored, c[-1] stands there. Zeros, as many as `c` has numbers, by default.

    Returns
    -------
    LinearOperator
        From (n,) to (m,).

    Examples
    --------
    >>> import convops as co
    >>> print(co.hankel([1.0, 2.0, 3.0], [3.0, 4.0, 5.0, 6.0]).as_matrix())
    [[1. 2. 3. 4.]
     [2. 3. 4. 5.]
     [3. 4. 5. 6.]]
    """
    column = _vector(c, "c")
    row = jnp.zeros_like(column) if r is None else _vector(r, "r")
    dtype = jnp.result_type(column, row)
    values = jnp.concatenate([column.astype(dtype), row[1:].astype(dtype)])
    n = len(row)
    factors = (_toeplitz(values, (len(column), n)), Flip(in_shape=(n,), out_shape=(n,)))
    return Hankel(factors=factors, in_shape=(n,), out_shape=column.shape)


def _toeplitz(values: jax.Array, shape: tuple[int, int]) -> Toeplitz:
    """The operator, with the circulant matrix that it is a part of."""
    m, n = shape
    length = fast_length(m + n - 1)
    data = _spectrum(values.astype(jnp.promote_types(values.dtype, jnp.float32)), n, length)
    return Toeplitz(values=values, data=data, in_shape=(n,), out_shape=(m,), length=length)


def _spectrum(values: jax.Array, n: int, length: int) -> jax.Array:
    """Eigenvalues of the circulant matrix of a size that has diagonal i - j at index (i - j) mod size."""
    first = jnp.concatenate([values[n - 1 :], jnp.zeros(length - len(values), values.dtype), values[: n - 1]])
    return transforms.forward(first, "fft", (0,), not jnp.iscomplexobj(values))


def _vector(x: Any, name: str) -> jax.Array:
    array = as_inexact(x, name)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"`{name}` has shape {array.shape}; give one axis with at least one number")
    return array
