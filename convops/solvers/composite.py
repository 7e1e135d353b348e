"""What the proximal methods for min 1/2 norm(A x - b)^2 + penalty(x) have in common: problem, checks and report."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..penalties.base import Penalty
from ..penalties.constraints import Constraint
from .checks import data_of, inner, length, reported, scalar, small_slope, start_of, tolerance
from .iterate import Run
from .seen import seen
from .solution import CONVERGED, NONFINITE, RUNNING, Solution

BACKTRACKING = "backtracking"


class Composite(NamedTuple):
    """The problem, its first iterate, the step, and the norm of a proximal gradient that is small enough."""

    stops = ("threshold",)
    A: LinearOperator
    b: jax.Array
    penalty: Penalty
    x0: jax.Array
    step: jax.Array
    threshold: jax.Array

    def objective(self, x: jax.Array, r: jax.Array) -> jax.Array:
        """1/2 norm(r)^2 + penalty(x), with r = A x - b."""
        return inner(r, r) / 2 + self.penalty._value(x)


class Proximal:
    """What the methods for it have in common."""

    def done(self, problem: Composite, state: Any) -> jax.Array:
        small = state.optimality <= problem.threshold
        return jnp.where(state.failed, NONFINITE, jnp.where(small, CONVERGED, RUNNING))


class Best(NamedTuple):
    """The finite iterate with the smallest objective so far."""

    x: jax.Array
    value: jax.Array

    def or_better(self, x: jax.Array, value: jax.Array) -> "Best":
        """Take another where it is better."""
        better = (value <= self.value) | ~jnp.isfinite(self.value) & jnp.isfinite(value)
        return Best(jnp.where(better, x, self.x), jnp.where(better, value, self.value))


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
    threshold = small_slope(A.rmatvec(b), rtol, atol)
    if step is None:
        step = _safe_step(A)
    if isinstance(step, str) and step != BACKTRACKING:
        raise ValueError(f"`step` is {step!r}; give a positive number or {BACKTRACKING!r}")
    search = isinstance(step, str)
    length_ = _first_step(A, first, b) if search else scalar(step, "step", b.dtype)
    return Composite(A, b, penalty, first, length_.astype(atol.dtype), threshold), search, flat


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
