"""Hybrid Krylov methods: Tikhonov regularisation on a Krylov space, the weight chosen anew as the space grows.

With A Z_k = U_{k+1} M_k and A^H U_{k+1} = V_{k+1} T_{k+1} (`krylov_basis`) and x = x0 + Z_k y, the residual is
U_{k+1} (beta e1 - M y), which LSQR makes small, and A^H of it V_{k+1} T_{k+1} (beta e1 - M y), which LSMR does.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..operators.sums import length
from . import krylov_basis, projected
from .krylov_basis import Basis
from .least_squares import LeastSquares
from .projected import Projected
from .solution import CONVERGED, NONFINITE, RULED, RUNNING

RULES = ("wgcv", "gcv", "discrepancy")
FLAT, PATIENCE = 1e-6, 3  # stop when GCV changes by less of its first value, or has not fallen for as many steps
STEADY = 0.02  # stop at the discrepancy when the weight changes by less


class Hybrid(NamedTuple):
    """The problem, and what its weight is chosen by."""

    whole: LeastSquares  # without its damping and thresholds
    weight: jax.Array  # where it is given
    target: jax.Array  # the length that the discrepancy principle wants the residual to have
    count: jax.Array  # of the data
    rtol: jax.Array  # for a given weight

    stops = ("rtol",)


class HybridState(NamedTuple):
    basis: Basis
    y: jax.Array
    weight: jax.Array
    omega: jax.Array  # mean of those of all steps
    residual: jax.Array
    gradient: jax.Array
    gcv: jax.Array
    first_gcv: jax.Array
    least_gcv: jax.Array
    since: jax.Array  # steps since the least
    stop: jax.Array  # the step at which the rule would have stopped, 0 before
    code: jax.Array


@dataclass(frozen=True)
class HybridKrylov:
    """Hybrid LSQR (O'Leary and Simmons 1981; Chung, Nagy and O'Leary 2008) or LSMR (Chung and Palmer 2015)."""

    rule: str  # one of RULES, or "given"
    steps: int
    normal: bool = False  # project the normal equations: LSMR
    no_stop: bool = False
    full: bool = False  # orthogonalise against all vectors
    flexible: bool = False

    def init(self, problem: Hybrid) -> HybridState:
        all_of_them = self.full or self.flexible
        basis = krylov_basis.begin(problem.whole, self.steps, all_of_them, self.flexible)
        zero = jnp.zeros_like(basis.beta)
        count = jnp.zeros((), int)
        code = jnp.where(jnp.isfinite(basis.beta), jnp.where(basis.beta > 0, RUNNING, CONVERGED), NONFINITE)
        y = jnp.zeros(self.steps, basis.M.dtype)
        gradient = basis.beta * jnp.abs(basis.T[0, 0])
        infinite = jnp.full_like(zero, jnp.inf)
        return HybridState(
            basis, y, problem.weight, zero, basis.beta, gradient, infinite, infinite, infinite, count, count, code
        )

    def step(self, problem: Hybrid, state: HybridState) -> HybridState:
        basis = krylov_basis.extend(problem.whole, state.basis, state.y)
        small = self._small(basis)
        omega = state.omega + (projected.omega_for(small) - state.omega) / basis.k
        weight = self._weight(problem, basis, small, omega)
        y = small.solved(weight)
        r = _residual(basis, y)
        spare = jnp.maximum(problem.count - small.passed(weight), 0)
        gcv = jnp.where(spare > 0, small.residual(weight) / jnp.where(spare > 0, spare, 1) ** 2, jnp.inf)
        gradient = self._gradient(basis, r, y, weight)
        lower = gcv < state.least_gcv
        since = jnp.where(lower, 0, state.since + 1)
        first = jnp.where(basis.k == 1, gcv, state.first_gcv)
        flat = jnp.abs(gcv - state.gcv) < FLAT * first
        fired = {
            "given": lambda: self._solved(problem, state, gradient, y),
            "discrepancy": lambda: self._steady(problem, state, length(r), weight),
        }.get(self.rule, lambda: flat | (since >= PATIENCE))()
        stop = jnp.where((state.stop == 0) & fired, basis.k, state.stop)
        fine = jnp.isfinite(gradient) & jnp.all(jnp.isfinite(y))
        code = jnp.where(fine, self._code(basis, fired), NONFINITE)
        return HybridState(
            basis,
            jnp.where(fine, y, state.y),
            jnp.where(fine, weight, state.weight),
            omega,
            length(r),
            gradient,
            gcv,
            first,
            jnp.minimum(gcv, state.least_gcv),
            since,
            stop,
            code,
        )

    def done(self, problem: Hybrid, state: HybridState) -> jax.Array:
        return state.code

    def report(self, problem: Hybrid, state: HybridState) -> dict[str, jax.Array]:
        known = problem.whole.truth is not None  # the iterate costs a pass over the basis
        x = problem.whole.x0 + krylov_basis.combined(state.basis, state.y) if known else problem.whole.x0
        told = {"weight": state.weight, "gcv": state.gcv, "omega": state.omega}
        return problem.whole.told(x, state.residual, state.gradient, **told)

    def _small(self, basis: Basis) -> Projected:
        """The projected problem, decomposed."""
        if not self.normal:
            return projected.decomposed(basis.M, basis.beta, basis.k)
        M = jnp.matmul(basis.T, basis.M, precision="highest")
        return projected.decomposed(M, basis.beta * jnp.abs(basis.T[0, 0]), basis.k)

    def _weight(self, problem: Hybrid, basis: Basis, small: Projected, omega: jax.Array) -> jax.Array:
        if self.rule == "given":
            return problem.weight
        if self.rule == "discrepancy":
            return projected.discrepancy(small, lambda a: length(_residual(basis, small.solved(a))), problem.target)
        return projected.weighted_gcv(small, omega if self.rule == "wgcv" else jnp.ones_like(omega))

    def _gradient(self, basis: Basis, r: jax.Array, y: jax.Array, weight: jax.Array) -> jax.Array:
        """The length of A^H (b - A x) - weight x; for LSMR, of A^H (b - A x)."""
        s = jnp.matmul(basis.T, r, precision="highest")
        return length(s if self.normal else s.at[: self.steps].add(-weight * y))

    def _solved(self, problem: Hybrid, state: HybridState, gradient: jax.Array, y: jax.Array) -> jax.Array:
        """Whether x is what the given weight makes it."""
        if self.normal:
            return length(y - state.y) <= problem.rtol * length(y)
        return gradient <= problem.rtol * state.basis.beta * jnp.abs(state.basis.T[0, 0])

    def _steady(self, problem: Hybrid, state: HybridState, residual: jax.Array, weight: jax.Array) -> jax.Array:
        """Whether the residual is as short as it should be, at a weight that hardly changes any more."""
        return (residual <= 1.01 * problem.target) & (jnp.abs(weight - state.weight) <= STEADY * weight)

    def _code(self, basis: Basis, fired: jax.Array) -> jax.Array:
        """Stop where the rule says so, and where the space cannot grow any more."""
        least = 10 * jnp.finfo(basis.beta.dtype).eps * jnp.max(jnp.abs(basis.M))
        ended = (jnp.abs(basis.M[basis.k, basis.k - 1]) <= least) | (jnp.abs(basis.T[basis.k, basis.k]) <= least)
        ended = jnp.where(ended, CONVERGED, RUNNING)
        return ended if self.no_stop else jnp.where(fired, RULED, ended)


def _residual(basis: Basis, y: jax.Array) -> jax.Array:
    """What b - A (x0 + Z y) is in the basis U: beta e1 - M y."""
    return (-jnp.matmul(basis.M, y, precision="highest")).at[0].add(basis.beta)
