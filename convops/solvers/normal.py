"""The normal equations (A^H A + weight L^H L) x = A^H b by conjugate gradients, differentiated implicitly."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..operators import transforms
from ..operators.base import LinearOperator
from ..operators.cosine import asymmetry
from ..operators.spectral import gram_symbol, joined, mirrored, symbol
from ..operators.sums import inner, length
from ..operators.unknown_boundary import UnknownBoundary
from ..operators.windowed import Convolution
from .checks import dtype_of, reported
from .iterate import Run, run_while, settled, start
from .krylov import ConjugateGradient, System
from .preconditioners import ASYMMETRY
from .spectral import Transform


def normal(A: LinearOperator, rough: LinearOperator, weight: jax.Array, x: jax.Array) -> jax.Array:
    """(A^H A + weight L^H L) x, with `rough` the operator L^H L."""
    return A._rmatvec(A._matvec(x)) + weight * rough._matvec(x)


@jax.jit
def system_of(A, L, b, weight, first, rtol, atol) -> System:
    """The normal equations for the correction to the first iterate, with a preconditioner where one is known to pay."""
    rhs = A._rmatvec(b).astype(dtype_of(A, L, b))
    rhs = rhs if first is None else rhs - normal(A, L.gram(), weight, first)
    return equations(A, L, rhs, weight, rtol, atol)


def equations(A, L, rhs, weight, rtol, atol) -> System:
    """(A^H A + weight L^H L) x = rhs."""
    matvec = jax.tree_util.Partial(normal, A, L.gram(), weight)
    return System(matvec, rhs, jnp.maximum(rtol * length(rhs), atol), preconditioner(A, L, weight, rhs.dtype))


def preconditioner(A: LinearOperator, L: LinearOperator, weight: jax.Array, dtype: jnp.dtype) -> Any:
    """The inverse of near normal equations that a transform diagonalises; derivatives do not go through it.

    For a blur with unknown surroundings F^-1 1 / (share |H|^2 + weight |D|^2) F, as much of A^H A as is seen. With
    zeros around, or mirrored samples, the same by the DCT-II for mirrored samples and the kernel's even part, where the
    kernel is about that. For other boundaries that costs more steps than it saves.
    """
    if isinstance(A, UnknownBoundary):
        name, near, share = "fft", symbol(A.blur), A.share
    elif isinstance(A, Convolution) and _mirrorable(A):
        name, near, share = "dct", mirrored(A), 1
    else:
        return None
    found = joined([near, gram_symbol(L, name)])
    if found is None:
        return None
    (eigenvalues, rough), axes = found
    square = share * jnp.abs(eigenvalues) ** 2 + weight * jnp.real(rough)
    least = jnp.finfo(square.dtype).eps * jnp.max(square)
    gain = transforms.precise(1 / jnp.maximum(square, least), dtype)
    real = not jnp.issubdtype(dtype_of(A, L, dtype), jnp.complexfloating)
    basis = Transform(name, tuple(sorted(axes)), A.in_shape, real)
    near_inverse = basis.filter(jax.lax.stop_gradient(basis.kept(gain)))
    if not isinstance(A, Convolution):
        return near_inverse
    pays = jax.lax.stop_gradient(asymmetry(A.kernel, A.window.origin) <= ASYMMETRY)
    return jax.tree_util.Partial(_applied_if, pays, near_inverse)


def _mirrorable(A: Convolution) -> bool:
    window = A.window
    return (
        not A.channels
        and window.mode == "same"
        and set(window.step) == {1}
        and set(window.boundary) <= {"zero", "symmetric"}
    )


def _applied_if(pays: jax.Array, function: Any, x: jax.Array) -> jax.Array:
    return jax.lax.cond(pays, lambda x: function(x).astype(x.dtype), lambda x: x, x)


@partial(jax.jit, static_argnames="max_steps")
def implicit(A, L, b, weight, first, rtol, atol, max_steps: int) -> tuple[jax.Array, Run]:
    """Solve by CG, differentiated implicitly: the transposed system is solved by CG too."""
    first = jax.lax.stop_gradient(first)
    x, run = by_cg(system_of(A, L, b, weight, first, rtol, atol), rtol, atol, max_steps)
    return added(first, x), run


def added(first: jax.Array | None, x: jax.Array) -> jax.Array:
    """The correction `x` on top of the first iterate; None stands for zeros, of which no product need be taken."""
    return x if first is None else first + x


def by_cg(whole: System, rtol, atol, max_steps: int) -> tuple[jax.Array, Run]:
    """The solution of a system by CG, differentiated implicitly."""

    def cg(matvec, rhs: jax.Array) -> tuple[jax.Array, Run]:
        method = ConjugateGradient()
        system = System(matvec, rhs, jnp.maximum(rtol * length(rhs), atol), whole.preconditioner)
        run = settled(run_while(method, system, start(method, system, max_steps), max_steps))
        return run.state.x, run._replace(state=None)

    return jax.lax.custom_linear_solve(whole.matvec, whole.rhs, cg, cg, has_aux=True)


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
