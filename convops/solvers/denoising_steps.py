"""The steps of plug-and-play restoration: one towards the data, one through a denoiser, the denoiser ever weaker.

The strength falls geometrically from `first` to `last`. The data step with rho = weight noise^2 / sigma^2 minimises
norm(A u - b)^2 + rho norm(u - x)^2. At the frequency where A has the eigenvalue h, u holds noise of the variance
noise^2 h^2 / (h^2 + rho)^2, which over all h is at most noise^2 / (4 rho): with a weight of 1/4 that is sigma^2, what
the denoiser is told. With less it lets noise pass, which the next steps amplify.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.elementary import identity
from ..operators.sums import length
from .noise import noise_level
from .normal import by_cg, equations, normal
from .solution import NONFINITE, RUNNING, SCHEDULED

METHODS = ("hqs", "admm", "fista", "red")
ROUGHER = 2.0  # times the noise level of the first iterate: more than that is amplified noise
STRICTER = 2.0  # times the weight of the run before
RESTARTS = 4


class Restoration(NamedTuple):
    """b = A x + noise, and a denoiser for x. The noise is in the units of x: that of b over the norm of A."""

    A: LinearOperator
    b: jax.Array
    rhs: jax.Array  # A^H b
    start: jax.Array
    norm: jax.Array
    noise: jax.Array
    weight: jax.Array
    first: jax.Array
    last: jax.Array
    rough: jax.Array  # noise level of x from where on a run begins anew; infinite: never
    rtol: jax.Array  # of the conjugate gradients
    denoiser: Any
    closed: Any  # eigenvalues of A^H A and coefficients of A^H b, or None
    basis: Any


class RestorationState(NamedTuple):
    x: jax.Array
    other: jax.Array  # where the next data step begins: extrapolated, or the dual variable
    u: jax.Array
    momentum: jax.Array
    count: jax.Array  # steps since the run began anew
    weight: jax.Array
    residual_norm: jax.Array
    change: jax.Array
    failed: jax.Array


@dataclass(frozen=True)
class PlugAndPlay:
    """Half-quadratic splitting, ADMM, FISTA or gradient steps, for a schedule of `steps` strengths."""

    kind: str
    steps: int
    cg_steps: int

    def sigma(self, problem: Restoration, count: jax.Array) -> jax.Array:
        """The strength of a step: the noise that the denoiser is told, in the units of x."""
        part = jnp.minimum(count, self.steps - 1) / max(self.steps - 1, 1)
        return problem.first * (problem.last / problem.first) ** part.astype(problem.first.dtype)

    def init(self, problem: Restoration) -> RestorationState:
        one, zero = jnp.ones_like(problem.weight), jnp.zeros_like(problem.weight)
        other = jnp.zeros_like(problem.start) if self.kind == "admm" else problem.start
        residual = length(problem.A._matvec(problem.start) - problem.b)
        fine = jnp.isfinite(residual)
        return RestorationState(
            problem.start, other, problem.start, one, jnp.zeros((), int), problem.weight, residual, zero, ~fine
        )

    def step(self, problem: Restoration, state: RestorationState) -> RestorationState:
        sigma = self.sigma(problem, state.count)
        rho = problem.norm**2 * state.weight * (problem.noise / sigma) ** 2
        new = getattr(self, f"_{self.kind}")(problem, state, sigma, rho)
        residual = length(problem.A._matvec(new.x) - problem.b)
        fine = jnp.isfinite(residual)
        new = new._replace(count=state.count + 1, residual_norm=residual, change=length(new.x - state.x), failed=~fine)
        # a step that is not finite is not taken; one that amplified noise begins the run anew, with more weight
        new = _chosen(fine, new, state._replace(failed=~fine))
        anew = self.init(problem)._replace(weight=STRICTER * state.weight)
        spare = state.weight < 0.75 * STRICTER**RESTARTS * problem.weight
        return _chosen(spare & self._rough(problem, new.x), anew, new)

    def _rough(self, problem: Restoration, x: jax.Array) -> jax.Array:
        axes = tuple(a for a, n in enumerate(x.shape) if n > 1)
        if not axes:
            return jnp.zeros((), bool)
        return noise_level(jax.lax.stop_gradient(x), axes) > problem.rough

    def _hqs(self, problem: Restoration, state: RestorationState, sigma, rho) -> RestorationState:
        u = self._fitted(problem, state.x, state.u, rho)
        return state._replace(u=u, x=problem.denoiser(u, sigma))

    def _admm(self, problem: Restoration, state: RestorationState, sigma, rho) -> RestorationState:
        dual = state.other  # scaled by 1 / rho
        u = self._fitted(problem, state.x - dual, state.u, rho)
        x = problem.denoiser(u + dual, sigma)
        ahead = self.sigma(problem, state.count + 1)
        return state._replace(u=u, x=x, other=(dual + u - x) * (ahead / sigma) ** 2)

    def _fista(self, problem: Restoration, state: RestorationState, sigma, rho) -> RestorationState:
        del rho
        z = state.other
        x = problem.denoiser(z - self._slope(problem, z) / problem.norm**2, sigma)
        momentum = (1 + jnp.sqrt(1 + 4 * state.momentum**2)) / 2
        return state._replace(x=x, other=x + (state.momentum - 1) / momentum * (x - state.x), momentum=momentum)

    def _red(self, problem: Restoration, state: RestorationState, sigma, rho) -> RestorationState:
        z = state.other
        slope = self._slope(problem, z) + rho * (z - problem.denoiser(z, sigma))
        x = z - slope / (problem.norm**2 + rho)
        momentum = (1 + jnp.sqrt(1 + 4 * state.momentum**2)) / 2
        return state._replace(x=x, other=x + (state.momentum - 1) / momentum * (x - state.x), momentum=momentum)

    def _slope(self, problem: Restoration, x: jax.Array) -> jax.Array:
        return problem.A._rmatvec(problem.A._matvec(x) - problem.b)

    def _fitted(self, problem: Restoration, x: jax.Array, first: jax.Array, rho: jax.Array) -> jax.Array:
        """The data step: in closed form, or by a few conjugate gradients from the one before."""
        if problem.closed is not None:
            square, rhs = problem.closed
            return problem.basis.backward((rhs + rho * problem.basis.forward(x)) / (square + rho))
        unit = identity(problem.A.in_shape)
        rhs = problem.rhs + rho * x - normal(problem.A, unit, rho, first)
        threshold = problem.rtol * length(problem.rhs)
        system = equations(problem.A, unit, rhs, rho, jnp.zeros_like(threshold), threshold)
        return first + by_cg(system, jnp.zeros_like(threshold), threshold, self.cg_steps)[0]

    def done(self, problem: Restoration, state: RestorationState) -> jax.Array:
        del problem
        through = state.count >= self.steps
        return jnp.where(state.failed, NONFINITE, jnp.where(through, SCHEDULED, RUNNING))

    def report(self, problem: Restoration, state: RestorationState) -> dict[str, jax.Array]:
        return {
            "residual_norm": state.residual_norm,
            "change": state.change,
            "sigma": self.sigma(problem, jnp.maximum(state.count - 1, 0)),
            "weight": state.weight,
        }


def _chosen(condition: jax.Array, yes: RestorationState, no: RestorationState) -> RestorationState:
    return RestorationState(*(jnp.where(condition, a, b) for a, b in zip(yes, no, strict=True)))
