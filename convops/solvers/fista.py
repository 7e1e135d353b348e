"""Proximal gradient steps with Nesterov's momentum."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.sums import inner, length
from ..operators.window import positive
from ..penalties.base import Penalty
from .checks import steps_of
from .composite import Best, Composite, Proximal, composite_of, outcome
from .iterate import solve
from .progress import Callbacks
from .solution import Solution

SHORTENED = 0.7  # the step, at each try of the search
SHORTEST = 1e-12  # the factor at which a search gives up


class FistaState(NamedTuple):
    x: jax.Array
    image: jax.Array  # A x
    ahead: jax.Array  # y
    image_ahead: jax.Array  # A y
    t: jax.Array
    step: jax.Array
    dual: Any  # where the prox is computed by iterations
    value: jax.Array
    residual: jax.Array
    optimality: jax.Array
    best: Best
    failed: jax.Array


@dataclass(frozen=True)
class Fista(Proximal):
    """x <- prox(y - s A^H (A y - b)), y <- x + momentum; A y comes from A x by linearity."""

    accelerate: bool
    restart: bool
    search: bool
    prox_steps: int

    def init(self, problem: Composite) -> FistaState:
        x = problem.x0
        image = problem.A._matvec(x)
        r = image - problem.b
        value = problem.objective(x, r)
        one = jnp.ones_like(problem.step)
        optimality = jnp.full_like(one, jnp.inf)
        dual = problem.penalty.dual_start(x)
        failed = ~jnp.all(jnp.isfinite(r))
        best = Best.begin(x, value)
        return FistaState(x, image, x, image, one, problem.step, dual, value, length(r), optimality, best, failed)

    def tried(self, problem: Composite, state: FistaState, slope: jax.Array, step: jax.Array) -> tuple[Any, ...]:
        x, dual = problem.penalty.warm_prox(state.ahead - step * slope, step, state.dual, self.prox_steps)
        return step, x, problem.A._matvec(x), dual

    def moved(self, problem: Composite, state: FistaState, slope: jax.Array) -> tuple[Any, ...]:
        """Step, x, A x and dual; a search shortens the step until norm(A (x - y))^2 <= norm(x - y)^2 / step."""
        if not self.search:
            return self.tried(problem, state, slope, problem.step)

        def too_long(tried: tuple[Any, ...]) -> jax.Array:
            step, x, image, _ = tried
            d, e = x - state.ahead, image - state.image_ahead
            slack = 1 + 10 * jnp.finfo(step.dtype).eps
            return (inner(e, e) * step > slack * inner(d, d)) & (step > SHORTEST * problem.step)

        def shorter(tried: tuple[Any, ...]) -> tuple[Any, ...]:
            return self.tried(problem, state, slope, SHORTENED * tried[0])

        return jax.lax.while_loop(too_long, shorter, self.tried(problem, state, slope, state.step))

    def step(self, problem: Composite, state: FistaState) -> FistaState:
        slope = problem.A._rmatvec(state.image_ahead - problem.b)
        step, x, image, dual = self.moved(problem, state, slope)
        r, change = image - problem.b, x - state.x
        value = problem.objective(x, r)
        t = state.t
        if self.restart:
            t = jnp.where(inner(state.ahead - x, change) > 0, 1, t)
        following = (1 + jnp.sqrt(1 + 4 * t**2)) / 2
        momentum = (t - 1) / following if self.accelerate else jnp.zeros_like(t)
        return FistaState(
            x=x,
            image=image,
            ahead=x + momentum * change,
            image_ahead=image + momentum * (image - state.image),
            t=following,
            step=step,
            dual=dual,
            value=value,
            residual=length(r),
            optimality=length(x - state.ahead) / step,
            best=state.best.or_better(x, value),
            failed=~jnp.all(jnp.isfinite(r)),
        )

    def report(self, problem: Composite, state: FistaState) -> dict[str, jax.Array]:
        del problem
        return {
            "objective": state.value,
            "residual_norm": state.residual,
            "gradient_norm": state.optimality,
            "step": state.step,
        }


def fista(
    A: LinearOperator,
    b: Any,
    *,
    penalty: Penalty,
    x0: Any = None,
    step: Any = None,
    accelerate: bool = True,
    restart: bool = True,
    prox_steps: int = 10,
    rtol: Any = None,
    atol: Any = 0.0,
    max_steps: int = 5000,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise 1/2 norm(A x - b)^2 + penalty(x) by accelerated proximal gradient steps.

    ``x <- prox(y - s A^H (A y - b), s)`` and ``y <- x + (t - 1) / t' (x - x_before)``, where
    t' = (1 + sqrt(1 + 4 t^2)) / 2 is the next t: one product with A and one with A^H a step.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    penalty : Penalty
        With its weight: `L1`, `TotalVariation`, `NonNegative`, a sum of them ...
    x0 : array, optional
        First iterate; zeros by default.
    step : float or "backtracking", optional
        By default 1 / ``A.norm()**2``, or a search where no bound of the norm is known: from 1 / curvature along the
        first gradient down by factors of 0.7.
    accelerate : bool
        Without it these are the steps of ISTA.
    restart : bool
        Whether the momentum starts anew when it points uphill.
    prox_steps : int
        Iterations for a prox without a closed form (`TotalVariation`), each time from where the last ended.
    rtol, atol : float
        Stop when norm(y - x) / step, the gradient's norm where there is no penalty, is at most
        max(rtol norm(A^H b), atol), and the objective F is nearly the least: over the last fifth of the steps (20 at
        least) it fell by no more than rtol F / 2, or the gap is no larger by a bound. What is left to gain is then
        about rtol F where the gap falls at least as 1 / steps^2; a short step alone means nothing for a blur that
        removes much. In the first test rtol is 1e-4 at least where the prox is computed by iterations. `rtol` is 1e-4
        in single and 1e-6 in double precision unless given.
    max_steps : int
    loop : {"while", "scan", "chunked"}
        ``scan`` lets gradients go through the steps; it needs a number as step.
    callback : callable or list of callables, optional
        Called every few steps with a `Progress`; True stops.
    checkpoint : str, path or Checkpoint, optional
        File that the run is saved to, and goes on from if it exists.

    Returns
    -------
    Solution
        The iterate with the smallest objective (the last under ``scan``); ``history`` has ``objective``,
        ``residual_norm``, ``gradient_norm`` and ``step``.

    Raises
    ------
    ValueError
        For data with NaN or of the wrong shape, a penalty that is none or does not fit, and a negative step.

    References
    ----------
    Beck & Teboulle, SIAM J. Imaging Sci. 2 (2009) 183; O'Donoghue & Candes, Found. Comput. Math. 15 (2015) 715.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 6, boundary="wrap")
    >>> b = A @ [0.0, 0.0, 4.0, 0.0, 0.0, -1.0]
    >>> sol = co.fista(A, b, penalty=co.L1(0.01) + co.NonNegative())
    >>> print(sol.x.round(1) + 0.0, bool(sol.converged))
    [0. 0. 4. 0. 0. 0.] True
    """
    problem, search, flat = composite_of(A, b, penalty, x0, step, rtol, atol)
    if search and loop == "scan":
        raise ValueError("`step` is found by a search, through which loop='scan' has no derivative: give a number")
    method = Fista(bool(accelerate), bool(restart), search, positive(prox_steps, "prox_steps"))
    run = solve(method, problem, steps_of(max_steps), loop, callback, checkpoint)
    return outcome(problem, run, run.state.x if loop == "scan" else run.state.best.x, flat)
