"""The normal equations (A^H A + weight L^H L) x = A^H b by conjugate gradients, differentiated implicitly."""

from functools import partial

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from .checks import inner, length, reported
from .iterate import Run, run_while, settled, start
from .krylov import ConjugateGradient, System


def normal(A: LinearOperator, L: LinearOperator, weight: jax.Array, x: jax.Array) -> jax.Array:
    """(A^H A + weight L^H L) x."""
    return A._rmatvec(A._matvec(x)) + weight * L._rmatvec(L._matvec(x))


@jax.jit
def system_of(A, L, b, weight, first, rtol, atol) -> System:
    """The normal equations for the correction to the first iterate."""
    matvec = jax.tree_util.Partial(normal, A, L, weight)
    rhs = A._rmatvec(b) - matvec(first)
    return System(matvec, rhs, jnp.maximum(rtol * length(rhs), atol))


@partial(jax.jit, static_argnames="max_steps")
def implicit(A, L, b, weight, first, rtol, atol, max_steps: int) -> tuple[jax.Array, Run]:
    """Solve by CG, differentiated implicitly: the transposed system is solved by CG too."""

    def cg(matvec, rhs: jax.Array) -> tuple[jax.Array, Run]:
        method = ConjugateGradient()
        system = System(matvec, rhs, jnp.maximum(rtol * length(rhs), atol))
        run = settled(run_while(method, system, start(method, system, max_steps), max_steps))
        return run.state.x, run._replace(state=None)

    first = jax.lax.stop_gradient(first)
    system = system_of(A, L, b, weight, first, rtol, atol)
    x, run = jax.lax.custom_linear_solve(system.matvec, system.rhs, cg, cg, has_aux=True)
    return first + x, run


@jax.jit
def summary(A, L, b, weight, x, rtol, atol):
    """The solution where it is finite, its residual and objective, and whether the true residual is small."""
    fine = jnp.all(jnp.isfinite(x))
    x = jnp.where(fine, x, 0)
    r, rough = A._matvec(x) - b, L._matvec(x)
    gradient = A._rmatvec(r) + weight * L._rmatvec(rough)
    slack = 10 * rtol + 100 * jnp.finfo(x.dtype).eps  # what rounding may cost
    met = length(gradient) <= jnp.maximum(slack * length(A._rmatvec(b)), atol)
    objective = inner(r, r) / 2 + weight * inner(rough, rough) / 2
    return x, fine, reported(length(r)), reported(objective), met
