"""Gradient steps that look at a few of many observations of one scene.

With M operators A_i over one another, ``M/m sum_i A_i^H (A_i x - b_i)`` over m of them, drawn at random, is on average
the gradient of all (Robbins & Monro, Ann. Math. Stat. 22 (1951) 400). In a pass each one is drawn once, the first ones
of its order again where m does not divide M.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator, Shape
from ..operators.batching import Batched, batched
from ..operators.blocks import VerticalStack
from ..operators.pytree import static
from ..operators.sums import length
from ..operators.window import positive
from .perturbing import typed
from .solution import NONFINITE, RUNNING

PASSES = 10  # after which a step without an optimizer is half as long


class Observed(LinearOperator):
    """A multiple of operators over one another, kept on a leading axis."""

    blocks: LinearOperator
    in_shape: Shape = static()
    out_shape: Shape = static()
    factor: float = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return self.factor * jax.vmap(lambda op: op._matvec(x))(self.blocks)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return self.factor * jnp.sum(jax.vmap(lambda op, part: op._rmatvec(part))(self.blocks, y), 0)


class Observations(NamedTuple):
    """The whole problem, with its operators on a leading axis."""

    stops = ()
    whole: Any
    blocks: LinearOperator
    key: jax.Array


class BatchState(NamedTuple):
    count: jax.Array
    x: jax.Array
    value: jax.Array
    gradient_norm: jax.Array
    residual_norm: jax.Array
    inner: Any
    failed: jax.Array


@dataclass(frozen=True)
class MiniBatches:
    """The steps of a descent, each on another part of the problem; what is told is told of the part."""

    descent: Any
    size: int
    number: int

    def part(self, problem: Observations, count: jax.Array) -> Any:
        """The problem of one step."""
        whole, a_pass = problem.whole, -(-self.number // self.size)
        order = jax.random.permutation(jax.random.fold_in(problem.key, count // a_pass), self.number)
        chosen = order[(count % a_pass * self.size + jnp.arange(self.size)) % self.number]
        factor = math.sqrt(self.number / self.size)
        A = Observed(
            blocks=jax.tree.map(lambda leaf: leaf[chosen], problem.blocks),
            in_shape=whole.A.in_shape,
            out_shape=(self.size, *whole.A.out_shape[1:]),
            factor=factor,
        )
        return whole._replace(A=A, b=factor * whole.b[chosen], step=whole.step / (1 + count // a_pass / PASSES))

    def init(self, problem: Observations) -> BatchState:
        first = self.descent.init(self.part(problem, jnp.zeros((), int)))
        return BatchState(
            count=jnp.zeros((), int),
            x=first.x,
            value=first.value,
            gradient_norm=first.optimality,
            residual_norm=first.residual_norm,
            inner=first.inner,
            failed=first.failed,
        )

    def step(self, problem: Observations, state: BatchState) -> BatchState:
        part = self.part(problem, state.count)
        value, gradient, residual = self.descent.measured(part, state.x)
        x, inner = self.descent.moved(part, state.x, value, gradient, state.inner)
        fine = jnp.isfinite(value) & jnp.isfinite(length(x))
        return BatchState(
            count=state.count + 1,
            x=jnp.where(fine, x, state.x),
            value=value,
            gradient_norm=self.descent.optimality(part, state.x, gradient),
            residual_norm=residual,
            inner=inner,
            failed=~fine,
        )

    def done(self, problem: Observations, state: BatchState) -> jax.Array:
        del problem
        return jnp.where(state.failed, NONFINITE, RUNNING)

    def report(self, problem: Observations, state: BatchState) -> dict[str, jax.Array]:
        del problem
        return {
            "objective": state.value,
            "gradient_norm": state.gradient_norm,
            "residual_norm": state.residual_norm,
        }


def in_batches(method: Any, problem: Any, parts: LinearOperator, batch: int, key: Any) -> tuple[Any, Any]:
    """A descent and its problem, taken batch by batch."""
    assert isinstance(parts, Batched)
    key = typed(jax.random.key(0) if key is None else key)
    return MiniBatches(method, int(batch), len(problem.b)), Observations(problem, parts.op, key)


def observations(A: LinearOperator, batch: Any) -> LinearOperator:
    """The operators of a stack side by side, of which there are enough for a batch."""
    size = positive(batch, "batch")
    blocks = A.blocks if isinstance(A, VerticalStack) else (A,)
    alike = len({jax.tree.structure(block) for block in blocks}) == 1 and bool(jax.tree.leaves(A))
    if not alike or A.out_shape != (len(blocks), *blocks[0].out_shape):
        raise ValueError(
            f"`batch` is given and `A` is {A!r}: batches are of operators in a vstack that differ in their arrays alone"
        )
    if size > len(blocks):
        raise ValueError(f"`batch` is {size} and `A` has {len(blocks)} operators: give at most as many")
    return batched(list(blocks))
