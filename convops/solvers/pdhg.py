"""The primal-dual hybrid gradient method of Chambolle and Pock."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.sums import length, root
from ..penalties.analysis import norm_bound
from ..penalties.base import Penalty
from .balance import Balance
from .checks import between, overall, steps_of, tolerance
from .composite import Composite, data_given, feasible, outcome
from .iterate import solve
from .progress import Callbacks
from .solution import CONVERGED, NONFINITE, RUNNING, Solution
from .splitting import Sizes, Spectrum, Split, kept_if, misfit, sizes_of, spectrum_of, split_of, value_of

SAFE = 0.99  # of tau sum_i sigma_i norm(K_i)^2 = 1
BALANCE = Balance(every=10, until=500, uneven=1.5, most=2.0)


class SaddlePoint(NamedTuple):
    """A problem taken apart, with the options that are numbers."""

    stops = ("rtol",)
    split: Split
    spectrum: Spectrum | None
    bound: jax.Array  # of sum_i rho_i norm(K_i)^2
    relaxation: jax.Array
    rtol: jax.Array
    sizes: Sizes


class PdhgState(NamedTuple):
    x: jax.Array
    images: tuple[jax.Array, ...]  # K_i x
    duals: tuple[jax.Array, ...]
    back: jax.Array  # sum_i K_i^H duals_i
    scale: jax.Array  # sigma_i = scale rho_i
    steps: jax.Array
    primal: jax.Array
    dual: jax.Array
    primal_limit: jax.Array  # what the residuals are to come down to
    dual_limit: jax.Array
    residual: jax.Array
    value: jax.Array
    failed: jax.Array


@dataclass(frozen=True)
class Pdhg:
    """x <- prox of the misfit at x - tau K^H y, y_i <- prox of f_i^* at y_i + sigma_i K_i (2 x - x_before)."""

    balance: bool  # longer steps for what lags behind (Goldstein et al., arXiv:1305.0546), for a while

    def init(self, problem: SaddlePoint) -> PdhgState:
        split = problem.split
        images = tuple(K._matvec(split.x0) for K, _ in split.terms)
        one = jnp.ones_like(problem.rtol)
        if problem.spectrum is None:
            residual = misfit(split, images)
        else:
            residual = root(problem.spectrum.residual_square(problem.spectrum.basis.forward(split.x0)))
        return PdhgState(
            x=split.x0,
            images=images,
            duals=jax.tree.map(jnp.zeros_like, images),
            back=jnp.zeros_like(split.x0),
            scale=one,
            steps=jnp.zeros((), int),
            primal=jnp.inf * one,
            dual=jnp.inf * one,
            primal_limit=0 * one,
            dual_limit=0 * one,
            residual=residual,
            value=value_of(split, images, residual),
            failed=~jnp.isfinite(residual),
        )

    def step(self, problem: SaddlePoint, state: PdhgState) -> PdhgState:
        split, relax = problem.split, problem.relaxation
        sigmas = [state.scale * rho for rho in split.parameters]
        tau = SAFE / (state.scale * problem.bound)
        x, residual = _misfit_prox(problem, state.x - tau * state.back, tau)
        images = tuple(K._matvec(x) for K, _ in split.terms)
        duals = tuple(
            f._conjugate_prox(y + sigma * (2 * Kx - old), sigma)
            for (_, f), y, sigma, Kx, old in zip(split.terms, state.duals, sigmas, images, state.images, strict=True)
        )
        backs = [K._rmatvec(y).astype(x.dtype) for (K, _), y in zip(split.terms, duals, strict=True)]
        back = sum(backs, jnp.zeros_like(x))
        primal, dual, primal_size, dual_size, primal_noise, dual_noise = _residuals(
            problem, state, x, images, duals, backs, (tau, sigmas)
        )
        steps = state.steps + 1
        factor = BALANCE.factor(dual / dual_size, primal / primal_size, steps) if self.balance else 1
        residual = misfit(split, images) if residual is None else residual
        old = state.x, state.images, state.duals, state.back
        x, moved, duals, back = jax.tree.map(lambda new, old: old + relax * (new - old), (x, images, duals, back), old)
        reached = PdhgState(
            x=x,
            images=moved,
            duals=duals,
            back=back,
            scale=state.scale * factor,
            steps=steps,
            primal=primal,
            dual=dual,
            primal_limit=jnp.maximum(problem.rtol * primal_size, primal_noise),
            dual_limit=jnp.maximum(problem.rtol * dual_size, dual_noise),
            residual=residual,
            value=value_of(split, images, residual),
            failed=~(jnp.isfinite(primal) & jnp.isfinite(dual)),
        )
        return kept_if(reached.failed, state, reached)

    def done(self, problem: SaddlePoint, state: PdhgState) -> jax.Array:
        met = (state.primal <= state.primal_limit) & (state.dual <= state.dual_limit)
        return jnp.where(state.failed, NONFINITE, jnp.where(met, CONVERGED, RUNNING))

    def report(self, problem: SaddlePoint, state: PdhgState) -> dict[str, jax.Array]:
        return {
            "objective": state.value,
            "residual_norm": state.residual,
            "primal_residual": state.primal,
            "dual_residual": state.dual,
            "step": SAFE / (state.scale * problem.bound),
        }


def _residuals(problem: SaddlePoint, state: PdhgState, x, images, duals, backs, steps) -> tuple[jax.Array, ...]:
    """How far the step is from a solution on both sides, what that is measured by, and what may be rounding of it."""
    tau, sigmas = steps
    primal = length((state.x - x) / tau - (state.back - sum(backs, jnp.zeros_like(x))))
    parts = [
        length((y - new) / sigma - (old - Kx)) * jnp.sqrt(sigma)
        for y, new, sigma, old, Kx in zip(state.duals, duals, sigmas, state.images, images, strict=True)
    ]
    tiny, noise = jnp.finfo(primal.dtype).tiny, 2 * jnp.finfo(primal.dtype).eps * length(x)
    primal_size = problem.sizes.forces(overall([length(part) for part in backs]))
    varied = problem.sizes.varied(problem.split, x, images)
    dual_size = overall([jnp.sqrt(sigma) * size for sigma, size in zip(sigmas, varied, strict=True)])
    return (
        primal,
        overall(parts),
        jnp.maximum(primal_size, tiny),
        jnp.maximum(dual_size, tiny),
        noise / tau,
        noise / jnp.sqrt(tau),
    )


def _misfit_prox(problem: SaddlePoint, v: jax.Array, tau: jax.Array) -> tuple[jax.Array, jax.Array | None]:
    """Argmin tau/2 norm(A x - b)^2 + 1/2 norm(x - v)^2, and norm(A x - b); v where the misfit is among the terms."""
    spectrum = problem.spectrum
    if spectrum is None:
        return v, None
    assert spectrum.data is not None
    coefficients = (spectrum.basis.forward(v) + tau * spectrum.data.rhs) / (1 + tau * spectrum.data.square)
    residual = root(spectrum.residual_square(coefficients))
    return spectrum.basis.backward(coefficients).astype(v.dtype), residual


def pdhg(
    A: LinearOperator,
    b: Any,
    *,
    penalty: Penalty,
    x0: Any = None,
    balance: bool = True,
    relaxation: Any = 1.8,
    rtol: Any = None,
    max_steps: int = 2000,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise 1/2 norm(A x - b)^2 + penalty(x) by the primal-dual hybrid gradient method.

    With the penalty sum_i f_i(K_i x) and duals y_i, a step is::

        x   <- prox of tau/2 norm(A x - b)^2 at x - tau sum_i K_i^H y_i
        y_i <- prox of sigma_i f_i^* at y_i + sigma_i K_i (2 x - x_before)

    It needs products with the K_i and their adjoints only, and takes every convex penalty, `TGV` included. The misfit's
    prox is exact where a transform diagonalises A; elsewhere the misfit is one more f_i, with K_i = A.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    penalty : Penalty
        Convex, with its weight; sums included.
    x0 : array, optional
        First iterate; zeros by default.
    balance : bool
        Whether tau and sigma are changed on the way so that the primal and dual residuals fall alike.
    relaxation : float
        Over-relaxation, above 0 and below 2.
    rtol : float
        Stop when both residuals are at most rtol by the sizes of K^H y and of K x, the mean of x left out, or what
        rounding leaves; 1e-4 in single and 1e-5 in double precision unless given.
    max_steps, loop, callback, checkpoint
        As in `admm`.

    Returns
    -------
    Solution
        The last x, moved into the constraints among the penalties; ``history`` has ``objective`` (without constraints),
        ``residual_norm``, ``primal_residual``, ``dual_residual`` and ``step``.

    Raises
    ------
    ValueError
        For data with NaN or of the wrong shape, a penalty that is none, is not convex or does not fit, and numbers out
        of range.

    References
    ----------
    Chambolle & Pock, J. Math. Imaging Vis. 40 (2011) 120; Goldstein et al., arXiv:1305.0546, for the balance; Condat,
    J. Optim. Theory Appl. 158 (2013) 460, for over-relaxation.

    Examples
    --------
    >>> import numpy as np, convops as co
    >>> scene = np.repeat([0.0, 1.0, 0.5], 8)
    >>> A = co.convolution([0.25, 0.5, 0.25], 24, boundary="symmetric")
    >>> sol = co.pdhg(A, A @ scene, penalty=co.TotalVariation(1e-3), rtol=1e-3)
    >>> print(bool(sol.converged), bool(abs(sol.x - scene).max() < 0.05))
    True True
    """
    b, flat, penalty, first = data_given(A, b, penalty, x0)
    if not penalty.convex:
        raise ValueError(f"`penalty` is {penalty!r}, which is not convex: admm and half_quadratic take it")
    split = split_of(A, b, penalty, first)
    spectrum = None if split.A is None or split.lifted else spectrum_of(split, alone=True)
    if spectrum is None and split.A is not None:
        split = split_of(A, b, penalty, first, as_term=True)
    real = jnp.finfo(b.dtype).dtype
    parts = [rho * norm_bound(K) ** 2 for rho, (K, _) in zip(split.parameters, split.terms, strict=True)]
    bound = sum(parts, jnp.zeros((), real)).astype(real)
    problem = SaddlePoint(
        split,
        spectrum,
        jnp.where(bound > 0, bound, 1),
        between(relaxation, "relaxation", real, 2.0, "below 2"),
        tolerance(rtol, b.dtype, 1e-4, 1e-5),
        sizes_of(A, b, split),
    )
    run = solve(Pdhg(bool(balance)), problem, steps_of(max_steps), loop, callback, checkpoint)
    x = feasible(penalty, split.image(run.state.x))
    zero = jnp.zeros((), real)
    return outcome(Composite(A, b, penalty, first, zero, zero), run, x, flat)
