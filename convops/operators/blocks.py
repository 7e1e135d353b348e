"""Operators of blocks: stacks, block diagonal and Kronecker product."""

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .base import LinearOperator, Shape
from .pytree import static


class VerticalStack(LinearOperator):
    """Operators on the same input, their outputs one after the other."""

    blocks: tuple[LinearOperator, ...]
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return _join([b._matvec(x) for b in self.blocks], self.out_shape)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        parts = _split(y, [b.out_shape for b in self.blocks])
        found = [b._rmatvec(part) for b, part in zip(self.blocks, parts, strict=True)]
        return sum(found[1:], found[0])

    def conj(self) -> LinearOperator:
        return vstack([b.conj() for b in self.blocks])

    def gram(self) -> LinearOperator:
        """The sum of the blocks' A^H A where that is one simpler operator."""
        from .algebra import Composition, Sum, add

        found = reduce(add, [b.gram() for b in self.blocks])
        return super().gram() if isinstance(found, Sum | Composition) else found

    @property
    def nnz(self) -> int:
        return sum(b.nnz for b in self.blocks)

    def _norm(self) -> jax.Array:
        """Root of the sum of the blocks' squared norms: an upper bound."""
        return jnp.sqrt(sum((b._norm() ** 2 for b in self.blocks), jnp.zeros(())))

    def _as_matrix(self) -> jax.Array:
        return jnp.concatenate([b._as_matrix() for b in self.blocks], 0)

    def _coordinates(self) -> Any:
        return shifted(self.blocks, rows=True, columns=False)

    def _detail(self) -> str:
        return f"{len(self.blocks)} blocks"


class BlockDiagonal(LinearOperator):
    """Operators side by side, each with an input and an output of its own."""

    blocks: tuple[LinearOperator, ...]
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        parts = _split(x, [b.in_shape for b in self.blocks])
        return _join([b._matvec(p) for b, p in zip(self.blocks, parts, strict=True)], self.out_shape)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        parts = _split(y, [b.out_shape for b in self.blocks])
        return _join([b._rmatvec(p) for b, p in zip(self.blocks, parts, strict=True)], self.in_shape)

    def conj(self) -> LinearOperator:
        return block_diagonal([b.conj() for b in self.blocks])

    @property
    def tags(self) -> frozenset[str]:
        common = frozenset.intersection(*(b.tags for b in self.blocks))
        return common & {"selfadjoint", "psd", "diagonal", "unitary"}

    @property
    def nnz(self) -> int:
        return sum(b.nnz for b in self.blocks)

    def _norm(self) -> jax.Array:
        return jnp.max(jnp.stack([b._norm() for b in self.blocks]))

    def _as_matrix(self) -> jax.Array:
        return jax.scipy.linalg.block_diag(*(b._as_matrix() for b in self.blocks))

    def _coordinates(self) -> Any:
        return shifted(self.blocks, rows=True, columns=True)

    def _detail(self) -> str:
        return f"{len(self.blocks)} blocks"


class Kronecker(LinearOperator):
    """A (x) B on arrays of shape (A.in_shape, B.in_shape): vec(A X B^T) in C order."""

    left: LinearOperator
    right: LinearOperator
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return _along(x, self.left._matvec, self.right._matvec, self.left.in_shape, self.right.in_shape, self.out_shape)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        left, right = self.left, self.right
        return _along(y, left._rmatvec, right._rmatvec, left.out_shape, right.out_shape, self.in_shape)

    def conj(self) -> LinearOperator:
        return kronecker(self.left.conj(), self.right.conj())

    @property
    def tags(self) -> frozenset[str]:
        return self.left.tags & self.right.tags & {"selfadjoint", "psd", "diagonal", "unitary"}

    @property
    def nnz(self) -> int:
        return self.left.nnz * self.right.nnz

    def _norm(self) -> jax.Array:
        return self.left._norm() * self.right._norm()

    def _as_matrix(self) -> jax.Array:
        return jnp.kron(self.left._as_matrix(), self.right._as_matrix())

    def _coordinates(self) -> Any:
        left, right = self.left._coordinates(), self.right._coordinates()
        if left is None or right is None:
            return None
        m, n = self.right.shape
        rows, columns = (
            (a[:, None] * size + b[None, :]).ravel() for a, b, size in zip(left[:2], right[:2], (m, n), strict=True)
        )
        return rows, columns, np.outer(left[2], right[2]).ravel()

    def _detail(self) -> str:
        return f"{self.left!r} (x) {self.right!r}"


