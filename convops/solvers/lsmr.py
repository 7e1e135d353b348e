"""LSMR: least squares by Golub-Kahan bidiagonalisation, as MINRES on the normal equations."""

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


class Tail(NamedTuple):
    """The recurrences for the norm of LSMR's residual (Fong and Saunders, section 5)."""

    beta_dd: jax.Array
    beta_d: jax.Array
    rho_d: jax.Array
    tau: jax.Array
    theta: jax.Array
    zeta: jax.Array
    lost: jax.Array


class LsmrState(NamedTuple):
    x: jax.Array
    h: jax.Array
    h_bar: jax.Array
    basis: GolubKahan
    alpha_bar: jax.Array
    zeta_bar: jax.Array
    rho: jax.Array
    rho_bar: jax.Array
    c_bar: jax.Array
    s_bar: jax.Array
    tail: Tail
    residual: jax.Array
    gradient: jax.Array
    scale: jax.Array
    norm: jax.Array
    failed: jax.Array


@dataclass(frozen=True)
class Lsmr:
    """LSMR (Fong and Saunders, SIAM J. Sci. Comput. 33 (2011) 2950)."""

    stacked: bool = False

    def init(self, problem: LeastSquares) -> LsmrState:
        basis = begin(problem, self.stacked)
        one, zero = jnp.ones_like(basis.beta), jnp.zeros_like(basis.beta)
        residual = length(problem.b - problem.A._matvec(problem.x0)) if self.stacked else basis.beta
        gradient = basis.alpha * basis.beta
        return LsmrState(
            x=problem.x0,
            h=basis.v,
            h_bar=jnp.zeros_like(basis.v),
            basis=basis,
            alpha_bar=basis.alpha,
            zeta_bar=gradient,
            rho=one,
            rho_bar=one,
            c_bar=one,
            s_bar=zero,
            tail=Tail(basis.beta, zero, one, zero, zero, zero, zero),
            residual=residual,
            gradient=gradient * euclidean(basis),
            scale=euclidean(basis),
            norm=zero,
            failed=~jnp.isfinite(gradient),
        )

    def step(self, problem: LeastSquares, state: LsmrState) -> LsmrState:
        damp = jnp.zeros_like(problem.damp) if self.stacked else problem.damp
        basis = extend(problem, state.basis)
        alpha_hat = jnp.hypot(state.alpha_bar, damp)
        rho = jnp.hypot(alpha_hat, basis.beta)
        c, s = ratio(alpha_hat, rho), ratio(basis.beta, rho)
        theta = s * basis.alpha
        theta_bar = state.s_bar * rho
        rho_bar = jnp.hypot(state.c_bar * rho, theta)
        c_bar, s_bar = ratio(state.c_bar * rho, rho_bar), ratio(theta, rho_bar)
        zeta, zeta_bar = c_bar * state.zeta_bar, -s_bar * state.zeta_bar
        h_bar = state.h - ratio(theta_bar * rho, state.rho * state.rho_bar) * state.h_bar
        x = state.x + ratio(zeta, rho * rho_bar) * h_bar
        turned = ratio(state.alpha_bar, alpha_hat), ratio(damp, alpha_hat), c, s
        tail, whole = _tail(state.tail, turned, (theta_bar, rho_bar, zeta))
        fine = jnp.isfinite(zeta_bar) & (rho > 0) & (rho_bar > 0)
        x = jnp.where(fine, x, state.x)
        return LsmrState(
            x=x,
            h=basis.v - ratio(theta, rho) * state.h,
            h_bar=h_bar,
            basis=basis,
            alpha_bar=c * basis.alpha,
            zeta_bar=zeta_bar,
            rho=rho,
            rho_bar=rho_bar,
            c_bar=c_bar,
            s_bar=s_bar,
            tail=tail,
            residual=jnp.sqrt(jnp.maximum(whole - problem.damp**2 * inner(x, x), 0)),
            gradient=jnp.abs(zeta_bar) * state.scale,
            scale=state.scale,
            norm=jnp.sqrt(state.norm**2 + state.basis.alpha**2 + basis.beta**2 + damp**2),
            failed=~fine,
        )

    def done(self, problem: LeastSquares, state: LsmrState) -> jax.Array:
        return done(problem, state)

    def report(self, problem: LeastSquares, state: LsmrState) -> dict[str, jax.Array]:
        return problem.told(state.x, state.residual, state.gradient, norm=state.norm)


def _tail(last: Tail, turned: tuple[jax.Array, ...], entries: tuple[jax.Array, ...]) -> tuple[Tail, jax.Array]:
    """The next recurrences, and norm(A x - b)^2 + damp^2 norm(x)^2."""
    c_hat, s_hat, c, s = turned
    theta_bar, rho_bar, zeta = entries
    acute, check = c_hat * last.beta_dd, -s_hat * last.beta_dd
    hat, beta_dd = c * acute, -s * acute
    rho_tilde = jnp.hypot(last.rho_d, theta_bar)
    c_tilde, s_tilde = ratio(last.rho_d, rho_tilde), ratio(theta_bar, rho_tilde)
    theta, rho_d = s_tilde * rho_bar, c_tilde * rho_bar
    beta_d = -s_tilde * last.beta_d + c_tilde * hat
    tau = ratio(last.zeta - last.theta * last.tau, rho_tilde)
    tau_d = ratio(zeta - theta * tau, rho_d)
    lost = last.lost + check**2
    return Tail(beta_dd, beta_d, rho_d, tau, theta, zeta, lost), lost + (beta_d - tau_d) ** 2 + beta_dd**2


@proportional()
def lsmr(
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
    """Minimise norm(A x - b)^2 + damp^2 norm(x)^2 by LSMR.

    The norm of A^H r - damp^2 x falls at every step: stopping early is safer than with `lsqr`.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    damp, x0, preconditioner, truth, rtol, atol, max_steps, loop, callback, checkpoint
        As in `lsqr`, with the same errors.

    Returns
    -------
    Solution
        ``history`` as `lsqr` has it, without ``condition``; with a preconditioner ``gradient_norm`` is taken in its
        norm, scaled to be right at the start.

    References
    ----------
    Fong & Saunders, SIAM J. Sci. Comput. 33 (2011) 2950.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 4, boundary="symmetric")
    >>> sol = co.lsmr(A, [1.25, 2.0, 3.0, 3.75], rtol=1e-4)
    >>> print(sol.x.round(2), bool(sol.converged))
    [1. 2. 3. 4.] True
    """
    return minimised(
        Lsmr(stacked=needs_rows(damp, x0, preconditioner)),
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
