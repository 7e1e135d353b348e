"""What the proximal methods for min 1/2 norm(A x - b)^2 + penalty(x) have in common: problem, checks and report."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.sums import inner, length
from ..penalties.base import Penalty
from ..penalties.constraints import Constraint
from .checks import data_of, reported, scalar, small_slope, start_of, tolerance
from .iterate import Run
from .seen import seen
from .solution import CONVERGED, NONFINITE, RUNNING, Solution

BACKTRACKING = "backtracking"
FEWEST = 20  # steps over which the fall of the objective is measured, at least
INEXACT_PROX = 1e-4  # the least rtol of a step's length, which errors of a prox by iterations keep up


class Composite(NamedTuple):
    """The problem, its first iterate, the step, and the norm of a proximal gradient that is small enough.

    `rtol` is of the objective: how much of it may still be gained.
    """

    stops = ("threshold", "rtol")
    A: LinearOperator
    b: jax.Array
    penalty: Penalty
    x0: jax.Array
    step: jax.Array
    threshold: jax.Array
    rtol: Any = 0.0

    def objective(self, x: jax.Array, r: jax.Array) -> jax.Array:
        """1/2 norm(r)^2 + penalty(x), with r = A x - b."""
        return inner(r, r) / 2 + self.penalty._value(x)


class Best(NamedTuple):
    """The finite iterate with the smallest objective so far, and how much that fell over the last steps.

    Methods with momentum come nearer to the least objective as 1 / steps^2 at worst: what is still to be gained is
    less than twice what the last fifth of the steps gained. The length of a step says nothing of it for a blur, whose
    objective is all but flat along what the blur removes.
    """

    x: jax.Array
    value: jax.Array
    before: jax.Array  # the value at the step `since`, from which on the fall is measured
    since: jax.Array
    steps: jax.Array
    fall: jax.Array

    @classmethod
    def begin(cls, x: jax.Array, value: jax.Array) -> "Best":
        """Start with the first iterate."""
        none = jnp.zeros((), int)
        return cls(x, value, value, none, none, jnp.full_like(value, jnp.inf))

    def or_better(self, x: jax.Array, value: jax.Array) -> "Best":
        """Take another where it is better."""
        better = (value <= self.value) | ~jnp.isfinite(self.value) & jnp.isfinite(value)
        x, value = jnp.where(better, x, self.x), jnp.where(better, value, self.value)
        steps = self.steps + 1
        due = steps - self.since >= jnp.maximum(FEWEST, self.since // 4)
        fall = jnp.where(due, self.before - value, self.fall)
        return Best(x, value, jnp.where(due, value, self.before), jnp.where(due, steps, self.since), steps, fall)


class Proximal:
    """What the methods for it have in common."""

    def done(self, problem: Composite, state: Any) -> jax.Array:
        enough = problem.rtol * (state.best.value + (problem.rtol * length(problem.b)) ** 2 / 2)
        flat = 2 * state.best.fall <= enough
        bounded = 2 * state.optimality * length(state.x) <= enough  # the gap is at most norm(g) norm(x - the solution)
        small = (state.optimality <= problem.threshold) & (flat | bounded)
        return jnp.where(state.failed, NONFINITE, jnp.where(small, CONVERGED, RUNNING))


def penalty_of(penalty: Any, A: LinearOperator, b: jax.Array) -> Penalty:
    """Refuse what is no penalty, and one that does not take images of this shape."""
    if not isinstance(penalty, Penalty):
        raise ValueError(
            f"`penalty` is a {type(penalty).__name__}; give a penalty such as co.TotalVariation(1e-3) or co.L1(1e-3); "
            "co.gradient_descent takes smooth functions"
        )
    penalty._check(jax.ShapeDtypeStruct(A.in_shape, b.dtype))  # type: ignore[arg-type]
    return penalty


def data_given(A: LinearOperator, b: Any, penalty: Any, x0: Any):
    """The checked data, zero where they do not count, whether they came flat, the penalty, and the first iterate."""
    b, flat = data_of(A, b)
    kept = seen(A)
    b = b if kept is None else jnp.where(kept, b, 0)
    penalty = penalty_of(penalty, A, b)
    _, terms = penalty.lifted(A.in_shape)
    dtype = jnp.result_type(b, *(leaf for operator, _ in terms for leaf in operator._inexact_leaves()))
    b = b.astype(dtype)  # what the terms are computed in
    return b, flat, penalty, start_of(A, x0, dtype)


def composite_of(A, b, penalty, x0, step, rtol, atol) -> tuple[Composite, bool, bool]:
    """The problem, whether the step is found by backtracking, and whether the data came flat."""
    b, flat, penalty, first = data_given(A, b, penalty, x0)
    if penalty.lifts:
        raise ValueError(f"`penalty` is {penalty!r}, a minimum over further unknowns: pdhg and admm take it")
    rtol, atol = tolerance(rtol, b.dtype, 1e-4, 1e-6), scalar(atol, "atol", b.dtype)
    lengths = rtol if penalty.exact else jnp.maximum(rtol, INEXACT_PROX)
    threshold = small_slope(A.rmatvec(b), lengths, atol)
    if step is None:
        step = _safe_step(A)
    if isinstance(step, str) and step != BACKTRACKING:
        raise ValueError(f"`step` is {step!r}; give a positive number or {BACKTRACKING!r}")
    search = isinstance(step, str)
    length_ = _first_step(A, first, b) if search else scalar(step, "step", b.dtype)
    return Composite(A, b, penalty, first, length_.astype(atol.dtype), threshold, rtol), search, flat


def _safe_step(A: LinearOperator) -> Any:
    """1 / norm(A)^2 where the norm or a bound is known, else a search."""
    try:
        norm = A.norm("bound")
    except ValueError:
        return BACKTRACKING
    return _inverse_square(norm)


@jax.jit
def _inverse_square(norm: jax.Array) -> jax.Array:
    return 1 / jnp.where(norm > 0, norm, 1) ** 2


@jax.jit
def _first_step(A: LinearOperator, x: jax.Array, b: jax.Array) -> jax.Array:
    """1 / curvature along the first gradient: never too short."""
    g = A._rmatvec(A._matvec(x) - b)
    bent, size = A._matvec(g), inner(g, g)
    curved = inner(bent, bent)
    return jnp.where(curved > 0, size / jnp.where(curved > 0, curved, 1), 1)


def outcome(problem: Composite, run: Run, x: jax.Array, flat: bool) -> Solution:
    """What is told of an iterate."""
    x, code, converged, residual, objective = _figures(problem, x, run.code)
    return Solution(
        x=x.reshape(-1) if flat else x,
        converged=converged,
        num_steps=run.steps,
        residual_norm=residual,
        objective=objective,
        history=run.history,
        code=code,
    )


@jax.jit
def _figures(problem: Composite, x: jax.Array, code: jax.Array) -> tuple[jax.Array, ...]:
    """An iterate, zero where it is not finite, why the run ended, and what the iterate is worth."""
    fine = jnp.all(jnp.isfinite(x))
    x = jnp.where(fine, x, 0)
    r = problem.A.matvec(x) - problem.b
    code = jnp.where(fine, code, NONFINITE)
    return x, code, code == CONVERGED, reported(length(r)), reported(problem.objective(x, r))


def feasible(penalty: Penalty, x: jax.Array) -> jax.Array:
    """The nearest point of the constraints among the penalties, one after the other."""
    for part in penalty.parts:
        if isinstance(part, Constraint):
            x = part._prox(x, jnp.ones((), jnp.finfo(x.dtype).dtype))
    return x
