"""Krylov methods: conjugate gradients for normal equations (CG) and for least squares (CGLS)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.sums import inner, length
from .least_squares import LeastSquares, minimised
from .progress import Callbacks
from .solution import CONVERGED, INDEFINITE, NONFINITE, RUNNING, Solution
from .units import proportional


class CglsState(NamedTuple):
    x: jax.Array
    r: jax.Array
    p: jax.Array
    gamma: jax.Array  # <s, P s> with s = A^H r - damp^2 x
    gradient: jax.Array  # norm(s)
    failed: jax.Array


@dataclass(frozen=True)
class Cgls:
    """CGLS (Hestenes and Stiefel 1952; Bjorck 1996, section 7.4), with damping."""

    def init(self, problem: LeastSquares) -> CglsState:
        r = problem.b - problem.A._matvec(problem.x0)
        s = problem.A._rmatvec(r) - problem.damp**2 * problem.x0
        p = problem.precondition(s)
        gamma = inner(s, p)
        return CglsState(problem.x0, r, p, gamma, length(s), ~jnp.isfinite(gamma))

    def step(self, problem: LeastSquares, state: CglsState) -> CglsState:
        A, damp = problem.A, problem.damp
        q = A._matvec(state.p)
        delta = inner(q, q) + damp**2 * inner(state.p, state.p)
        fine = (delta > 0) & jnp.isfinite(delta)
        alpha = jnp.where(fine, state.gamma / jnp.where(fine, delta, 1), 0)
        x = state.x + alpha * state.p
        r = state.r - alpha * jnp.where(fine, q, 0)
        s = A._rmatvec(r) - damp**2 * x
        z = problem.precondition(s)
        gamma = inner(s, z)
        fine = fine & jnp.isfinite(gamma)
        p = z + gamma / jnp.where(state.gamma > 0, state.gamma, 1) * state.p
        return CglsState(x, r, p, gamma, length(s), ~fine)

    def done(self, problem: LeastSquares, state: CglsState) -> jax.Array:
        small = (length(state.r) <= problem.residual) | (state.gradient <= problem.gradient)
        return jnp.where(state.failed, NONFINITE, jnp.where(small, CONVERGED, RUNNING))

    def report(self, problem: LeastSquares, state: CglsState) -> dict[str, jax.Array]:
        return problem.told(state.x, length(state.r), state.gradient)


@proportional()
def cgls(
    A: LinearOperator,
    b: Any,
    *,
    damp: Any = 0.0,
    x0: Any = None,
    preconditioner: LinearOperator | None = None,
    truth: Any = None,
    rtol: Any = None,
    atol: Any = 0.0,
    max_steps: int = 1000,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise norm(A x - b)^2 + damp^2 norm(x)^2 by conjugate gradients for least squares.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    damp : float
        Damping, as in `scipy.sparse.linalg.lsqr`.
    x0 : array, optional
        First iterate; zeros by default.
    preconditioner : LinearOperator, optional
        Selfadjoint and positive, near (A^H A + damp^2)^-1.
    truth : array, optional
        What x should be: ``history["error"]`` is then norm(x - truth) / norm(truth), which tells the step at which the
        iterates begin to fit the noise.
    rtol, atol : float
        Stop when norm(r) <= max(rtol norm(b), atol) with r = b - A x, or when norm(A^H r - damp^2 x) <=
        rtol norm(A^H b). `rtol` is 1e-5 in single and 1e-8 in double precision unless given.
    max_steps : int
        Without damping the iterates of a noisy blur first approach the scene and then its noise: the number of steps
        regularises (semi-convergence).
    loop : {"while", "scan", "chunked"}
        ``scan`` lets gradients go through the steps.
    callback : callable or list of callables, optional
        Called every few steps with a `Progress`; True stops.
    checkpoint : str, path or Checkpoint, optional
        File that the run is saved to, and goes on from if it exists.

    Returns
    -------
    Solution
        With ``history["residual_norm"]`` and ``history["gradient_norm"]``.

    References
    ----------
    Bjorck, Numerical Methods for Least Squares Problems (SIAM 1996), section 7.4.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 4, boundary="symmetric")
    >>> sol = co.cgls(A, [1.25, 2.0, 3.0, 3.75], rtol=1e-4)
    >>> print(sol.x.round(2), bool(sol.converged))
    [1. 2. 3. 4.] True
    """
    return minimised(
        Cgls(),
        A,
        b,
        damp=damp,
        x0=x0,
        preconditioner=preconditioner,
        truth=truth,
        rtol=rtol,
        atol=atol,
        max_steps=max_steps,
        loop=loop,
        callback=callback,
        checkpoint=checkpoint,
    )


class SystemState(NamedTuple):
    x: jax.Array
    r: jax.Array
    p: jax.Array
    rho: jax.Array  # <r, P r>
    size: jax.Array  # norm(r)
    code: jax.Array


class System(NamedTuple):
    """N x = rhs with N selfadjoint and positive (semi)definite, from zero; `threshold` is absolute."""

    stops = ("threshold", "scale", "least")
    matvec: Any
    rhs: jax.Array
    threshold: jax.Array
    preconditioner: Any = None
    truth: jax.Array | None = None
    scale: Any = 1.0
    least: Any = 0.0  # norm(N r) by norm(N) norm(r) at which r counts as the least there is

    def precondition(self, r: jax.Array) -> jax.Array:
        """Apply what approximates the inverse of N."""
        return r if self.preconditioner is None else self.preconditioner(r)

    def told(self, x: jax.Array, residual: jax.Array) -> dict[str, jax.Array]:
        """The scalars of the history; `truth` is what the correction x should be, `scale` the length of the whole."""
        if self.truth is None:
            return {"residual_norm": residual}
        return {"residual_norm": residual, "error": length(x - self.truth) / self.scale}


@dataclass(frozen=True)
class ConjugateGradient:
    """CG (Hestenes and Stiefel 1952), preconditioned."""

    def init(self, problem: System) -> SystemState:
        p = problem.precondition(problem.rhs)
        rho, size = inner(problem.rhs, p), length(problem.rhs)
        code = jnp.where(jnp.isfinite(rho) & jnp.isfinite(size), RUNNING, NONFINITE)
        return SystemState(jnp.zeros_like(problem.rhs), problem.rhs, p, rho, size, code)

    def step(self, problem: System, state: SystemState) -> SystemState:
        q = problem.matvec(state.p)
        curvature = inner(state.p, q)
        fine = (curvature > 0) & jnp.isfinite(curvature)
        alpha = jnp.where(fine, state.rho / jnp.where(fine, curvature, 1), 0)
        r = state.r - alpha * jnp.where(fine, q, 0)
        z = problem.precondition(r)
        rho = inner(r, z)
        p = z + rho / jnp.where(state.rho > 0, state.rho, 1) * state.p
        code = jnp.where(fine & jnp.isfinite(rho), RUNNING, jnp.where(curvature < 0, INDEFINITE, NONFINITE))
        return SystemState(state.x + alpha * state.p, r, p, rho, length(r), code)

    def done(self, problem: System, state: SystemState) -> jax.Array:
        small = (state.size <= problem.threshold) & (state.code == RUNNING)
        return jnp.where(small, CONVERGED, state.code)

    def report(self, problem: System, state: SystemState) -> dict[str, jax.Array]:
        return problem.told(state.x, state.size)
