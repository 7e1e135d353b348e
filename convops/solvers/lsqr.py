"""LSQR: least squares by Golub-Kahan bidiagonalisation and plane rotations."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.arrays import ratio
from ..operators.base import LinearOperator
from ..operators.sums import inner, length
from .golub_kahan import GolubKahan, begin, done, euclidean, extend
from .least_squares import LeastSquares, minimised, needs_rows
from .progress import Callbacks
from .solution import Solution
from .units import proportional


class LsqrState(NamedTuple):
    x: jax.Array
    w: jax.Array
    basis: GolubKahan
    rho_bar: jax.Array
    phi_bar: jax.Array
    lost: jax.Array  # sum of psi^2: what damping keeps in the residual
    residual: jax.Array
    gradient: jax.Array
    norm: jax.Array  # Frobenius norm of B_k and the damping
    size: jax.Array  # sum of norm(w / rho)^2
    failed: jax.Array


@dataclass(frozen=True)
class Lsqr:
    """LSQR (Paige and Saunders, ACM TOMS 8 (1982) 43)."""

    stacked: bool = False

    def init(self, problem: LeastSquares) -> LsqrState:
        basis = begin(problem, self.stacked)
        residual = length(problem.b - problem.A._matvec(problem.x0)) if self.stacked else basis.beta
        gradient = basis.alpha * basis.beta * euclidean(basis)
        zero = jnp.zeros_like(basis.beta)
        failed = ~jnp.isfinite(gradient)
        return LsqrState(
            problem.x0, basis.v, basis, basis.alpha, basis.beta, zero, residual, gradient, zero, zero, failed
        )

    def step(self, problem: LeastSquares, state: LsqrState) -> LsqrState:
        damp = jnp.zeros_like(problem.damp) if self.stacked else problem.damp
        basis = extend(problem, state.basis)
        rho_bar = jnp.hypot(state.rho_bar, damp)
        phi_bar = ratio(state.rho_bar, rho_bar) * state.phi_bar
        psi = ratio(damp, rho_bar) * state.phi_bar
        rho = jnp.hypot(rho_bar, basis.beta)
        c, s = ratio(rho_bar, rho), ratio(basis.beta, rho)
        theta, phi = s * basis.alpha, c * phi_bar
        x = state.x + ratio(phi, rho) * state.w
        w = basis.v - ratio(theta, rho) * state.w
        phi_bar = s * phi_bar
        lost = state.lost + psi**2
        whole = phi_bar**2 + lost  # norm(A x - b)^2 + damp^2 norm(x)^2
        residual = jnp.sqrt(jnp.maximum(whole - problem.damp**2 * inner(x, x), 0))
        gradient = basis.alpha * jnp.abs(s * phi) * euclidean(basis)
        norm = jnp.sqrt(state.norm**2 + state.basis.alpha**2 + basis.beta**2 + damp**2)
        size = state.size + ratio(length(state.w), rho) ** 2
        fine = jnp.isfinite(gradient) & (rho > 0)
        x = jnp.where(fine, x, state.x)
        return LsqrState(x, w, basis, -c * basis.alpha, phi_bar, lost, residual, gradient, norm, size, ~fine)

    def done(self, problem: LeastSquares, state: LsqrState) -> jax.Array:
        return done(problem, state)

    def report(self, problem: LeastSquares, state: LsqrState) -> dict[str, jax.Array]:
        condition = state.norm * jnp.sqrt(state.size)
        return problem.told(state.x, state.residual, state.gradient, norm=state.norm, condition=condition)


@proportional()
def lsqr(
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
    """Minimise norm(A x - b)^2 + damp^2 norm(x)^2 by LSQR.

    The iterates are those of `cgls`, with fewer rounding errors on ill-conditioned problems.

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
        What x should be: ``history["error"]`` is then norm(x - truth) / norm(truth).
    rtol, atol : float
        As in `cgls`.
    max_steps : int
    loop : {"while", "scan", "chunked"}
        ``scan`` lets gradients go through the steps.
    callback : callable or list of callables, optional
        Called every few steps with a `Progress`; True stops.
    checkpoint : str, path or Checkpoint, optional
        File that the run is saved to, and goes on from if it exists.

    Returns
    -------
    Solution
        ``history`` has ``residual_norm``, ``gradient_norm`` (of A^H r - damp^2 x) and ``norm``, the Frobenius norm of
        the bidiagonal matrix: an estimate of that of (A; damp I), and ``condition``, one of its condition.

    References
    ----------
    Paige & Saunders, ACM Trans. Math. Softw. 8 (1982) 43.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 4, boundary="symmetric")
    >>> sol = co.lsqr(A, [1.25, 2.0, 3.0, 3.75], rtol=1e-4)
    >>> print(sol.x.round(2), bool(sol.converged))
    [1. 2. 3. 4.] True
    """
    return minimised(
        Lsqr(stacked=needs_rows(damp, x0, preconditioner)),
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
