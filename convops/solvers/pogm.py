"""The proximal optimised gradient method."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.sums import inner, length
from ..operators.window import positive
from ..penalties.base import Penalty
from .checks import steps_of
from .composite import BACKTRACKING, Best, Composite, Proximal, composite_of, outcome
from .iterate import solve
from .progress import Callbacks
from .solution import Solution


class PogmState(NamedTuple):
    x: jax.Array
    r: jax.Array  # A x - b
    w: jax.Array
    z: jax.Array
    theta: jax.Array
    gamma: jax.Array
    dual: Any
    value: jax.Array
    optimality: jax.Array
    best: Best
    failed: jax.Array


@dataclass(frozen=True)
class Pogm(Proximal):
    """POGM with restart (Kim and Fessler 2018, algorithm POGM')."""

    restart: bool
    prox_steps: int

    def init(self, problem: Composite) -> PogmState:
        x = problem.x0
        r = problem.A._matvec(x) - problem.b
        value = problem.objective(x, r)
        one = jnp.ones_like(problem.step)
        dual = problem.penalty.dual_start(x)
        failed = ~jnp.all(jnp.isfinite(r))
        return PogmState(
            x, r, x, x, one, problem.step, dual, value, jnp.full_like(one, jnp.inf), Best.begin(x, value), failed
        )

    def step(self, problem: Composite, state: PogmState) -> PogmState:
        s, theta = problem.step, state.theta
        following = (1 + jnp.sqrt(1 + 4 * theta**2)) / 2
        gamma = s * (2 * theta + following - 1) / following
        w = state.x - s * problem.A._rmatvec(state.r)
        z = (
            w
            + (theta - 1) / following * (w - state.w)
            + theta / following * (w - state.x)
            + (theta - 1) / following * s / state.gamma * (state.z - state.x)
        )
        x, dual = problem.penalty.warm_prox(z, gamma, state.dual, self.prox_steps)
        r = problem.A._matvec(x) - problem.b
        value = problem.objective(x, r)
        change = x - state.x
        if self.restart:  # where the composite gradient mapping points along the last move, the momentum led uphill
            slope = (state.x - w) / s + (z - x) / gamma
            following = jnp.where(inner(slope, change) > 0, 1, following)
        return PogmState(
            x=x,
            r=r,
            w=w,
            z=z,
            theta=following,
            gamma=gamma,
            dual=dual,
            value=value,
            optimality=length(change) / s,
            best=state.best.or_better(x, value),
            failed=~jnp.all(jnp.isfinite(r)),
        )

    def report(self, problem: Composite, state: PogmState) -> dict[str, jax.Array]:
        del problem
        return {"objective": state.value, "residual_norm": length(state.r), "gradient_norm": state.optimality}


def pogm(
    A: LinearOperator,
    b: Any,
    *,
    penalty: Penalty,
    x0: Any = None,
    step: Any = None,
    restart: bool = True,
    prox_steps: int = 10,
    rtol: Any = None,
    atol: Any = 0.0,
    max_steps: int = 5000,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise 1/2 norm(A x - b)^2 + penalty(x) by the proximal optimised gradient method.

    Its guarantee is half that of `fista` at the same cost a step (Taylor, Hendrickx & Glineur, SIAM J. Optim. 27 (2017)
    1283); restart as in Kim & Fessler, J. Optim. Theory Appl. 178 (2018) 240. From zeros its first steps overshoot the
    mean of a bright scene, and make up for it slowly: give ``x0=b`` where x is a photograph.

    Parameters
    ----------
    A, b, penalty, x0, prox_steps, max_steps, loop, callback, checkpoint
        As in `fista`.
    step : float, optional
        1 / ``A.norm()**2`` by default; operators of which no bound is known need one.
    restart : bool
        Whether the momentum starts anew when it points uphill.
    rtol, atol : float
        Stop when the change of x in a step, over the step's length, is at most max(rtol norm(A^H b), atol), and
        the objective is nearly the least, as in `fista`. `rtol` is 1e-4 in single and 1e-6 in double precision unless
        given.

    Returns
    -------
    Solution
        The iterate with the smallest objective (the last under ``scan``); ``history`` has ``objective``,
        ``residual_norm`` and ``gradient_norm``.

    Raises
    ------
    ValueError
        As `fista`, and where no bound of the operator's norm is known and no step is given.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 6, boundary="wrap")
    >>> b = A @ [0.0, 0.0, 4.0, 0.0, 0.0, -1.0]
    >>> print(co.pogm(A, b, penalty=co.L1(0.01) + co.NonNegative()).x.round(1) + 0.0)
    [0. 0. 4. 0. 0. 0.]
    """
    problem, search, flat = composite_of(A, b, penalty, x0, step, rtol, atol)
    if search:
        given = f"`step` is {BACKTRACKING!r}" if isinstance(step, str) else "no bound of the operator's norm is known"
        raise ValueError(f"{given}: pogm needs a number, e.g. step=0.95 / A.norm('lanczos')**2; fista searches")
    method = Pogm(bool(restart), positive(prox_steps, "prox_steps"))
    run = solve(method, problem, steps_of(max_steps), loop, callback, checkpoint)
    return outcome(problem, run, run.state.x if loop == "scan" else run.state.best.x, flat)
