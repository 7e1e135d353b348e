"""Operators from what the user has: a linear function, or a matrix."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .arrays import as_inexact
from .base import LinearOperator, Shape
from .pytree import static
from .window import shape_of


class Function(LinearOperator):
    """A linear function given by the user."""

    function: Callable[[jax.Array], jax.Array] = static()
    adjoint: Callable[[jax.Array], jax.Array] | None = static()
    entry_dtype: Any = static()
    in_shape: Shape = static()
    out_shape: Shape = static()

    @property
    def dtype(self) -> jnp.dtype:
        return jnp.dtype(self.entry_dtype)

    def _matvec(self, x: jax.Array) -> jax.Array:
        return self.function(x)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return super()._rmatvec(y) if self.adjoint is None else self.adjoint(y)

    def _inexact_leaves(self) -> list[jax.Array]:
        return [jnp.zeros((), self.entry_dtype)]

    def _detail(self) -> str:
        return getattr(self.function, "__name__", "function")


class Matrix(LinearOperator):
    """A dense matrix held as an array."""

    matrix: jax.Array
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return jnp.matmul(self.matrix, x.reshape(-1), precision=lax.Precision.HIGHEST).reshape(self.out_shape)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        product = jnp.matmul(y.reshape(-1), jnp.conj(self.matrix), precision=lax.Precision.HIGHEST)
        return product.reshape(self.in_shape)

    def conj(self) -> LinearOperator:
        return replace(self, matrix=jnp.conj(self.matrix)) if jnp.iscomplexobj(self.matrix) else self

    def _scaled(self, factor: jax.Array) -> LinearOperator:
        return replace(self, matrix=factor * self.matrix)

    @property
    def nnz(self) -> int:
        return math.prod(self.shape)

    def _as_matrix(self) -> jax.Array:
        return self.matrix

    def _coordinates(self) -> Any:
        rows, columns = np.indices(self.matrix.shape)
        return rows.ravel(), columns.ravel(), np.asarray(self.matrix).ravel()


class SparseMatrix(LinearOperator):
    """A sparse matrix held as coordinates: rows, columns, values."""

    rows: jax.Array
    columns: jax.Array
    values: jax.Array
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        terms = self.values * x.reshape(-1)[self.columns]
        return jnp.zeros(self.shape[0], terms.dtype).at[self.rows].add(terms).reshape(self.out_shape)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        terms = jnp.conj(self.values) * y.reshape(-1)[self.rows]
        return jnp.zeros(self.shape[1], terms.dtype).at[self.columns].add(terms).reshape(self.in_shape)

    def conj(self) -> LinearOperator:
        return replace(self, values=jnp.conj(self.values)) if jnp.iscomplexobj(self.values) else self

    def _scaled(self, factor: jax.Array) -> LinearOperator:
        return replace(self, values=factor * self.values)

    @property
    def nnz(self) -> int:
        return len(self.values)

    def _as_matrix(self) -> jax.Array:
        return jnp.zeros(self.shape, self.values.dtype).at[self.rows, self.columns].add(self.values)

    def _coordinates(self) -> Any:
        return np.asarray(self.rows), np.asarray(self.columns), np.asarray(self.values)


def from_function(
    function: Callable[[jax.Array], jax.Array],
    in_shape: Any,
    dtype: Any = None,
    adjoint: Callable[[jax.Array], jax.Array] | None = None,
) -> LinearOperator:
    """Return a linear function of one array as an operator.

    Parameters
    ----------
    function : callable
        Takes an array of `in_shape`, returns an array, and is linear; pure jax code.
    in_shape : int or tuple of int
    dtype : dtype, optional
        Of the matrix's entries; the default float if not given.
    adjoint : callable, optional
        The conjugate transpose; by default from `jax.linear_transpose`.

    Raises
    ------
    ValueError
        If `function` is none, or returns anything but one array.

    Examples
    --------
    >>> import jax.numpy as jnp, convops as co
    >>> A = co.from_function(jnp.cumsum, 3)
    >>> print(A.H @ [1.0, 1.0, 1.0])
    [3. 2. 1.]
    """
    for name, given in (("function", function), ("adjoint", adjoint)):
        if not callable(given) and (given is not None or name == "function"):
            raise ValueError(f"`{name}` is {given!r}; give a function of one array")
    in_shape = shape_of(in_shape, "in_shape")
    entry = jnp.zeros(()).dtype if dtype is None else jax.dtypes.canonicalize_dtype(dtype)
    out = jax.eval_shape(function, jax.ShapeDtypeStruct(in_shape, entry))
    if not hasattr(out, "shape"):
        raise ValueError("`function` must return one array")
    return Function(function=function, adjoint=adjoint, entry_dtype=entry, in_shape=in_shape, out_shape=out.shape)


def from_matrix(matrix: Any, in_shape: Any = None, out_shape: Any = None) -> LinearOperator:
    """Return a matrix (m, n), dense or `jax.experimental.sparse.BCOO`, as an operator on C-order vectors.

    >>> import convops as co
    >>> co.from_matrix([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).shape
    (3, 2)
    """
    if hasattr(matrix, "todense") and hasattr(matrix, "indices"):
        matrix = matrix.sum_duplicates(nse=matrix.nse)
        rows, columns = matrix.indices.T
        return from_coordinates(rows, columns, matrix.data, matrix.shape, in_shape, out_shape)
    matrix = as_inexact(matrix, "matrix")
    if matrix.ndim != 2:
        raise ValueError(f"`matrix` has shape {matrix.shape}; give two axes (m, n)")
    in_shape, out_shape = fitting(matrix.shape, in_shape, out_shape)
    return Matrix(matrix=matrix, in_shape=in_shape, out_shape=out_shape)


def from_coordinates(
    rows: Any, columns: Any, values: Any, shape: tuple[int, int], in_shape: Any = None, out_shape: Any = None
) -> LinearOperator:
    """Return the sparse matrix with `values` at (`rows`, `columns`), no entry twice, as an operator."""
    in_shape, out_shape = fitting(shape, in_shape, out_shape)
    return SparseMatrix(
        rows=jnp.asarray(rows),
        columns=jnp.asarray(columns),
        values=as_inexact(values, "values"),
        in_shape=in_shape,
        out_shape=out_shape,
    )


def fitting(shape: tuple[int, int], in_shape: Any, out_shape: Any) -> tuple[Shape, Shape]:
    """Shapes of the arrays that an (m, n) matrix acts on and gives; flat ones unless given."""
    found = []
    for name, given, size in (("in_shape", in_shape, shape[1]), ("out_shape", out_shape, shape[0])):
        found.append((size,) if given is None else shape_of(given, name))
        if math.prod(found[-1]) != size:
            raise ValueError(f"`{name}` is {found[-1]}, {math.prod(found[-1])} samples; the matrix has {size}")
    return found[0], found[1]
