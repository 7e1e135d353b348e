"""Poisson data with a penalty that has no gradient: the alternating direction method of multipliers."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.sums import inner, root
from ..penalties.base import Penalty, Term
from ..penalties.constraints import Constraint
from .balance import Balance
from .checks import between, reported, steps_of, tolerance
from .counted import counted, start_from
from .iterate import solve
from .photon_copies import Bare, Solver, bare, solver
from .progress import Callbacks
from .solution import CONVERGED, NONFINITE, RUNNING, Solution

RELAXED = 1.8  # over-relaxation: half as many steps
BALANCE = Balance(every=5, until=300, uneven=2.0, most=10.0)


class Split(NamedTuple):
    """min KL(y, B x + background) + sum function(K x) over x >= 0; others are scaled as B is."""

    stops = ("rtol",)
    data: Bare
    terms: tuple[Term, ...]
    solver: Solver
    x0: jax.Array
    rho: jax.Array
    rtol: jax.Array


class SplitState(NamedTuple):
    x: jax.Array
    parts: tuple[jax.Array, ...]  # u: of B x, of every K x, of x
    duals: tuple[jax.Array, ...]  # scaled multipliers
    rho: jax.Array
    steps: jax.Array
    primal: jax.Array  # norm(K x - u) over the norms of both
    dual: jax.Array  # norm of the change of u over that of the multipliers
    objective: jax.Array
    residual_norm: jax.Array
    failed: jax.Array


@dataclass(frozen=True)
class PoissonAdmm:
    """PIDAL: the likelihood, each term and the sign of x have each their own copy of a linear image of x."""

    def images(self, problem: Split, x: jax.Array) -> tuple[jax.Array, ...]:
        return (problem.data.B._matvec(x), *(K._matvec(x) for K, _ in problem.terms), x)

    def values(self, problem: Split, images: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        """Objective and residual norm; the constraints, which x meets in the limit, apart."""
        value, residual = problem.data.misfit(images[0])
        for (_, function), image in zip(problem.terms, images[1:], strict=False):
            if not isinstance(function, Constraint):
                value = value + function._value(image)
        return value, residual

    def init(self, problem: Split) -> SplitState:
        x, one = problem.x0, jnp.ones((), problem.x0.dtype)
        images = self.images(problem, x)
        value, residual = self.values(problem, images)
        zeros = tuple(map(jnp.zeros_like, images))
        steps = jnp.zeros((), int)
        return SplitState(x, images, zeros, problem.rho, steps, one, one, value, residual, ~jnp.isfinite(value))

    def step(self, problem: Split, state: SplitState) -> SplitState:
        scale = problem.solver.scale
        wanted = [u - d for u, d in zip(state.parts, state.duals, strict=True)]
        rest = wanted[-1]
        for (K, _), part in zip(problem.terms, wanted[1:-1], strict=True):
            rest = rest + K._rmatvec(part)
        x = problem.solver(problem.data.B._rmatvec(wanted[0]) + scale * rest, state.x)
        images = self.images(problem, x)
        shifted = [
            RELAXED * image + (1 - RELAXED) * u + d
            for image, u, d in zip(images, state.parts, state.duals, strict=True)
        ]
        parts = [problem.data.prox(shifted[0], state.rho)]
        for (_, function), v in zip(problem.terms, shifted[1:-1], strict=True):
            parts.append(function._prox(v, 1 / (state.rho * scale)))
        parts.append(jnp.maximum(shifted[-1], 0))
        duals = tuple(v - u for v, u in zip(shifted, parts, strict=True))
        value, residual = self.values(problem, images)
        fine = jnp.isfinite(value) & jnp.isfinite(inner(parts[-1], parts[-1]))
        primal, dual = self.gaps(problem, images, parts, state.parts, duals)
        steps = state.steps + 1
        # larger where x and its copies are too far apart, smaller where the copies lag behind
        rho = state.rho * BALANCE.factor(primal, dual, steps)
        duals = tuple(d * (state.rho / rho) for d in duals)
        new = SplitState(x, tuple(parts), duals, rho, steps, primal, dual, value, residual, ~fine)
        kept = state._replace(failed=jnp.array(True))
        return jax.tree.map(lambda a, b: jnp.where(fine, a, b), new, kept)

    def gaps(self, problem: Split, images, parts, before, duals) -> tuple[jax.Array, jax.Array]:
        """The relative primal and dual residual."""
        scales = (jnp.ones_like(problem.rho),) + (len(parts) - 1) * (problem.solver.scale,)

        def norm(arrays) -> jax.Array:
            return root(sum((s * inner(a, a) for s, a in zip(scales, arrays, strict=True)), jnp.zeros_like(scales[0])))

        apart = norm([image - u for image, u in zip(images, parts, strict=True)])
        moved = norm([u - v for u, v in zip(parts, before, strict=True)])
        size, force = jnp.maximum(norm(images), norm(parts)), norm(duals)
        return _share(apart, size), _share(moved, force)

    def done(self, problem: Split, state: SplitState) -> jax.Array:
        small = jnp.maximum(state.primal, state.dual) <= problem.rtol
        return jnp.where(state.failed, NONFINITE, jnp.where(small, CONVERGED, RUNNING))

    def report(self, problem: Split, state: SplitState) -> dict[str, jax.Array]:
        return {
            "objective": state.objective,
            "residual_norm": state.residual_norm,
            "primal": state.primal,
            "dual": state.dual,
            "rho": state.rho,
        }


def _share(part: jax.Array, whole: jax.Array) -> jax.Array:
    return jnp.where(part > 0, part / jnp.where(whole > 0, whole, part), 0)


def poisson_admm(
    A: LinearOperator,
    b: Any,
    *,
    penalty: Penalty | None = None,
    background: Any = 0.0,
    mask: Any = None,
    x0: Any = None,
    rho: Any = None,
    rtol: Any = None,
    max_steps: int = 1000,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise KL(b, A x + background) + penalty(x) over x >= 0, for Poisson data.

    KL = sum(b log(b / m) - b + m) is the negative logarithm of the likelihood. The likelihood, each term of the penalty
    and the sign of x work on copies u of A x, K x and x, the first by ``u = (v - 1/rho + sqrt((v - 1/rho)^2 +
    4 b/rho)) / 2`` (for no background); the copies are then brought together by one linear solve, whose matrix A^H A +
    sum K^H K + 1 never changes. It is exact where the FFT or the DCT-II diagonalises both A and K: with a periodic A or
    an `unknown_boundary`, for penalties with ``boundary="wrap"``. Elsewhere conjugate gradients go on from the last x.

    Parameters
    ----------
    A : LinearOperator
        As in `richardson_lucy`, weights and masks included.
    b : array
        Data of ``A.out_shape``, or flat; real, finite, not negative where they count.
    penalty : Penalty, optional
        Any with `terms`, or a sum, on ``A.in_shape``. Its weights count in photons: KL is not divided by anything.
    background : float or array
        Expected data where x is zero, in the units of `b`.
    mask : array, optional
        Of ``A.out_shape``: False or zero where the data do not count.
    x0 : array, optional
        First iterate; by default the constant that gives the total of the data.
    rho : float, optional
        First penalty parameter, 1 / mean(b) by default; residuals are balanced in the first 300 steps.
    rtol : float
        Stop when norm(K x - u) relative to the norms of both, and the change of u relative to the multipliers, are at
        most this; 1e-4 in single and 1e-5 in double precision unless given.
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
        ``x`` is at least zero. ``history`` has ``objective`` (of the linear solve's x, constraints apart),
        ``residual_norm`` (of A x + background - b), ``primal`` and ``dual`` (the relative residuals) and ``rho``.

    Raises
    ------
    ValueError
        As `richardson_lucy`, and for a penalty that has no terms.

    References
    ----------
    Figueiredo & Bioucas-Dias, IEEE Trans. Image Process. 19 (2010) 3133. Wohlberg, arXiv:1704.06209 (2017), for the
    balance.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 6, boundary="wrap")
    >>> b = [20.0, 55.0, 98.0, 107.0, 76.0, 24.0]
    >>> sol = co.poisson_admm(A, b, penalty=co.TotalVariation(0.3, boundary="wrap"))
    >>> print(sol.x.round(0), bool(sol.converged))
    [29. 51. 80. 80. 80. 29.] True
    """
    model = counted(A, b, background, mask)
    dtype = model.b.dtype
    terms = _terms_of(penalty, A)
    data = _bare(model)
    norm = data.B.norm().astype(dtype)
    scale = jnp.where(norm > 0, norm, 1) ** 2
    linear = solver(data.B, tuple(K for K, _ in terms), scale, dtype)
    first = start_from(model.A, x0, dtype)
    level, mean = _levels(model, data)
    first = jnp.broadcast_to(level, A.in_shape) if first is None else first
    start = between(rho, "rho", dtype, math.inf, "finite") if rho is not None else 1 / mean
    problem = Split(data, terms, linear, first, start, tolerance(rtol, dtype, 1e-4, 1e-5))
    run = solve(PoissonAdmm(), problem, steps_of(max_steps), loop, callback, checkpoint)
    x = run.state.parts[-1]
    objective, residual = _judged(problem, x)
    return Solution(
        x=x.reshape(-1) if model.flat else x,
        converged=run.code == CONVERGED,
        num_steps=run.steps,
        residual_norm=reported(residual),
        objective=reported(objective),
        history=run.history,
        code=run.code,
    )


