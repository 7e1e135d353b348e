"""Gradient descent with any optax transformation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ..operators.arrays import ratio
from ..operators.base import LinearOperator
from ..operators.norms import scattered
from ..operators.sums import inner, length
from ..penalties.base import Penalty
from .checks import data_of, reported, scalar, small_slope, start_of, steps_of, tolerance
from .iterate import solve
from .minibatch import in_batches, observations
from .progress import Callbacks
from .solution import CONVERGED, NONFINITE, RUNNING, Solution

POWER_STEPS = 30  # power iterations for the curvature of a penalty


class Descent(NamedTuple):
    """min 1/2 norm(A x - b)^2 + penalty(x), with 1/step the Lipschitz constant of the gradient."""

    stops = ("threshold",)
    A: LinearOperator
    b: jax.Array
    x0: jax.Array
    step: jax.Array
    threshold: jax.Array
    penalty: Penalty | None = None  # where its numbers are data


class DescentState(NamedTuple):
    x: jax.Array
    gradient: jax.Array
    value: jax.Array
    residual_norm: jax.Array
    optimality: jax.Array
    inner: Any
    best: jax.Array
    best_value: jax.Array
    failed: jax.Array


@dataclass(frozen=True)
class GradientDescent:
    """x <- project(x + update(gradient)); without an optimizer the update is -gradient / Lipschitz."""

    optimizer: Any
    penalty: Callable[[jax.Array], jax.Array] | None
    project: Callable[[jax.Array], jax.Array] | None

    def extra(self, problem: Descent) -> Callable[[jax.Array], jax.Array] | None:
        """What is added to the misfit."""
        return self.penalty if problem.penalty is None else problem.penalty._value

    def objective(self, problem: Descent, x: jax.Array) -> jax.Array:
        r = problem.A._matvec(x) - problem.b
        value, extra = inner(r, r) / 2, self.extra(problem)
        return value if extra is None else value + extra(x)

    def measured(self, problem: Descent, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Objective, gradient (the steepest direction, also of a complex x) and residual norm."""
        r = problem.A._matvec(x) - problem.b
        value, gradient = inner(r, r) / 2, problem.A._rmatvec(r)
        if (extra := self.extra(problem)) is not None:
            more, slope = jax.value_and_grad(extra)(x)
            value, gradient = value + more, gradient + jnp.conj(slope)
        return value, gradient, length(r)

    def optimality(self, problem: Descent, x: jax.Array, gradient: jax.Array) -> jax.Array:
        """Norm of the gradient, or of the projected gradient step over the step length."""
        if self.project is None:
            return length(gradient)
        return length(x - self.project(x - problem.step * gradient)) / problem.step

    def init(self, problem: Descent) -> DescentState:
        x = problem.x0 if self.project is None else self.project(problem.x0)
        value, gradient, residual = self.measured(problem, x)
        held = None if self.optimizer is None else self.optimizer.init(x)
        optimality = self.optimality(problem, x, gradient)
        return DescentState(x, gradient, value, residual, optimality, held, x, value, ~jnp.isfinite(value))

    def step(self, problem: Descent, state: DescentState) -> DescentState:
        x, held = self.moved(problem, state.x, state.value, state.gradient, state.inner)
        value, gradient, residual = self.measured(problem, x)
        better = value <= state.best_value
        return DescentState(
            x,
            gradient,
            value,
            residual,
            self.optimality(problem, x, gradient),
            held,
            jnp.where(better, x, state.best),
            jnp.where(better, value, state.best_value),
            ~jnp.isfinite(value),
        )

    def moved(self, problem: Descent, x: Any, value: jax.Array, gradient: jax.Array, held: Any) -> tuple[Any, Any]:
        """The next iterate, and what the optimizer remembers."""
        if self.optimizer is None:
            update = -problem.step * gradient
        else:
            update, held = optax.with_extra_args_support(self.optimizer).update(
                gradient, held, x, value=value, grad=gradient, value_fn=lambda x: self.objective(problem, x)
            )
        x = optax.apply_updates(x, update)
        return (x if self.project is None else self.project(x)), held

    def done(self, problem: Descent, state: DescentState) -> jax.Array:
        small = state.optimality <= problem.threshold
        return jnp.where(state.failed, NONFINITE, jnp.where(small, CONVERGED, RUNNING))

    def report(self, problem: Descent, state: DescentState) -> dict[str, jax.Array]:
        del problem
        return {
            "objective": state.value,
            "gradient_norm": state.optimality,
            "residual_norm": state.residual_norm,
        }