def vstack(ops: Sequence[LinearOperator]) -> LinearOperator:
    """Stack operators with one input vertically.

    The output has a new first axis where the blocks' ``out_shape`` agree, and is flat otherwise.

    >>> import convops as co
    >>> co.vstack([co.identity(3), co.convolution([1.0, 1.0], 3)]).out_shape
    (2, 3)
    """
    ops = checked(ops, "in_shape")
    return VerticalStack(blocks=ops, in_shape=ops[0].in_shape, out_shape=_stacked([b.out_shape for b in ops]))


def hstack(ops: Sequence[LinearOperator]) -> LinearOperator:
    """Stack operators with one output horizontally: the sum of each applied to its own input.

    The input has a new first axis where the blocks' ``in_shape`` agree, and is flat otherwise.

    >>> import convops as co
    >>> co.hstack([co.identity(3), co.convolution([1.0, 1.0], 3)]).shape
    (3, 6)
    """
    return vstack([b.H for b in checked(ops, "out_shape")]).H


def block_diagonal(ops: Sequence[LinearOperator]) -> LinearOperator:
    """Put operators on the diagonal of a block matrix, shapes as in `vstack` and `hstack`.

    >>> import convops as co
    >>> co.block_diagonal([co.identity(2), co.convolution([1.0, 1.0], 3, mode="full")]).shape
    (6, 5)
    """
    ops = checked(ops, None)
    return BlockDiagonal(
        blocks=ops,
        in_shape=_stacked([b.in_shape for b in ops]),
        out_shape=_stacked([b.out_shape for b in ops]),
    )


def kronecker(left: LinearOperator, right: LinearOperator) -> LinearOperator:
    """Return the Kronecker product, acting on arrays of shape ``(*left.in_shape, *right.in_shape)``.

    >>> import convops as co
    >>> co.kronecker(co.identity(2), co.convolution([1.0, 1.0], 3)).in_shape
    (2, 3)
    """
    for name, op in (("left", left), ("right", right)):
        if not isinstance(op, LinearOperator):
            raise ValueError(f"`{name}` is a {type(op).__name__}; give an operator")
    return Kronecker(
        left=left,
        right=right,
        in_shape=left.in_shape + right.in_shape,
        out_shape=left.out_shape + right.out_shape,
    )


def checked(ops: Any, equal: str | None) -> tuple[LinearOperator, ...]:
    """Return the operators as a tuple; refuse anything else, and those that differ in the attribute `equal`."""
    if not isinstance(ops, Iterable):
        raise ValueError(f"`ops` is a {type(ops).__name__}; it must be a non-empty sequence of operators")
    ops = tuple(ops)
    if not ops or not all(isinstance(op, LinearOperator) for op in ops):
        others = sorted({type(op).__name__ for op in ops if not isinstance(op, LinearOperator)})
        raise ValueError("`ops` must be a non-empty sequence of operators; got " + (", ".join(others) or "none"))
    if equal:
        for a, b in pairwise(ops):
            if getattr(a, equal) != getattr(b, equal):
                raise ValueError(f"`ops` must agree in {equal}; got {getattr(a, equal)} and {getattr(b, equal)}")
    return ops


def _stacked(shapes: list[Shape]) -> Shape:
    if len(set(shapes)) == 1:
        return (len(shapes), *shapes[0])
    return (sum(map(math.prod, shapes)),)


def _join(parts: list[jax.Array], shape: Shape) -> jax.Array:
    if len({part.shape for part in parts}) == 1:
        return jnp.stack(parts)
    return jnp.concatenate([part.reshape(-1) for part in parts]).reshape(shape)


def _split(x: jax.Array, shapes: list[Shape]) -> list[jax.Array]:
    ends = np.cumsum([math.prod(s) for s in shapes])[:-1]
    return [part.reshape(s) for part, s in zip(jnp.split(x.reshape(-1), ends), shapes, strict=True)]


def _along(x: jax.Array, left: Any, right: Any, head: Shape, tail: Shape, out: Shape) -> jax.Array:
    columns = jax.vmap(right)(x.reshape(-1, *tail)).reshape(math.prod(head), -1)
    return jax.vmap(lambda column: left(column.reshape(head)).reshape(-1), 1, 1)(columns).reshape(out)


def shifted(blocks: Sequence[LinearOperator], rows: bool, columns: bool) -> Any:
    """Coordinates of blocks one below the other, one beside the other, or both."""
    found = [f for b in blocks if (f := b._coordinates()) is not None]
    if len(found) < len(blocks):
        return None
    tops = np.cumsum([0, *(b.shape[0] for b in blocks)]) * rows
    lefts = np.cumsum([0, *(b.shape[1] for b in blocks)]) * columns
    parts = [(r + top, c + left, v) for (r, c, v), top, left in zip(found, tops, lefts, strict=False)]
    return tuple(np.concatenate(p) for p in zip(*parts, strict=True))
