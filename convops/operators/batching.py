"""A batch of one operator: the block diagonal with one example a block."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .adapters import Matrix, SparseMatrix
from .algebra import Scaled
from .base import LinearOperator, Shape
from .blocks import BlockDiagonal, block_diagonal, checked, shifted
from .diagonalized import Spectral
from .elementary import Diagonal, Mask
from .kernel_operator import KernelOperator
from .pytree import nested, static
from .structured import Toeplitz
from .windowed import Convolution


class Batched(LinearOperator):
    """One operator with a batch of leaves: block diagonal, one example a block."""

    op: LinearOperator
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return jax.vmap(lambda op, part: op._matvec(part))(self.op, x)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return jax.vmap(lambda op, part: op._rmatvec(part))(self.op, y)

    def conj(self) -> LinearOperator:
        return batched(jax.vmap(lambda op: op.conj())(self.op))

    def _norm(self) -> jax.Array:
        return jnp.max(jax.vmap(lambda op: op._norm())(self.op))

    def _examples(self) -> list[LinearOperator]:
        return [jax.tree.map(lambda leaf, i=i: leaf[i], self.op) for i in range(self.in_shape[0])]

    @property
    def tags(self) -> frozenset[str]:
        return BlockDiagonal.tags.fget(block_diagonal(self._examples()))  # type: ignore[attr-defined]

    @property
    def nnz(self) -> int:
        return sum(op.nnz for op in self._examples())

    def _as_matrix(self) -> jax.Array:
        blocks = jax.vmap(lambda op: op._as_matrix())(self.op)
        return jax.scipy.linalg.block_diag(*blocks)

    def _coordinates(self) -> Any:
        return shifted(self._examples(), rows=True, columns=True)

    def _detail(self) -> str:
        return f"{self.in_shape[0]} of {self.op!r}"


def batched(ops: LinearOperator | Sequence[LinearOperator]) -> LinearOperator:
    """Return the block diagonal of a batch of operators of one structure, one example a block.

    Parameters
    ----------
    ops : LinearOperator or sequence of them
        What `jax.vmap` of a factory returns (every leaf with a leading batch axis), or operators that differ in
        their arrays alone.

    Returns
    -------
    LinearOperator
        From ``(batch, *in_shape)`` to ``(batch, *out_shape)``.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, convops as co
    >>> kernels = jnp.asarray([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    >>> A = co.batched(jax.vmap(lambda k: co.convolution(k, 4))(kernels))
    >>> A.in_shape, A.shape
    ((3, 4), (12, 12))
    """
    op: Any = ops
    if not isinstance(ops, LinearOperator):
        blocks = checked(ops, None)
        if len({jax.tree.structure(b) for b in blocks}) > 1:
            raise ValueError(
                "`ops` differ in structure; batched() takes operators of one structure: use block_diagonal()"
            )
        op = jax.tree.map(lambda *leaves: jnp.stack(leaves), *blocks)
    leading = {leaf.shape[:1] for leaf in jax.tree.leaves(op)}
    if not leading:
        raise ValueError(f"`ops` hold no arrays that could differ: {op!r}; use block_diagonal()")
    if len(leading) != 1 or () in leading:
        raise ValueError(f"`ops` has leaves with leading axes {leading}; build it with jax.vmap over a factory")
    if not _in_front(op, 1):
        raise ValueError(f"`ops` is one operator, {op!r}; build a batch with jax.vmap over a factory, or give several")
    ((size,),) = leading
    return Batched(op=op, in_shape=(size, *op.in_shape), out_shape=(size, *op.out_shape))


def _in_front(op: Any, axes: int) -> bool:
    """Whether the arrays of an operator and of all that it is made of have so many batch axes."""
    match op:
        case Convolution():
            found = len(op._batch)
        case Diagonal():
            found = op.values.ndim - len(op.in_shape)
        case Mask():
            found = op.keep.ndim - len(op.in_shape)
        case Spectral():
            found = op.spectrum.ndim - len(op.in_shape)
        case KernelOperator():
            found = op.signal.ndim - len(op.out_shape)
        case Matrix():
            found = op.matrix.ndim - 2
        case SparseMatrix() | Toeplitz():
            found = op.values.ndim - 1
        case Scaled():
            found = op.factor.ndim
        case _:
            found = axes
    inner = axes + isinstance(op, Batched)
    return found == axes and all(_in_front(part, inner) for part in nested(op, LinearOperator))
