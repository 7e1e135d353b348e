"""The spectral projected gradient method: steps of Barzilai and Borwein, for bounds and other simple penalties."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.sums import inner, length
from ..penalties.base import Penalty
from ..penalties.constraints import Constraint
from ..penalties.sums import Sum
from .checks import steps_of
from .composite import Best, Composite, Proximal, composite_of, feasible, outcome
from .iterate import solve
from .progress import Callbacks
from .solution import Solution

REMEMBERED = 10  # objectives, the largest of which a step may come near to
ENOUGH = 1e-4  # of the decrease that the slope promises
HALVED, SHORTEST = 0.5, 1e-8  # the fraction of a direction at each try of the search, and where it gives up
RANGE = 1e8  # of the steps, by the first


class SpgState(NamedTuple):
    x: jax.Array
    r: jax.Array  # A x - b
    slope: jax.Array  # the gradient of the smooth part
    step: jax.Array
    recent: jax.Array  # the last objectives
    value: jax.Array
    optimality: jax.Array
    best: Best
    failed: jax.Array


@dataclass(frozen=True)
class Spg(Proximal):
    """x <- x + fraction (prox(x - step gradient) - x), the step from the last change of x and of the gradient."""

    def extra(self, problem: Composite, x: jax.Array) -> jax.Array:
        """What the penalties without a gradient are worth; the constraints are fulfilled."""
        parts = (part for part in _rough(problem.penalty) if not isinstance(part, Constraint))
        return sum((part._value(x) for part in parts), jnp.zeros_like(problem.step))

    def value(self, problem: Composite, x: jax.Array, r: jax.Array) -> jax.Array:
        smooth = sum((part._value(x) for part in _smooth(problem.penalty)), inner(r, r) / 2)
        return smooth + self.extra(problem, x)

    def gradient(self, problem: Composite, x: jax.Array, r: jax.Array) -> jax.Array:
        slopes = (jnp.conj(jax.grad(part._value)(x)) for part in _smooth(problem.penalty))
        return sum(slopes, problem.A._rmatvec(r))

    def prox(self, problem: Composite, x: jax.Array, step: jax.Array) -> jax.Array:
        rough = _rough(problem.penalty)
        return Sum(rough)._prox(x, step) if rough else x

    def optimality(self, problem: Composite, x: jax.Array, slope: jax.Array) -> jax.Array:
        """The gradient's norm, as far as the prox does not undo it."""
        return length(x - self.prox(problem, x - problem.step * slope, problem.step)) / problem.step

    def init(self, problem: Composite) -> SpgState:
        x = feasible(problem.penalty, problem.x0)
        r = problem.A._matvec(x) - problem.b
        slope, value = self.gradient(problem, x, r), self.value(problem, x, r)
        recent = jnp.broadcast_to(value, (REMEMBERED,))
        optimality = self.optimality(problem, x, slope)
        failed = ~jnp.isfinite(value)
        return SpgState(x, r, slope, problem.step, recent, value, optimality, Best.begin(x, value), failed)

    def searched(self, problem: Composite, state: SpgState, target: jax.Array) -> tuple[jax.Array, ...]:
        """Fraction, x, A x - b and objective: down from 1 until it is well below the largest of the last."""
        d = target - state.x
        bent = problem.A._matvec(d)
        promised = inner(state.slope, d) + self.extra(problem, target) - self.extra(problem, state.x)
        top = jnp.max(state.recent)
        slack = 10 * jnp.finfo(top.dtype).eps * jnp.abs(top)

        def tried(fraction: jax.Array) -> tuple[jax.Array, ...]:
            x = jnp.where(fraction == 1, target, state.x + fraction * d)
            r = state.r + fraction * bent
            return fraction, x, r, self.value(problem, x, r)

        def too_long(tried: tuple[jax.Array, ...]) -> jax.Array:
            fraction, _, _, value = tried
            return ~(value <= top + ENOUGH * fraction * promised + slack) & (fraction > SHORTEST)

        return jax.lax.while_loop(too_long, lambda last: tried(HALVED * last[0]), tried(jnp.ones_like(top)))

    def step(self, problem: Composite, state: SpgState) -> SpgState:
        target = self.prox(problem, state.x - state.step * state.slope, state.step)
        _, x, r, value = self.searched(problem, state, target)
        slope = self.gradient(problem, x, r)
        s, y = x - state.x, slope - state.slope
        return SpgState(
            x=x,
            r=r,
            slope=slope,
            step=_spectral(inner(s, s), inner(s, y), problem.step),
            recent=jnp.concatenate([state.recent[1:], value[None]]),
            value=value,
            optimality=self.optimality(problem, x, slope),
            best=state.best.or_better(x, value),
            failed=~jnp.isfinite(value),
        )

    def report(self, problem: Composite, state: SpgState) -> dict[str, jax.Array]:
        del problem
        return {
            "objective": state.value,
            "residual_norm": length(state.r),
            "gradient_norm": state.optimality,
            "step": state.step,
        }


