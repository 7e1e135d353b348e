"""The adjoint and the conjugate of an operator, both lazy."""

import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .base import LinearOperator, Shape
from .pytree import static

HELD = "_held_adjoint"
_ADJOINT_KEEPS = frozenset({"selfadjoint", "psd", "diagonal", "circulant", "unitary"})


class Adjoint(LinearOperator):
    """The conjugate transpose of another operator."""

    parent: LinearOperator
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return self.parent._rmatvec(x)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return self.parent._matvec(y)

    @property
    def H(self) -> LinearOperator:
        return self.parent

    @property
    def tags(self) -> frozenset[str]:
        return self.parent.tags & _ADJOINT_KEEPS

    @property
    def nnz(self) -> int:
        return self.parent.nnz

    def _norm(self) -> jax.Array:
        return self.parent._norm()

    def _scaled(self, factor: jax.Array) -> LinearOperator | None:
        parent = self.parent._scaled(jnp.conj(factor))
        return None if parent is None else parent.H

    def _fuse_sum(self, other: LinearOperator) -> LinearOperator | None:
        if not isinstance(other, Adjoint):
            return None
        fused = self.parent._fuse_sum(other.parent)
        return None if fused is None else fused.H

    def _fuse_product(self, other: LinearOperator) -> LinearOperator | None:
        if self.parent is other:
            return other.gram()
        if not isinstance(other, Adjoint):
            return None
        fused = other.parent._fuse_product(self.parent)  # B^H A^H = (A B)^H
        return None if fused is None else fused.H

    def _as_matrix(self) -> jax.Array:
        return jnp.conj(self.parent._as_matrix()).T

    def _coordinates(self) -> Any:
        found = self.parent._coordinates()
        return None if found is None else (found[1], found[0], np.conj(found[2]))

    def _detail(self) -> str:
        return f"of {self.parent!r}"


class Conjugate(LinearOperator):
    """The operator whose matrix is the complex conjugate of another's."""

    parent: LinearOperator
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return jnp.conj(self.parent._matvec(jnp.conj(x)))

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return jnp.conj(self.parent._rmatvec(jnp.conj(y)))

    def conj(self) -> LinearOperator:
        return self.parent

    @property
    def tags(self) -> frozenset[str]:
        return self.parent.tags

    @property
    def nnz(self) -> int:
        return self.parent.nnz

    def _norm(self) -> jax.Array:
        return self.parent._norm()

    def _as_matrix(self) -> jax.Array:
        return jnp.conj(self.parent._as_matrix())

    def _coordinates(self) -> Any:
        found = self.parent._coordinates()
        return None if found is None else (found[0], found[1], np.conj(found[2]))

    def _detail(self) -> str:
        return f"of {self.parent!r}"


def adjoint(op: LinearOperator) -> LinearOperator:
    """The adjoint of `op`: the same object as long as one lives, so that ``A.H.H is A`` whichever came first."""
    held = op.__dict__.get(HELD)
    found = None if held is None else held()
    if found is None:
        found = Adjoint(parent=op, in_shape=op.out_shape, out_shape=op.in_shape)
        object.__setattr__(op, HELD, weakref.ref(found))
    return found


def conjugate(op: LinearOperator) -> LinearOperator:
    """The operator with the complex conjugate matrix; `op` itself where that is real."""
    if not jnp.issubdtype(op.dtype, jnp.complexfloating):
        return op
    if isinstance(op, Adjoint):
        return op.parent.conj().H
    return Conjugate(parent=op, in_shape=op.in_shape, out_shape=op.out_shape)
