"""Operators from what the user has: a linear function, or a matrix."""

import math
from collections.abc import Callable
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
    """A matrix held as an array (dense, or a `jax.experimental.sparse.BCOO`)."""

    matrix: Any
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return _product(self.matrix, x.reshape(-1)).reshape(self.out_shape)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return jnp.conj(_product(self.matrix.T, jnp.conj(y).reshape(-1))).reshape(self.in_shape)

    def _sparse(self) -> bool:
        return hasattr(self.matrix, "todense")

    def conj(self) -> LinearOperator:
        if not jnp.issubdtype(self.dtype, jnp.complexfloating):
            return self
        return Matrix(matrix=jax.tree.map(_conjugated, self.matrix), in_shape=self.in_shape, out_shape=self.out_shape)

    def _scaled(self, factor: jax.Array) -> LinearOperator:
        return Matrix(matrix=factor * self.matrix, in_shape=self.in_shape, out_shape=self.out_shape)

    @property
    def nnz(self) -> int:
        return self.matrix.nse if self._sparse() else math.prod(self.matrix.shape)

    def _as_matrix(self) -> jax.Array:
        return self.matrix.todense() if self._sparse() else self.matrix

    def _coordinates(self) -> Any:
        if self._sparse():
            return *np.asarray(self.matrix.indices).T, np.asarray(self.matrix.data)
        rows, columns = np.indices(self.matrix.shape)
        return rows.ravel(), columns.ravel(), np.asarray(self.matrix).ravel()


def _product(matrix: Any, x: jax.Array) -> jax.Array:
    if hasattr(matrix, "todense"):
        return matrix @ x
    return jnp.matmul(matrix, x, precision=lax.Precision.HIGHEST)


def _conjugated(leaf: jax.Array) -> jax.Array:
    return jnp.conj(leaf) if jnp.iscomplexobj(leaf) else leaf


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

    Examples
    --------
    >>> import jax.numpy as jnp, convops as co
    >>> A = co.from_function(jnp.cumsum, 3)
    >>> print(A.H @ [1.0, 1.0, 1.0])
    [3. 2. 1.]
    """
    in_shape = shape_of(in_shape, "in_shape")
    entry = jnp.zeros((), dtype).dtype
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
    matrix = matrix if hasattr(matrix, "todense") else as_inexact(matrix, "matrix")
    if matrix.ndim != 2:
        raise ValueError(f"`matrix` has shape {matrix.shape}; give two axes (m, n)")
    shapes = []
    for name, shape, size in (
        ("in_shape", in_shape, matrix.shape[1]),
        ("out_shape", out_shape, matrix.shape[0]),
    ):
        shapes.append((size,) if shape is None else shape_of(shape, name))
        if math.prod(shapes[-1]) != size:
            raise ValueError(f"`{name}` is {shapes[-1]}, {math.prod(shapes[-1])} samples; the matrix has {size}")
    return Matrix(matrix=matrix, in_shape=shapes[0], out_shape=shapes[1])
