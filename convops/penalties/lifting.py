"""Minimising over an image and what a penalty hides, by the primal-dual method of Chambolle & Pock.

The joint unknown u holds the image at index 0; sum_i f_i(K_i u) + norm(u[0] - x)^2 / (2 step) is minimised, step = 0
holding the image at x (J. Math. Imaging Vision 40 (2011) 120, with over-relaxation).
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.sums import square
from . import dual
from .analysis import norm_bound
from .pointwise import modulus

if TYPE_CHECKING:
    from .base import Penalty, Term

MOST = 2000  # steps of a prox or a value
TOLERANCE = {32: 1e-6, 64: 1e-8}  # of the change in a step, relative to the unknowns
BACKWARD = 50  # the root of the number of steps that a derivative goes through
RELAXATION = 1.9
BALANCE = 0.03  # primal over dual steps, in units of the sizes of the unknowns; 0.03 to 0.1 do well on photographs


class Problem(NamedTuple):
    """The terms, the image and the steps of both sides."""

    terms: tuple["Term", ...]
    x: jax.Array
    step: jax.Array
    tau: jax.Array
    sigma: jax.Array


class State(NamedTuple):
    """Both sides, and how far the last step went relative to where it led."""

    u: jax.Array
    p: Any
    change: jax.Array
    steps: jax.Array


def problem_of(penalty: "Penalty", x: jax.Array, step: jax.Array) -> Problem:
    """Set up the problem; the steps' ratio is that of the sizes expected of the unknowns."""
    _, terms = penalty.lifted(x.shape)
    bound = jnp.sqrt(sum((norm_bound(term.operator, quick=True) ** 2 for term in terms), jnp.zeros(())))
    real = jnp.finfo(x.dtype).dtype
    size = jnp.sqrt(jnp.mean(modulus(x - jnp.mean(x)) ** 2))
    strength = penalty._strength().astype(real)  # type: ignore[attr-defined]
    ratio = jnp.where((size > 0) & (strength > 0), size, 1) / jnp.where((size > 0) & (strength > 0), strength, 1)
    ratio = BALANCE * ratio
    return Problem(terms, x, step, ratio / bound.astype(real), 1 / (ratio * bound.astype(real)))


def zeros(penalty: "Penalty", x: jax.Array) -> Any:
    """Where to start: what the penalty makes of the image, and zeros on the dual side."""
    _, terms = penalty.lifted(x.shape)
    u = penalty._joined(x)  # type: ignore[attr-defined]
    shapes = [jax.eval_shape(term.operator._matvec, u) for term in terms]
    return u, tuple(jnp.zeros(shape.shape, shape.dtype) for shape in shapes)


def advance(problem: Problem, state: State) -> State:
    """Take one step."""
    (terms, x, step, tau, sigma), (u, p, *_) = problem, state
    back = [term.operator._rmatvec(part) for term, part in zip(terms, p, strict=True)]
    v = u - tau * sum(back[1:], back[0])
    v = v.at[0].set((step * v[0] + tau * x) / (step + tau))
    mirrored = 2 * v - u
    q = tuple(
        function._conjugate_prox(part + sigma * operator._matvec(mirrored), sigma)
        for (operator, function), part in zip(terms, p, strict=True)
    )
    moved = square(v - u) / tau + sum(square(new - old) / sigma for new, old in zip(q, p, strict=True))
    size = square(v) / tau + sum(square(new) / sigma for new in q)
    u = u + RELAXATION * (v - u)
    p = jax.tree.map(lambda new, old: old + RELAXATION * (new - old), q, p)
    return State(u, p, jnp.sqrt(moved / jnp.where(size > 0, size, 1)), state.steps + 1)


def minimised(penalty: "Penalty", x: jax.Array, step: jax.Array) -> State:
    """Run to the `TOLERANCE`."""
    problem = problem_of(penalty, x, step)
    enough = TOLERANCE[max(jnp.finfo(x.dtype).bits, 32)]
    u, p = zeros(penalty, x)
    first = State(u, p, jnp.full((), jnp.inf, step.dtype), jnp.zeros((), int))
    return jax.lax.while_loop(
        lambda state: (state.change > enough) & (state.steps < MOST), lambda state: advance(problem, state), first
    )


@jax.custom_jvp
def converged(penalty: "Penalty", x: jax.Array, step: jax.Array) -> jax.Array:
    """The prox."""
    return minimised(penalty, x, step).u[0]


@converged.defjvp
def _converged_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    """The derivative of steps from the solution, which stay there: that of the solution in the limit."""
    found = minimised(*primals)

    def further(penalty: "Penalty", x: jax.Array, step: jax.Array) -> jax.Array:
        problem = problem_of(penalty, x, step)
        held = problem._replace(tau=jax.lax.stop_gradient(problem.tau), sigma=jax.lax.stop_gradient(problem.sigma))
        first = State(found.u, found.p, jnp.zeros_like(step), jnp.zeros((), int))
        return dual.repeated(lambda state: advance(held, state), first, BACKWARD).u[0]

    return found.u[0], jax.jvp(further, primals, tangents)[1]


def advanced(penalty: "Penalty", x: jax.Array, step: jax.Array, reached: Any, steps: int) -> tuple[jax.Array, Any]:
    """The prox, and both sides, after some steps from where the last call came to."""
    problem = problem_of(penalty, x, step)
    u, p = reached
    first = State(u, p, jnp.full((), jnp.inf, step.dtype), jnp.zeros((), int))
    state, _ = jax.lax.scan(lambda s, _: (advance(problem, s), None), first, None, length=steps)
    return state.u[0], (state.u, state.p)
