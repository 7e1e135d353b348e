"""Proximal maps without a closed form, by accelerated gradient steps on the dual.

With u the minimiser of sum_i f_i(K_i u) + g(u) + norm(u - x)^2 / (2 step), g having a prox in closed form, the dual
unknowns p_i give u = prox_g(x - step sum_i K_i^H p_i), and a gradient step is p_i <- prox of f_i^* at p_i + sigma K_i u
with 1/sigma = step sum_i norm(K_i)^2. For total variation in a box this is the fast gradient projection of Beck &
Teboulle, IEEE Trans. Image Process. 18 (2009) 2419; momentum restarts as in O'Donoghue & Candes, Found. Comput. Math.
15 (2015) 715. The p_i are bounded by the weights alone, so that they stay a good start when x or the step change.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.sums import inner, length
from .analysis import like, norm_bound

if TYPE_CHECKING:
    from .base import Penalty, Term

MOST = 500  # steps of a prox
BACKWARD = 25  # the root of the number of steps that a derivative goes through
REGULAR = 50  # steps of momentum there
TOLERANCE = {32: 1e-6, 64: 1e-9}  # of the change in a step, relative to x


class Split(NamedTuple):
    """A penalty's parts by what its prox makes of them."""

    quadratics: tuple["Penalty", ...]  # absorbed into x and the step
    simple: tuple["Penalty", ...]  # their proxes, one after the other, are the prox of their sum
    others: tuple["Penalty", ...]  # these go to the dual


class State(NamedTuple):
    """The dual point p, its shadow v = x - step K^H p, both extrapolated, and the momentum."""

    p: Any
    v: jax.Array
    ahead: Any
    v_ahead: jax.Array
    t: jax.Array
    change: jax.Array
    steps: jax.Array


def split(penalty: "Penalty") -> Split:
    """Sort the parts of a penalty."""
    parts = penalty.parts
    quadratics = tuple(p for p in parts if p._place == "quadratic")
    intervals = tuple(p for p in parts if p._place == "interval")
    rest = [p for p in parts if p._place not in ("quadratic", "interval")]
    # for functions of one number, convex or growing with it from zero, the minimiser over an interval is the projected
    # one; other functions come first where there is no interval
    first = [p for p in rest if p._place == "pointwise"] or [p for p in rest if p.exact and not intervals]
    others = tuple(p for p in rest if p is not first[0]) if first else tuple(rest)
    found = Split(quadratics, (*first[:1], *intervals), others)
    concave = not all(p.convex for p in rest)
    if concave and (others or any(p._place == "interval" and not p._cone for p in intervals)):  # type: ignore[attr-defined]
        raise ValueError(
            f"no prox is known for {penalty!r}, which is not convex: a HyperLaplacian goes with an orthonormal "
            "transform or none, NonNegative and Quadratic(None); splitting methods take its `terms`"
        )
    return found


class Problem(NamedTuple):
    """Find the prox of the terms and the simple parts at x."""

    simple: tuple["Penalty", ...]
    terms: tuple["Term", ...]
    x: jax.Array
    step: jax.Array
    sigma: jax.Array

    def primal(self, v: jax.Array) -> jax.Array:
        """The minimiser that belongs to a dual point, from its shadow."""
        for part in self.simple:
            v = part._prox(v, self.step)
        return v

    def shadow(self, p: Any) -> jax.Array:
        """Return x - step K^H p."""
        back = [term.operator._rmatvec(part) for term, part in zip(self.terms, p, strict=True)]
        return self.x - self.step * like(self.x, sum(back[1:], back[0]))


def problem_of(penalty: "Penalty", x: jax.Array, step: jax.Array) -> Problem:
    """Absorb squared distances, which leave x and step as another x and step, and set up the dual of the rest."""
    found = split(penalty)
    for part in found.quadratics:
        x = part._prox(x, step)
        step = step / (1 + step * part._weight(x))  # type: ignore[attr-defined]
    terms = tuple(term for part in found.others for term in part._terms(x.shape))
    bound = sum((norm_bound(term.operator, quick=True) ** 2 for term in terms), jnp.zeros(()))
    bound = jnp.where(bound > 0, bound, 1).astype(step.dtype)
    return Problem(found.simple, terms, x, step, 1 / (step * bound))


