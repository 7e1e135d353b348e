"""Krylov methods: conjugate gradients for normal equations (CG) and for least squares (CGLS)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from .checks import data_of, inner, length, reported, scalar, start_of, steps_of, tolerance
from .iterate import Progress, solve
from .solution import CONVERGED, INEXACT, NONFINITE, RUNNING, Solution


class LeastSquares(NamedTuple):
    """min norm(A x - b)^2 + damp^2 norm(x)^2, from x0, with absolute thresholds for the two stopping tests."""

    A: LinearOperator
    b: jax.Array
    x0: jax.Array
    damp: jax.Array
    residual: jax.Array
    gradient: jax.Array


class CglsState(NamedTuple):
    x: jax.Array
    r: jax.Array
    p: jax.Array
    gamma: jax.Array  # norm(s)^2 with s = A^H r - damp^2 x
    failed: jax.Array


@dataclass(frozen=True)
class Cgls:
    """CGLS (Hestenes and Stiefel 1952; Bjorck 1996, section 7.4), with damping."""

    def init(self, problem: LeastSquares) -> CglsState:
        r = problem.b - problem.A._matvec(problem.x0)
        s = problem.A._rmatvec(r) - problem.damp**2 * problem.x0
        gamma = inner(s, s)
        return CglsState(problem.x0, r, s, gamma, ~jnp.isfinite(gamma))

    def step(self, problem: LeastSquares, state: CglsState) -> CglsState:
        A, damp = problem.A, problem.damp
        q = A._matvec(state.p)
        delta = inner(q, q) + damp**2 * inner(state.p, state.p)
        fine = (delta > 0) & jnp.isfinite(delta)
        alpha = jnp.where(fine, state.gamma / jnp.where(fine, delta, 1), 0)
        x = state.x + alpha * state.p
        r = state.r - alpha * jnp.where(fine, q, 0)
        s = A._rmatvec(r) - damp**2 * x
        gamma = inner(s, s)
        fine = fine & jnp.isfinite(gamma)
        p = s + gamma / jnp.where(state.gamma > 0, state.gamma, 1) * state.p
        return CglsState(x, r, p, gamma, ~fine)

    def done(self, problem: LeastSquares, state: CglsState) -> jax.Array:
        small = (length(state.r) <= problem.residual) | (jnp.sqrt(state.gamma) <= problem.gradient)
        return jnp.where(state.failed, NONFINITE, jnp.where(small, CONVERGED, RUNNING))

    def report(self, problem: LeastSquares, state: CglsState) -> dict[str, jax.Array]:
        del problem
        return {"residual_norm": length(state.r), "gradient_norm": jnp.sqrt(state.gamma)}


def cgls(
    A: LinearOperator,
    b: Any,
    *,
    damp: Any = 0.0,
    x0: Any = None,
    rtol: Any = None,
    atol: Any = 0.0,
    max_steps: int = 1000,
    loop: str = "while",
    callback: Callable[[Progress], Any] | None = None,
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
    rtol, atol : float
        Stop when norm(r) <= max(rtol norm(b), atol) with r = b - A x, or when norm(A^H r - damp^2 x) <=
        rtol norm(A^H b). `rtol` is 1e-5 in single and 1e-8 in double precision unless given.
    max_steps : int
        Without damping the iterates of a noisy blur first approach the scene and then its noise: the number of steps
        regularises (semi-convergence).
    loop : {"while", "scan", "chunked"}
        ``scan`` lets gradients go through the steps.
    callback : callable, optional
        Called every few steps with a `Progress`; True stops.

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
    b, flat = data_of(A, b)
    x0 = start_of(A, x0, b.dtype)
    rtol = tolerance(rtol, b.dtype, 1e-5, 1e-8)
    problem = LeastSquares(
        A,
        b,
        x0,
        scalar(damp, "damp", b.dtype),
        jnp.maximum(rtol * length(b), scalar(atol, "atol", b.dtype)),
        rtol * length(A.rmatvec(b)),
    )
    run = solve(Cgls(), problem, steps_of(max_steps), loop, callback)
    x = run.state.x
    r = b - A.matvec(x)
    s = A.rmatvec(r) - problem.damp**2 * x
    met = (length(r) <= 10 * problem.residual) | (length(s) <= 10 * problem.gradient)  # rounding may cost a digit
    code = jnp.where((run.code == CONVERGED) & ~met, INEXACT, run.code)
    return Solution(
        x=x.reshape(-1) if flat else x,
        converged=code == CONVERGED,
        num_steps=run.steps,
        residual_norm=reported(length(r)),
        objective=reported(inner(r, r) + problem.damp**2 * inner(x, x)),
        history=run.history,
        code=code,
    )


class SystemState(NamedTuple):
    x: jax.Array
    r: jax.Array
    p: jax.Array
    rho: jax.Array
    failed: jax.Array


class System(NamedTuple):
    """N x = rhs with N selfadjoint and positive (semi)definite, from zero; `threshold` is absolute."""

    matvec: Any
    rhs: jax.Array
    threshold: jax.Array


@dataclass(frozen=True)
class ConjugateGradient:
    """CG (Hestenes and Stiefel 1952)."""

    def init(self, problem: System) -> SystemState:
        rho = inner(problem.rhs, problem.rhs)
        return SystemState(jnp.zeros_like(problem.rhs), problem.rhs, problem.rhs, rho, ~jnp.isfinite(rho))

    def step(self, problem: System, state: SystemState) -> SystemState:
        q = problem.matvec(state.p)
        curvature = inner(state.p, q)
        fine = (curvature > 0) & jnp.isfinite(curvature)
        alpha = jnp.where(fine, state.rho / jnp.where(fine, curvature, 1), 0)
        r = state.r - alpha * jnp.where(fine, q, 0)
        rho = inner(r, r)
        p = r + rho / jnp.where(state.rho > 0, state.rho, 1) * state.p
        return SystemState(state.x + alpha * state.p, r, p, rho, ~(fine & jnp.isfinite(rho)))

    def done(self, problem: System, state: SystemState) -> jax.Array:
        small = jnp.sqrt(state.rho) <= problem.threshold
        return jnp.where(state.failed, NONFINITE, jnp.where(small, CONVERGED, RUNNING))

    def report(self, problem: System, state: SystemState) -> dict[str, jax.Array]:
        del problem
        return {"residual_norm": jnp.sqrt(state.rho)}
