"""What the Krylov methods for min norm(A x - b)^2 + damp^2 norm(x)^2 have in common: problem, checks and report."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.sums import inner, length
from .checks import data_of, reported, scalar, start_of, steps_of, tolerance
from .iterate import Method, solve
from .progress import Callbacks
from .solution import CONVERGED, INEXACT, Solution


class LeastSquares(NamedTuple):
    """The problem, its first iterate, absolute thresholds for the stopping tests, and what is optional."""

    stops = ("residual", "gradient")
    A: LinearOperator
    b: jax.Array
    x0: jax.Array
    damp: jax.Array
    residual: jax.Array  # stop when norm(b - A x) is at most this,
    gradient: jax.Array  # or norm(A^H (b - A x) - damp^2 x)
    preconditioner: LinearOperator | None = None
    truth: jax.Array | None = None

    def precondition(self, s: jax.Array) -> jax.Array:
        """Apply what approximates (A^H A + damp^2)^-1."""
        return s if self.preconditioner is None else self.preconditioner._matvec(s).astype(s.dtype)

    def told(self, x: jax.Array, residual: jax.Array, gradient: jax.Array, **more: jax.Array) -> dict[str, jax.Array]:
        """The scalars of the history, with the relative error where the truth is known."""
        found = {"residual_norm": residual, "gradient_norm": gradient, **more}
        if self.truth is not None:
            found["error"] = length(x - self.truth) / length(self.truth)
        return found


def minimised(
    method: Method,
    A: LinearOperator,
    b: Any,
    *,
    damp: Any,
    x0: Any,
    preconditioner: LinearOperator | None,
    truth: Any,
    rtol: Any,
    atol: Any,
    max_steps: int,
    loop: str,
    callback: Callbacks,
    checkpoint: Any,
) -> Solution:
    """Check the arguments, run the method, and report what its iterate is worth."""
    b, flat = data_of(A, b)
    first = start_of(A, x0, b.dtype)
    rtol, atol = tolerance(rtol, b.dtype, 1e-5, 1e-8), scalar(atol, "atol", b.dtype)
    residual, gradient = _thresholds(b, A.rmatvec(b), rtol, atol)
    problem = LeastSquares(
        A,
        b,
        first,
        scalar(damp, "damp", b.dtype),
        residual,
        gradient,
        checked_preconditioner(A, preconditioner, b),
        None if truth is None else start_of(A, truth, b.dtype, "truth"),
    )
    run = solve(method, problem, steps_of(max_steps), loop, callback, checkpoint)
    x = run.state.x
    r = b - A.matvec(x)
    code, converged, residual, objective = _figures(
        (problem.damp, problem.residual, problem.gradient), x, r, A.rmatvec(r), run.code
    )
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
def _thresholds(b: jax.Array, slope: jax.Array, rtol: jax.Array, atol: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The norms of a residual and of a gradient that are small enough, with slope = A^H b."""
    return jnp.maximum(rtol * length(b), atol), rtol * length(slope)


@jax.jit
def _figures(asked: tuple, x: jax.Array, r: jax.Array, slope: jax.Array, code: jax.Array) -> tuple[jax.Array, ...]:
    """Why the run ended, whether it converged, and what x is worth, with r = b - A x and slope = A^H r."""
    damp, residual, gradient = asked
    met = (length(r) <= 10 * residual) | (length(slope - damp**2 * x) <= 10 * gradient)  # rounding may cost a digit
    code = jnp.where((code == CONVERGED) & ~met, INEXACT, code)
    objective = inner(r, r) + damp**2 * inner(x, x)
    return code, code == CONVERGED, reported(length(r)), reported(objective)


def checked_preconditioner(A: LinearOperator, P: Any, b: jax.Array) -> LinearOperator | None:
    """Refuse what is no operator on the space of x."""
    if P is None or (isinstance(P, LinearOperator) and P.in_shape == P.out_shape == A.in_shape):
        if P is not None and jnp.issubdtype(P.dtype, jnp.complexfloating) and not jnp.iscomplexobj(b):
            raise ValueError("`preconditioner` is complex and the problem is real: give a real operator")
        return P
    raise ValueError(f"`preconditioner` must be an operator on {A.in_shape}, what A acts on; got {P!r}")


def needs_rows(damp: Any, x0: Any, preconditioner: Any) -> bool:
    """Whether damping must be made of rows below A: it acts on x0 + z, or on z in another inner product."""
    undamped = isinstance(damp, int | float) and damp == 0
    return not undamped and not (x0 is None and preconditioner is None)
