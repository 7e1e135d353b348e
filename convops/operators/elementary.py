"""Identity, diagonal and mask: the operators with nothing off the diagonal."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .arrays import as_inexact, as_numbers, traced
from .base import LinearOperator, Shape
from .pytree import static
from .window import shape_of


class Identity(LinearOperator):
    """The identity."""

    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return x

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return y

    @property
    def tags(self) -> frozenset[str]:
        return frozenset({"selfadjoint", "psd", "diagonal", "circulant", "unitary"})

    @property
    def nnz(self) -> int:
        return math.prod(self.in_shape)

    def gram(self) -> LinearOperator:
        return self

    def _norm(self) -> jax.Array:
        return jnp.ones(())

    def _fuse_product(self, other: LinearOperator) -> LinearOperator:
        return other

    def _as_matrix(self) -> jax.Array:
        return jnp.eye(math.prod(self.in_shape), dtype=self.dtype)

    def _coordinates(self) -> Any:
        where = np.arange(math.prod(self.in_shape))
        return where, where, np.ones(len(where))


class Diagonal(LinearOperator):
    """Multiplication by an array, entry by entry."""

    values: jax.Array
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return self.values * x

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return jnp.conj(self.values) * y

    @property
    def tags(self) -> frozenset[str]:
        real = not jnp.iscomplexobj(self.values)
        return frozenset({"diagonal", "selfadjoint"} if real else {"diagonal"})

    @property
    def nnz(self) -> int:
        return math.prod(self.in_shape)

    def conj(self) -> LinearOperator:
        return diagonal(jnp.conj(self.values)) if jnp.iscomplexobj(self.values) else self

    def gram(self) -> LinearOperator:
        return diagonal(jnp.abs(self.values) ** 2)

    def _norm(self) -> jax.Array:
        return jnp.max(jnp.abs(self.values))

    def _scaled(self, factor: jax.Array) -> LinearOperator:
        return diagonal(factor * self.values)

    def _fuse_product(self, other: LinearOperator) -> LinearOperator | None:
        return diagonal(self.values * other.values) if isinstance(other, Diagonal) else None

    def _fuse_sum(self, other: LinearOperator) -> LinearOperator | None:
        return diagonal(self.values + other.values) if isinstance(other, Diagonal) else None

    def _as_matrix(self) -> jax.Array:
        return jnp.diag(self.values.reshape(-1))

    def _coordinates(self) -> Any:
        where = np.arange(math.prod(self.in_shape))
        return where, where, np.asarray(self.values).reshape(-1)


class Mask(LinearOperator):
    """Multiplication by a mask of zeros and ones; what it drops may even be NaN."""

    keep: jax.Array
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return jnp.where(self.keep, x, jnp.zeros((), x.dtype))

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return self._matvec(y)

    @property
    def tags(self) -> frozenset[str]:
        return frozenset({"selfadjoint", "psd", "diagonal"})

    @property
    def nnz(self) -> int:
        return int(jnp.sum(self.keep))

    def gram(self) -> LinearOperator:
        return self

    def _norm(self) -> jax.Array:
        return jnp.any(self.keep).astype(self.dtype)

    def _fuse_product(self, other: LinearOperator) -> LinearOperator | None:
        return mask(self.keep & other.keep) if isinstance(other, Mask) else None

    def _as_matrix(self) -> jax.Array:
        return jnp.diag(self.keep.reshape(-1).astype(self.dtype))

    def _coordinates(self) -> Any:
        where = np.flatnonzero(np.asarray(self.keep))
        return where, where, np.ones(len(where))


def identity(shape: Any) -> LinearOperator:
    """Return the identity on arrays of a shape.

    >>> import convops as co
    >>> print(co.identity(2).as_matrix())
    [[1. 0.]
     [0. 1.]]
    """
    shape = shape_of(shape)
    return Identity(in_shape=shape, out_shape=shape)


def diagonal(values: Any) -> LinearOperator:
    """Return the multiplication by `values` (any shape, real or complex), entry by entry.

    >>> import convops as co
    >>> print(co.diagonal([2.0, 3.0]).as_matrix())
    [[2. 0.]
     [0. 3.]]
    """
    array = as_inexact(values, "values")
    return Diagonal(values=array, in_shape=array.shape, out_shape=array.shape)


def mask(keep: Any) -> LinearOperator:
    """Return the operator that keeps the entries where `keep` is true and sets the others to zero.

    >>> import convops as co
    >>> print(co.mask([True, False, True]) @ [1.0, 2.0, 3.0])
    [1. 0. 3.]
    """
    array = as_numbers(keep, "keep")
    if not traced(array) and np.any(np.isnan(np.asarray(array))):
        raise ValueError("`keep` holds NaN, which says neither; give true or false for each entry")
    array = jnp.asarray(array).astype(bool)
    return Mask(keep=array, in_shape=array.shape, out_shape=array.shape)