def _smooth(penalty: Penalty) -> tuple[Penalty, ...]:
    """The parts with a gradient."""
    return tuple(part for part in penalty.parts if part.smooth)


def _rough(penalty: Penalty) -> tuple[Penalty, ...]:
    """The parts with a prox in closed form instead."""
    return tuple(part for part in penalty.parts if not part.smooth)


def _spectral(ss: jax.Array, sy: jax.Array, first: jax.Array) -> jax.Array:
    """The step s.s / s.y of Barzilai and Borwein, within bounds."""
    bent = sy > 0
    return jnp.where(bent, jnp.clip(ss / jnp.where(bent, sy, 1), first / RANGE, first * RANGE), first)


def spg(
    A: LinearOperator,
    b: Any,
    *,
    penalty: Penalty,
    x0: Any = None,
    step: Any = None,
    rtol: Any = None,
    atol: Any = 0.0,
    max_steps: int = 5000,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise 1/2 norm(A x - b)^2 + penalty(x) by the spectral projected gradient method.

    With f the misfit and the smooth penalties, g the rest, whose prox is the projection for constraints, a step is::

        d <- prox of g at x - step grad f(x), less x
        x <- x + fraction d
        step <- s.s / s.y, with s and y the changes of x and of grad f

    The fraction is 1 unless the objective would exceed the largest of the last ten. A step takes one product with A and
    one with A^H, and needs no norm of A. For blurs that remove much, `fista` comes further in as many steps,
    and the limit on the steps may end the run before the tolerance does.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    penalty : Penalty
        `NonNegative`, `Box`, `Simplex`, `L1`, ..., smooth ones (`Quadratic`, `Huber`), and sums of them: what has a
        prox in closed form or a gradient.
    x0 : array, optional
        First iterate; zeros by default.
    step : float, optional
        The first step; 1 / ``A.norm()**2`` by default, or 1 / curvature along the first gradient.
    rtol, atol : float
        Stop when the gradient's norm, as far as the prox does not undo it, is at most max(rtol norm(A^H b), atol), and
        the objective is nearly the least, as in `fista`. `rtol` is 1e-4 in single and 1e-6 in double precision unless
        given.
    max_steps, callback, checkpoint
        As in `fista`.
    loop : {"while", "chunked"}

    Returns
    -------
    Solution
        The iterate with the smallest objective; ``history`` has ``objective`` (without constraints),
        ``residual_norm``, ``gradient_norm`` and ``step``.

    Raises
    ------
    ValueError
        As `fista`, for a penalty whose prox is computed by iterations, and for ``loop="scan"``.

    References
    ----------
    Birgin, Martinez & Raydan, SIAM J. Optim. 10 (2000) 1196; Barzilai & Borwein, IMA J. Numer. Anal. 8 (1988) 141;
    Wright, Nowak & Figueiredo, IEEE Trans. Signal Process. 57 (2009) 2479, for penalties.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 6, boundary="wrap")
    >>> b = A @ [0.0, 0.0, 4.0, 0.0, 0.0, -1.0]
    >>> sol = co.spg(A, b, penalty=co.NonNegative(), rtol=1e-5)
    >>> print(sol.x.round(1) + 0.0, bool(sol.converged))
    [0. 0. 4. 0. 0. 0.] True
    """
    problem, _, flat = composite_of(A, b, penalty, x0, step, rtol, atol)
    if isinstance(step, str):
        raise ValueError(f"`step` is {step!r}; give a positive number: the search shortens it")
    if loop == "scan":
        raise ValueError("spg searches along its directions, through which loop='scan' has no derivative: use fista")
    rough = _rough(problem.penalty)
    if not penalty.convex or (rough and not Sum(rough).exact):
        raise ValueError(
            f"`penalty` is {penalty!r}, without a convex prox in closed form: fista, admm and pdhg take it"
        )
    run = solve(Spg(), problem, steps_of(max_steps), loop, callback, checkpoint)
    return outcome(problem, run, run.state.best.x, flat)
