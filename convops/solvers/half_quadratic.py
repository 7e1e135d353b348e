"""Half-quadratic splitting with a rising penalty parameter: a handful of steps for penalties that are not convex."""

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.arrays import traced
from ..operators.base import LinearOperator
from ..operators.sums import length
from ..operators.window import positive
from ..penalties.base import Penalty
from .checks import steps_of
from .composite import Composite, data_given, feasible, outcome
from .iterate import solve
from .multipliers import least
from .progress import Callbacks
from .solution import NONFINITE, RUNNING, SCHEDULED, Solution
from .splitting import Spectrum, Split, span_of, spectrum_of, split_of, value_of

GROWTH = 2 * math.sqrt(2)


class Schedule(NamedTuple):
    """A problem taken apart, and the factor by which its penalty parameters grow."""

    split: Split
    spectrum: Spectrum | None
    growth: jax.Array


class HalfQuadraticState(NamedTuple):
    x: jax.Array
    images: tuple[jax.Array, ...]  # K_i x
    rho: tuple[jax.Array, ...]
    steps: jax.Array
    residual: jax.Array
    value: jax.Array
    failed: jax.Array


@dataclass(frozen=True)
class HalfQuadratic:
    """z_i <- prox of f_i / rho at K_i x, x <- the quadratic problem, rho <- growth rho every `inner` steps."""

    inner: int
    total: int

    def init(self, problem: Schedule) -> HalfQuadraticState:
        split = problem.split
        images = tuple(operator._matvec(split.x0) for operator, _ in split.terms)
        assert split.A is not None
        assert split.b is not None
        residual = length(split.A._matvec(split.x0) - split.b)
        value = value_of(split, images, residual)
        steps = jnp.zeros((), int)
        return HalfQuadraticState(split.x0, images, split.parameters, steps, residual, value, ~jnp.isfinite(residual))

    def step(self, problem: Schedule, state: HalfQuadraticState) -> HalfQuadraticState:
        split, rho = problem.split, state.rho
        z = tuple(f._prox(Kx, 1 / r) for (_, f), Kx, r in zip(split.terms, state.images, rho, strict=True))
        still = jax.tree.map(jnp.zeros_like, z)
        x, images, residual = least(split, problem.spectrum, state.x, rho, z, still)
        steps = state.steps + 1
        grown = tuple(jnp.where(steps % self.inner == 0, problem.growth * r, r) for r in rho)
        value = value_of(split, images, residual)
        return HalfQuadraticState(x, images, grown, steps, residual, value, ~jnp.isfinite(residual))

    def done(self, problem: Schedule, state: HalfQuadraticState) -> jax.Array:
        del problem
        ended = jnp.where(state.steps >= self.total, SCHEDULED, RUNNING)
        return jnp.where(state.failed, NONFINITE, ended)

    def report(self, problem: Schedule, state: HalfQuadraticState) -> dict[str, jax.Array]:
        del problem
        return {"objective": state.value, "residual_norm": state.residual, "parameter": state.rho[0]}


def half_quadratic(
    A: LinearOperator,
    b: Any,
    *,
    penalty: Penalty,
    x0: Any = None,
    first: Any = 1.0,
    last: Any = 256.0,
    growth: float = GROWTH,
    inner: int = 1,
    max_steps: int | None = None,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Make 1/2 norm(A x - b)^2 + penalty(x) small by a schedule of quadratic problems.

    With the penalty sum_i f_i(K_i x), a step is the prox ``z_i`` of f_i / rho_i at K_i x and the x that minimises
    1/2 norm(A x - b)^2 + sum_i rho_i/2 norm(K_i x - z_i)^2, rho growing from step to step: for the hyper-Laplacian
    prior of photographs, ``HyperLaplacian(weight, transform="gradient")``, a few steps are enough.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    penalty : Penalty
        With its weight; every term with a prox. `HyperLaplacian`, or any other.
    x0 : array, optional
        First iterate; A^H b by default, about as bright as the scene where the PSF sums to 1.
    first, last : float
        The range of the penalty parameter, in units of weight range^(power - 2) with the range of the data.
    growth : float
        Its factor, above 1.
    inner : int
        Steps with the same parameter.
    max_steps : int, optional
        As many as the schedule has by default.
    loop, callback, checkpoint
        As in `admm`.

    Returns
    -------
    Solution
        ``converged`` says that the schedule was run to its end; ``history`` has ``objective``, ``residual_norm`` and
        ``parameter``.

    Raises
    ------
    ValueError
        As `admm`, and for a range or growth that does not rise.

    References
    ----------
    Krishnan & Fergus, NIPS 2009; Geman & Yang, IEEE Trans. Image Process. 4 (1995) 932.

    Examples
    --------
    >>> import numpy as np, convops as co
    >>> scene = np.repeat([0.0, 1.0, 0.5], 20)
    >>> A = co.convolution([0.25, 0.5, 0.25], 60, boundary="symmetric")
    >>> sol = co.half_quadratic(A, A @ scene, penalty=co.HyperLaplacian(1e-4, transform="gradient"))
    >>> print(int(sol.num_steps), bool(sol.converged), bool(abs(sol.x - scene).max() < 0.05))
    6 True True
    """
    b, flat, penalty, start = data_given(A, b, penalty, x0)
    start = A.rmatvec(b) if x0 is None else start
    real = jnp.finfo(b.dtype).dtype
    if any(map(traced, (first, last, growth))) or not (0 < first <= last < math.inf and 1 < growth < math.inf):
        raise ValueError(
            f"`first` is {first}, `last` {last} and `growth` {growth}; give numbers, a range and a factor that rise"
        )
    split = split_of(A, b, penalty, start, as_term=False)
    span = span_of(b)
    rho = tuple(first * _unit(function, span) for _, function in split.terms)
    inner = positive(inner, "inner")
    total = inner * (1 + round(math.log(last / first) / math.log(growth)))
    zero = jnp.zeros((), real)
    problem = Schedule(replace(split, parameters=rho), spectrum_of(split), jnp.asarray(growth, real))
    limit = total if max_steps is None else steps_of(max_steps)
    run = solve(HalfQuadratic(inner, total), problem, limit, loop, callback, checkpoint)
    sol = outcome(Composite(A, b, penalty, start, zero, zero), run, feasible(penalty, split.image(run.state.x)), flat)
    return replace(sol, converged=sol.code == SCHEDULED)


def _unit(function: Penalty, span: jax.Array) -> jax.Array:
    """Weight span^(power - 2): what makes the parameter scale-free."""
    weight = getattr(function, "weight", None)
    weight = jnp.ones_like(span) if weight is None else jnp.mean(jnp.asarray(weight, span.dtype))
    return jnp.where(weight > 0, weight, 1) * span ** (getattr(function, "power", 1.0) - 2)