_bare = jax.jit(bare)


def _terms_of(penalty: Any, A: LinearOperator) -> tuple[Term, ...]:
    if penalty is None:
        return ()
    if not isinstance(penalty, Penalty):
        raise ValueError(f"`penalty` is {penalty!r}; give a penalty, e.g. co.TotalVariation(0.01), or a sum of them")
    if penalty.lifts:
        raise ValueError(f"`penalty` is {penalty!r}, which has further unknowns: give one with terms")
    return penalty.terms(A.in_shape)


@jax.jit
def _levels(model: Any, data: Bare) -> tuple[jax.Array, jax.Array]:
    """The flat scene that gives the total of the data, and the mean of the data that count."""
    ones = jnp.ones_like(data.y) if data.weights is None else (data.weights > 0).astype(data.y.dtype)
    count, light = jnp.sum(ones), jnp.sum(data.y * ones)
    above = jnp.maximum(light - jnp.sum(data.background * ones), light / 10)
    seen = jnp.sum(data.B._rmatvec(ones))
    level = jnp.where(seen > 0, above / jnp.where(seen > 0, seen, 1), 0)
    mean = light / jnp.maximum(count, 1)
    return jnp.where(jnp.isfinite(level), level, 1), jnp.where(mean > 0, mean, 1)


@jax.jit
def _judged(problem: Split, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    method = PoissonAdmm()
    return method.values(problem, method.images(problem, x))
