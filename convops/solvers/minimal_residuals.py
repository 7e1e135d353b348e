"""MINRES: the iterates of the least residuals for a selfadjoint operator, by Lanczos vectors."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..operators.arrays import ratio
from ..operators.sums import inner, length
from .krylov import System
from .solution import CONVERGED, LEAST, NONFINITE, RUNNING

SINGULAR = 10  # a pivot is zero that is smaller than so many roundings of the norm


class MinresState(NamedTuple):
    x: jax.Array
    v: jax.Array  # of the Lanczos vectors, before and after the preconditioner
    raw: jax.Array
    before: jax.Array
    w: tuple[jax.Array, jax.Array]
    beta: tuple[jax.Array, jax.Array]
    c: jax.Array
    s: jax.Array
    delta: jax.Array
    epsilon: jax.Array
    phi: jax.Array
    r: jax.Array
    size: jax.Array
    norm: jax.Array  # a lower bound of norm(A)
    kept: jax.Array  # the x with the least norm(A r) / norm(r), which `slope` is: rounding may lead away from it
    slope: jax.Array
    failed: jax.Array  # a status


@dataclass(frozen=True)
class Minres:
    """MINRES (Paige and Saunders, SIAM J. Numer. Anal. 12 (1975) 617)."""

    def init(self, problem: System) -> MinresState:
        raw = problem.rhs
        v = problem.precondition(raw)
        beta = jnp.sqrt(jnp.maximum(inner(raw, v), 0))
        one, zero = jnp.ones_like(beta), jnp.zeros_like(beta)
        empty = jnp.zeros_like(raw)
        return MinresState(
            x=empty,
            v=v,
            raw=raw,
            before=empty,
            w=(empty, empty),
            beta=(one, beta),
            c=-one,
            s=zero,
            delta=zero,
            epsilon=zero,
            phi=beta,
            r=raw,
            size=length(raw),
            norm=zero,
            kept=empty,
            slope=jnp.full_like(beta, jnp.inf),
            failed=jnp.where(jnp.isfinite(beta), RUNNING, NONFINITE),
        )

    def step(self, problem: System, state: MinresState) -> MinresState:
        older, beta = state.beta
        v = ratio(state.v, beta)
        y = problem.matvec(v) - ratio(beta, older) * state.before
        alpha = inner(v, y)
        raw = y - ratio(alpha, beta) * state.raw
        z = problem.precondition(raw)
        following = jnp.sqrt(jnp.maximum(inner(raw, z), 0))
        delta, gamma_bar = state.c * state.delta + state.s * alpha, state.s * state.delta - state.c * alpha
        gamma = jnp.hypot(gamma_bar, following)
        c, s = ratio(gamma_bar, gamma), ratio(following, gamma)
        norm = jnp.maximum(state.norm, jnp.sqrt(alpha**2 + beta**2 + following**2))
        w = ratio(v - state.epsilon * state.w[0] - delta * state.w[1], gamma)
        ahead = -state.c * following
        slope = jnp.hypot(gamma_bar, ahead)  # norm(A r) / norm(r), of the r before the step
        kept, x = jnp.where(slope < state.slope, state.x, state.kept), state.x + c * state.phi * w
        sloping = (slope > problem.least * norm) | (state.phi == 0)
        fine = sloping & _trusted(gamma, norm) & _near(x, kept)
        x = jnp.where(fine, x, state.x)
        c, s = jnp.where(fine, c, 0), jnp.where(fine, s, 1)
        phi = s * state.phi
        r = jnp.where(fine, s**2 * state.r - phi * c * ratio(raw, following), state.r)
        return MinresState(
            x=x,
            v=z,
            raw=raw,
            before=state.raw,
            w=(state.w[1], w),
            beta=(beta, following),
            c=c,
            s=s,
            delta=ahead,
            epsilon=state.s * following,
            phi=phi,
            r=r,
            size=length(r),
            norm=norm,
            kept=kept,
            slope=jnp.minimum(slope, state.slope),
            failed=jnp.where(jnp.isfinite(gamma), jnp.where(fine, RUNNING, LEAST), NONFINITE),
        )

    def done(self, problem: System, state: MinresState) -> jax.Array:
        small = state.size <= problem.threshold
        return jnp.where((state.failed == RUNNING) & small, CONVERGED, state.failed)

    def report(self, problem: System, state: MinresState) -> dict[str, jax.Array]:
        return problem.told(state.x, state.size)


def _trusted(pivot: jax.Array, norm: jax.Array) -> jax.Array:
    """Whether a pivot is more than the rounding of zero."""
    return (pivot > SINGULAR * jnp.finfo(pivot.dtype).eps * norm) & jnp.isfinite(pivot)


def _near(x: jax.Array, kept: jax.Array) -> jax.Array:
    """Whether x is not so far beyond an earlier iterate that a pivot must have been rounding, and x runs away."""
    reach, far = length(kept), length(x)
    return (reach == 0) | (jnp.finfo(far.dtype).eps ** 0.5 * far <= reach)
