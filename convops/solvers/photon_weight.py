"""The weight of a penalty on photon counts, lowered where it keeps the data from being fitted."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.sums import square
from .seen import seen
from .solution import Solution
from .total_variation import row_energy

MUCH = 1.5  # the residual may hold so many times what the counts leave,
NEAR = 1.1  # within this factor
POWER = 0.7  # the excess goes with about this root of the weight
MOST = 10.0  # a weight is divided by at most this at a time
TRIES = 4
FALL = 0.5  # an excess that falls by less than this power of the weight is none of the weight

Solver = Callable[[jax.Array, jax.Array | None], Solution]


def fitting_weight(solve: Solver, A: LinearOperator, b: jax.Array, weight: jax.Array) -> tuple[Solution, jax.Array]:
    """Solve with the weight, and with lower ones as long as photons do not explain what is left of the data.

    A penalty is too strong where the residual holds more of what the blur lets through than the noise would:
    norm(A^H (b - A x))^2 has the mean sum(m_i norm(row i of A)^2) for counts of mean m. Frequencies that the blur
    removes, where any scene leaves the noise as it is, do not count, so that this tells thin things flattened by the
    penalty well before the deviance does. Where a lower weight does not help, it is the model that does not fit, and
    the weight stays. It stays, too, where a run is stopped early.

    Parameters
    ----------
    solve : callable
        ``solve(weight, x0)`` returns a `Solution` for the counts; x0 is None at first, then the last x.
    A : LinearOperator
    b : Array
        Counts of ``A.out_shape``.
    weight : Array

    Returns
    -------
    Solution, Array
        The solution and its weight.
    """
    sol = solve(weight, None)
    left, kept = excess(A, b, sol.x), (sol, weight)
    for _ in range(TRIES):
        if not (sol.converged and NEAR * MUCH < float(left) < float("inf")):
            return sol, weight
        share = jnp.maximum((left / MUCH) ** -POWER, 1 / MOST)
        weight = weight * share
        sol, before = solve(weight, sol.x), left
        left = excess(A, b, sol.x)
        if not float(left) < float(before * share**FALL):
            return kept
    return (sol, weight) if float(left) <= NEAR * MUCH else kept


@jax.jit
def excess(A: LinearOperator, b: jax.Array, x: Any) -> jax.Array:
    """norm(A^H (b - A x))^2 over its mean for counts of mean A x."""
    keep = seen(A)
    mean = jnp.maximum(A._matvec(x), 0)
    gap, mean = (part if keep is None else jnp.where(keep, part, 0) for part in (b - mean, mean))
    count = b.size if keep is None else jnp.sum(jnp.broadcast_to(keep, b.shape))
    expected = jnp.sum(mean) * row_energy(A, count, b.dtype)
    return square(A._rmatvec(gap)) / jnp.where(expected > 0, expected, jnp.inf)