def gradient_descent(
    A: LinearOperator,
    b: Any,
    *,
    optimizer: optax.GradientTransformation | None = None,
    penalty: Penalty | Callable[[jax.Array], jax.Array] | None = None,
    project: Callable[[jax.Array], jax.Array] | None = None,
    batch: int | None = None,
    key: Any = None,
    x0: Any = None,
    rtol: Any = None,
    atol: Any = 0.0,
    max_steps: int = 1000,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise 1/2 norm(A x - b)^2 + penalty(x) by gradient steps.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    optimizer : optax.GradientTransformation, optional
        Any of optax's, `optax.lbfgs` included. By default plain steps of length 1/Lipschitz, the constant being
        ``A.norm()**2`` (exact where the spectrum is known, else a bound) plus the penalty's curvature at x0.
    penalty : Penalty or callable, optional
        A smooth penalty (`Quadratic`, `Huber`), or a smooth function of x with a real value, weight included. Pass the
        same function again, not a new lambda, and nothing is compiled anew; the numbers of a `Penalty` are data.
    project : callable, optional
        Applied after every step, e.g. `optax.projections.projection_non_negative`.
    batch : int, optional
        Where A is a `vstack` of M operators that differ in their arrays alone (many pictures of one scene): how many of
        them, drawn at random, a step looks at. What the history tells is then M / batch times that of the batch, and
        all `max_steps` are taken. Without an optimizer the steps are 1 / (M max norm(A_i)^2 + curvature) long, and
        shorten as 1 / (1 + passes / 10); with one they are its own.
    key : jax.random.key, optional
        Of the draws; ``jax.random.key(0)`` by default.
    x0 : array, optional
        First iterate; zeros by default.
    rtol, atol : float
        Stop when the gradient's norm (with `project`, that of the projected gradient) is at most
        max(rtol norm(A^H b), atol). `rtol` is 1e-4 in single and 1e-6 in double precision unless given.
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
        The iterate with the smallest objective, with `batch` the last one; ``history`` has ``objective``,
        ``gradient_norm`` and ``residual_norm``.

    Raises
    ------
    ValueError
        For data with NaN or of the wrong shape, a penalty that is not smooth, and a `batch` that does not go with A.

    References
    ----------
    Robbins & Monro, Ann. Math. Stat. 22 (1951) 400, for batches.

    Examples
    --------
    >>> import optax, convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 4, boundary="symmetric")
    >>> nonnegative = optax.projections.projection_non_negative
    >>> sol = co.gradient_descent(A, [1.25, 2.0, 3.0, 3.75], project=nonnegative, rtol=1e-5)
    >>> print(sol.x.round(1), bool(sol.converged))
    [1. 2. 3. 4.] True
    """
    b, flat = data_of(A, b)
    known = penalty if isinstance(penalty, Penalty) else None
    if known is not None and not known.smooth:
        raise ValueError(f"`penalty` is {known!r}, which is not smooth: fista, admm and pdhg take it")
    extra = penalty if known is None else known._value
    method: Any = GradientDescent(optimizer, None if known is not None else penalty, project)
    first = start_of(A, x0, b.dtype)
    rtol, atol = tolerance(rtol, b.dtype, 1e-4, 1e-6), scalar(atol, "atol", b.dtype)
    threshold = small_slope(A.rmatvec(b), rtol, atol)
    problem: Any = Descent(A, b, first, jnp.ones((), atol.dtype), threshold, known)
    parts = A if batch is None else observations(A, batch)
    if optimizer is None or project is not None:
        square = parts.norm() ** 2 * (1 if batch is None else len(b))
        problem = problem._replace(step=1 / _lipschitz(square, first, penalty))
    if batch is not None:
        method, problem = in_batches(method, problem, parts, batch, key)
    run = solve(method, problem, steps_of(max_steps), loop, callback, checkpoint)
    x = run.state.x if batch is not None or loop == "scan" else run.state.best
    r = b - A.matvec(x)
    value = inner(r, r) / 2 + (0 if extra is None else extra(x))
    return Solution(
        x=x.reshape(-1) if flat else x,
        converged=run.code == CONVERGED,
        num_steps=run.steps,
        residual_norm=reported(length(r)),
        objective=reported(value),
        history=run.history,
        code=run.code,
    )


def _lipschitz(square: jax.Array, x: jax.Array, penalty: Penalty | Callable | None) -> jax.Array:
    """Lipschitz constant of the gradient: norm(A)^2, and the penalty's largest curvature at x (with 5 % to spare)."""
    square = square.astype(jnp.finfo(x.dtype).dtype)
    constant = jnp.where(square > 0, square, 1)
    if penalty is None:
        return constant
    if isinstance(penalty, Penalty):
        return constant + penalty.curvature(x.shape).astype(constant.dtype)
    gradient = jax.grad(penalty)

    def curved(_: int, v: jax.Array) -> jax.Array:
        w = jax.jvp(gradient, (x,), (v,))[1]
        size = length(w)
        return ratio(jnp.conj(w), size)

    start = scattered(x.shape, x.dtype)
    v = jax.lax.fori_loop(0, POWER_STEPS, curved, start / length(start))
    return constant + 1.05 * length(jax.jvp(gradient, (x,), (v,))[1])
