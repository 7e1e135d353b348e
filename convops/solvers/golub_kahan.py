"""Golub-Kahan bidiagonalisation, A V_k = U_{k+1} B_k with U and V orthonormal: what LSQR and LSMR rest on.

A preconditioner P, selfadjoint and positive, is the inner product of the right vectors (Arioli, Orban, SIAM J. Matrix
Anal. Appl. 34 (2013) 571): v = P A^H u, alpha^2 = <A^H u, v>. Damping then acts through the rows damp I below A, as it
does for a first iterate other than zero.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.arrays import ratio
from ..operators.sums import inner, length
from .least_squares import LeastSquares
from .solution import CONVERGED, NONFINITE, RUNNING


class GolubKahan(NamedTuple):
    """The last vectors of A V_k = U_{k+1} B_k, and the last entries of the bidiagonal B_k."""

    u: jax.Array
    lower: jax.Array | None  # the part of u that belongs to the rows damp I
    v: jax.Array
    raw: jax.Array | None  # v before the preconditioner
    alpha: jax.Array
    beta: jax.Array


def begin(problem: LeastSquares, stacked: bool) -> GolubKahan:
    """Start with beta u = b - A x0, alpha v = A^H u."""
    u = problem.b - problem.A._matvec(problem.x0)
    lower = -problem.damp * problem.x0 if stacked else None
    return _next(problem, u, lower, lambda raw, beta: raw)


def extend(problem: LeastSquares, last: GolubKahan) -> GolubKahan:
    """Go on with beta u' = A v - alpha u, alpha' v' = A^H u' - beta v."""
    u = problem.A._matvec(last.v) - last.alpha * last.u
    lower = None if last.lower is None else problem.damp * last.v - last.alpha * last.lower
    before = last.v if last.raw is None else last.raw
    return _next(problem, u, lower, lambda raw, beta: raw - beta * before)


def _next(problem: LeastSquares, u: jax.Array, lower: jax.Array | None, less: Callable) -> GolubKahan:
    beta = length(u) if lower is None else jnp.hypot(length(u), length(lower))
    u = ratio(u, beta)
    raw = problem.A._rmatvec(u)
    if lower is not None:
        lower = ratio(lower, beta)
        raw = raw + problem.damp * lower
    raw = less(raw, beta)
    if problem.preconditioner is None:
        alpha = length(raw)
        return GolubKahan(u, lower, ratio(raw, alpha), None, alpha, beta)
    v = problem.precondition(raw)
    alpha = jnp.sqrt(jnp.maximum(inner(raw, v), 0))
    return GolubKahan(u, lower, ratio(v, alpha), ratio(raw, alpha), alpha, beta)


def euclidean(basis: GolubKahan) -> jax.Array:
    """Length of A^H u in the Euclidean norm by its length in the preconditioner's: 1 without one."""
    return jnp.ones_like(basis.alpha) if basis.raw is None else length(basis.raw)


def done(problem: LeastSquares, state: Any) -> jax.Array:
    """The status of a state with ``residual``, ``gradient`` and ``failed``."""
    small = (state.residual <= problem.residual) | (state.gradient <= problem.gradient)
    return jnp.where(state.failed, NONFINITE, jnp.where(small, CONVERGED, RUNNING))
