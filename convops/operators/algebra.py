"""Products, sums and multiples of operators, and what neighbours fuse into."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .base import LinearOperator, Shape
from .pytree import static


class Composition(LinearOperator):
    """The product of operators, applied from the last to the first."""

    factors: tuple[LinearOperator, ...]
    in_shape: Shape = static()
    out_shape: Shape = static()
    facts: frozenset[str] = static(default=frozenset())

    def _matvec(self, x: jax.Array) -> jax.Array:
        for factor in reversed(self.factors):
            x = factor._matvec(x)
        return x

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        for factor in self.factors:
            y = factor._rmatvec(y)
        return y

    @property
    def tags(self) -> frozenset[str]:
        common = frozenset.intersection(*(f.tags for f in self.factors))
        return self.facts | common & {"diagonal", "circulant", "unitary"}

    def conj(self) -> LinearOperator:
        return _product(tuple(f.conj() for f in self.factors), self.facts)

    def _norm(self) -> jax.Array:
        """Product of the factors' norms: an upper bound."""
        return math.prod((f._norm() for f in self.factors), start=jnp.ones(()))

    def _as_matrix(self) -> jax.Array:
        matrix = self.factors[-1]._as_matrix()
        for factor in reversed(self.factors[:-1]):
            matrix = jnp.matmul(factor._as_matrix(), matrix, precision=jax.lax.Precision.HIGHEST)
        return matrix

    def _coordinates(self) -> Any:
        from .entries import product_coordinates

        return product_coordinates([f._coordinates() for f in self.factors], [f.shape for f in self.factors])

    def _detail(self) -> str:
        return " @ ".join(type(f).__name__ for f in self.factors)


class Sum(LinearOperator):
    """The sum of operators."""

    terms: tuple[LinearOperator, ...]
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        parts = [term._matvec(x) for term in self.terms]
        return sum(parts[1:], parts[0])

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        parts = [term._rmatvec(y) for term in self.terms]
        return sum(parts[1:], parts[0])

    @property
    def tags(self) -> frozenset[str]:
        common = frozenset.intersection(*(t.tags for t in self.terms))
        return common & {"selfadjoint", "psd", "diagonal", "circulant"}

    def conj(self) -> LinearOperator:
        return _total(tuple(t.conj() for t in self.terms))

    def _norm(self) -> jax.Array:
        """Sum of the terms' norms: an upper bound."""
        return sum((t._norm() for t in self.terms[1:]), self.terms[0]._norm())

    def _as_matrix(self) -> jax.Array:
        parts = [t._as_matrix() for t in self.terms]
        return sum(parts[1:], parts[0])

    def _coordinates(self) -> Any:
        from .entries import merged_coordinates

        return merged_coordinates([t._coordinates() for t in self.terms], self.shape)

    def _detail(self) -> str:
        return " + ".join(type(t).__name__ for t in self.terms)


class Scaled(LinearOperator):
    """A multiple of an operator."""

    factor: jax.Array
    parent: LinearOperator
    in_shape: Shape = static()
    out_shape: Shape = static()

    @property
    def dtype(self) -> jnp.dtype:
        return jnp.result_type(self.parent.dtype, self.factor)

    def _matvec(self, x: jax.Array) -> jax.Array:
        return self.factor * self.parent._matvec(x)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return jnp.conj(self.factor) * self.parent._rmatvec(y)

    @property
    def tags(self) -> frozenset[str]:
        keeps = {"diagonal", "circulant"}
        return self.parent.tags & (keeps if jnp.iscomplexobj(self.factor) else keeps | {"selfadjoint"})

    @property
    def nnz(self) -> int:
        return self.parent.nnz

    def _norm(self) -> jax.Array:
        return jnp.abs(self.factor) * self.parent._norm()

    def _scaled(self, factor: jax.Array) -> LinearOperator:
        return scale(self.parent, factor * self.factor)

    def _as_matrix(self) -> jax.Array:
        return self.factor * self.parent._as_matrix()

    def _coordinates(self) -> Any:
        found = self.parent._coordinates()
        return None if found is None else (found[0], found[1], np.asarray(self.factor) * found[2])

    def _detail(self) -> str:
        return f"{self.factor} * {self.parent!r}"


def compose(left: LinearOperator, right: LinearOperator) -> LinearOperator:
    """The product left @ right; neighbours that are one simpler operator become one."""
    if left.in_shape != right.out_shape:
        raise ValueError(
            f"`A @ B` needs A.in_shape == B.out_shape; got {left.in_shape} and {right.out_shape}: {left!r} @ {right!r}"
        )
    factors = list(_factors(left))
    for factor in _factors(right):
        factors = _append(factors, factor)
    return _product(tuple(factors)) if len(factors) > 1 else factors[0]


def _append(factors: list[LinearOperator], factor: LinearOperator) -> list[LinearOperator]:
    fused = factors[-1]._fuse_product(factor) or factor._fuse_before(factors[-1]) if factors else None
    if fused is None:
        return [*factors, factor]
    return _append(factors[:-1], fused)


def _factors(op: LinearOperator) -> tuple[LinearOperator, ...]:
    return op.factors if isinstance(op, Composition) and not op.facts else (op,)


def _product(factors: tuple[LinearOperator, ...], facts: frozenset[str] = frozenset()) -> LinearOperator:
    return Composition(factors=factors, facts=facts, in_shape=factors[-1].in_shape, out_shape=factors[0].out_shape)


def gram(op: LinearOperator) -> LinearOperator:
    """The normal operator A^H A as the product it is."""
    return _product((op.H, op), frozenset({"selfadjoint", "psd"}))


def add(left: LinearOperator, right: LinearOperator) -> LinearOperator:
    """The sum left + right; terms that are one simpler operator become one."""
    if (left.in_shape, left.out_shape) != (right.in_shape, right.out_shape):
        raise ValueError(f"`A + B` needs equal in_shape and out_shape; got {left!r} and {right!r}")
    terms = list(left.terms) if isinstance(left, Sum) else [left]
    for term in right.terms if isinstance(right, Sum) else (right,):
        for i, held in enumerate(terms):
            fused = held._fuse_sum(term) or term._fuse_sum(held)
            if fused is not None:
                terms[i] = fused
                break
        else:
            terms.append(term)
    return _total(tuple(terms)) if len(terms) > 1 else terms[0]


def _total(terms: tuple[LinearOperator, ...]) -> LinearOperator:
    return Sum(terms=terms, in_shape=terms[0].in_shape, out_shape=terms[0].out_shape)


def scale(op: LinearOperator, factor: Any, inverse: bool = False) -> LinearOperator:
    """The multiple factor * A (or A / factor) of a scalar, folded into the arrays where there are some."""
    if isinstance(factor, LinearOperator):
        raise TypeError("`A * B` of two operators is ambiguous: use A @ B for their product")
    if jnp.ndim(factor) != 0:
        raise TypeError(
            f"`A * x` takes a scalar; got an array of shape {jnp.shape(factor)}: use A @ x to apply the operator"
        )
    number = jnp.asarray(factor)
    if not jnp.issubdtype(number.dtype, jnp.inexact):
        number = jnp.asarray(1.0) * number
    number = 1 / number if inverse else number
    scaled = op._scaled(number)
    if scaled is not None:
        return scaled
    return Scaled(factor=number, parent=op, in_shape=op.in_shape, out_shape=op.out_shape)