def zeros(penalty: "Penalty", x: jax.Array) -> Any:
    """The dual point to start from."""
    if penalty.exact:
        return ()
    if penalty.lifts:
        from . import lifting

        return lifting.zeros(penalty, x)
    terms = [term for part in split(penalty).others for term in part._terms(x.shape)]
    shapes = [jax.eval_shape(term.operator._matvec, x) for term in terms]
    return tuple(jnp.zeros(shape.shape, shape.dtype) for shape in shapes)


def start(problem: Problem, p: Any) -> State:
    """The state before the first step."""
    v = problem.shadow(p)
    one = jnp.ones((), problem.step.dtype)
    return State(p, v, p, v, one, jnp.full_like(one, jnp.inf), jnp.zeros((), int))


def advance(problem: Problem, state: State, regular: bool = False) -> State:
    """Take one step; momentum restarts where it points uphill, or at regular intervals."""
    u = problem.primal(state.v_ahead)
    p = tuple(
        function._conjugate_prox(ahead + problem.sigma * operator._matvec(u), problem.sigma)
        for (operator, function), ahead in zip(problem.terms, state.ahead, strict=True)
    )
    v = problem.shadow(p)
    uphill = sum(inner(a - new, new - old) for a, new, old in zip(state.ahead, p, state.p, strict=True))
    t = jnp.where(state.steps % REGULAR == 0 if regular else uphill > 0, 1, state.t)
    following = (1 + jnp.sqrt(1 + 4 * t**2)) / 2
    momentum = (t - 1) / following
    ahead = jax.tree.map(lambda new, old: new + momentum * (new - old), p, state.p)
    v_ahead = v + momentum * (v - state.v)
    change = length(v - state.v_ahead)
    return State(p, v, ahead, v_ahead, following, change, state.steps + 1)


def converged(penalty: "Penalty", x: jax.Array, step: jax.Array) -> jax.Array:
    """The prox, to the `TOLERANCE`."""
    if penalty.lifts:
        from . import lifting

        return lifting.converged(penalty, x, step)
    problem = problem_of(penalty, x, step)
    if not problem.terms:
        return problem.primal(problem.x)
    return problem.primal(problem.shadow(_solution(penalty, x, step)))


@jax.custom_jvp
def _solution(penalty: "Penalty", x: jax.Array, step: jax.Array) -> Any:
    """The dual point, to the `TOLERANCE`."""
    problem = problem_of(penalty, x, step)
    enough = TOLERANCE[max(jnp.finfo(x.dtype).bits, 32)] * length(x)

    def going(state: State) -> jax.Array:
        return (state.change > enough) & (state.steps < MOST)

    first = start(problem, zeros(penalty, x))
    return jax.lax.while_loop(going, lambda state: advance(problem, state), first).p


@_solution.defjvp
def _solution_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    """The derivative of `BACKWARD`^2 steps from the solution, which stay there: that of the solution in the limit.

    Linearised at the solution, the steps are a convergent iteration for its derivative. Steps of no length do not tell
    where momentum is to restart: that is done at regular intervals, without which rounding grows.
    """
    p = _solution(*primals)

    def further(penalty: "Penalty", x: jax.Array, step: jax.Array) -> Any:
        problem = problem_of(penalty, x, step)
        return repeated(lambda state: advance(problem, state, regular=True), start(problem, p), BACKWARD).p

    return p, jax.jvp(further, primals, tangents)[1]


def repeated(step: Any, state: Any, root: int) -> Any:
    """Take root^2 steps; a reverse derivative keeps 2 root states."""

    @jax.checkpoint
    def several(state: Any) -> Any:
        return jax.lax.scan(lambda s, _: (step(s), None), state, None, length=root)[0]

    return jax.lax.scan(lambda s, _: (several(s), None), state, None, length=root)[0]


def advanced(penalty: "Penalty", x: jax.Array, step: jax.Array, p: Any, steps: int) -> tuple[jax.Array, Any]:
    """The prox and the dual point after some steps from `p`."""
    if penalty.exact:
        return penalty._prox(x, step), p
    if penalty.lifts:
        from . import lifting

        return lifting.advanced(penalty, x, step, p, steps)
    problem = problem_of(penalty, x, step)
    state, _ = jax.lax.scan(lambda s, _: (advance(problem, s), None), start(problem, p), None, length=steps)
    return problem.primal(state.v), state.p
