"""Tikhonov regularisation: min 1/2 norm(A x - b)^2 + weight/2 norm(L x)^2, in closed form or by CG."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.elementary import identity
from ..operators.spectral import gram_symbol, symbol
from ..operators.transforms import precise
from .checks import data_of, inner, length, reported, scalar, start_of, steps_of, tolerance
from .iterate import Progress, Run, run_while, settled, solve, start
from .krylov import ConjugateGradient, System
from .solution import CONVERGED, INEXACT, NONFINITE, Solution


def tikhonov(
    A: LinearOperator,
    b: Any,
    *,
    L: LinearOperator | None = None,
    weight: Any,
    x0: Any = None,
    rtol: Any = None,
    atol: Any = 0.0,
    max_steps: int = 2000,
    callback: Callable[[Progress], Any] | None = None,
) -> Solution:
    """Minimise 1/2 norm(A x - b)^2 + weight/2 norm(L x)^2.

    Where the FFT diagonalises A and L (periodic boundaries) the solution is the closed form
    ``x = F^-1 [conj(H) B / (|H|^2 + weight |D|^2)]``; elsewhere conjugate gradients solve the normal equations
    ``(A^H A + weight L^H L) x = A^H b``. Both differentiate, any order and in both modes, with respect to the data,
    the kernels and the weight: the solve implicitly, through `jax.lax.custom_linear_solve`.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    L : LinearOperator, optional
        What is kept small; the identity by default, `gradient` (``A.in_shape``) for images.
    weight : float
        Non-negative; scale-free for a blur with a point-spread function that sums to one.
    x0 : array, optional
        First iterate of the conjugate gradients; zeros by default, without meaning for the closed form.
    rtol, atol : float
        Stop when the residual of the normal equations is at most max(rtol norm(A^H b - N x0), atol). `rtol` is 1e-6
        in single and 1e-14 in double precision unless given: derivatives are as exact as the solve.
    max_steps : int
    callback : callable, optional
        Called every few steps with a `Progress`; True stops. The result is then not differentiable.

    Returns
    -------
    Solution
        ``residual_norm`` is norm(A x - b); ``history["residual_norm"]`` that of the normal equations.

    Raises
    ------
    ValueError
        For data with NaN or of the wrong shape, a negative weight, or an L that does not fit.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 6, boundary="wrap")
    >>> b = A @ [0.0, 0.0, 4.0, 4.0, 0.0, 0.0]
    >>> print(co.tikhonov(A, b, weight=1e-3).x.round(1) + 0.0)
    [0. 0. 4. 4. 0. 0.]
    """
    b, flat = data_of(A, b)
    L = identity(A.in_shape) if L is None else L
    if not isinstance(L, LinearOperator) or L.in_shape != A.in_shape:
        raise ValueError(f"`L` must be an operator on {A.in_shape}, what A acts on; got {L!r}")
    weight = scalar(weight, "weight", b.dtype)
    first = start_of(A, x0, b.dtype)
    real = jnp.finfo(b.dtype).dtype
    rtol, atol = tolerance(rtol, b.dtype, 1e-6, 1e-14), scalar(atol, "atol", real)
    spectra = symbol(A), gram_symbol(L)
    if spectra[0] is not None and spectra[1] is not None:
        x, run = _spectral(A, L, b, weight), None
    elif callback is None:
        x, run = _implicit(A, L, b, weight, first, rtol, atol, steps_of(max_steps))
    else:
        system = _system(A, L, b, weight, first, rtol, atol)
        run = solve(ConjugateGradient(), system, steps_of(max_steps), callback=callback)
        x = first + run.state.x
    return _solution(A, L, b, weight, x, run, flat, rtol, atol)


def _normal(A: LinearOperator, L: LinearOperator, weight: jax.Array, x: jax.Array) -> jax.Array:
    """(A^H A + weight L^H L) x."""
    return A._rmatvec(A._matvec(x)) + weight * L._rmatvec(L._matvec(x))


@jax.jit
def _system(A, L, b, weight, first, rtol, atol) -> System:
    """The normal equations for the correction to the first iterate."""
    matvec = jax.tree_util.Partial(_normal, A, L, weight)
    rhs = A._rmatvec(b) - matvec(first)
    return System(matvec, rhs, jnp.maximum(rtol * length(rhs), atol))


@partial(jax.jit, static_argnames="max_steps")
def _implicit(A, L, b, weight, first, rtol, atol, max_steps: int) -> tuple[jax.Array, Run]:
    """Solve by CG, differentiated implicitly: the transposed system is solved by CG too."""

    def cg(matvec: Any, rhs: jax.Array) -> tuple[jax.Array, Run]:
        method = ConjugateGradient()
        system = System(matvec, rhs, jnp.maximum(rtol * length(rhs), atol))
        run = settled(run_while(method, system, start(method, system, max_steps), max_steps))
        return run.state.x, run._replace(state=None)

    first = jax.lax.stop_gradient(first)
    system = _system(A, L, b, weight, first, rtol, atol)
    x, run = jax.lax.custom_linear_solve(system.matvec, system.rhs, cg, cg, has_aux=True)
    return first + x, run


@jax.jit
def _spectral(A: LinearOperator, L: LinearOperator, b: jax.Array, weight: jax.Array) -> jax.Array:
    """The closed form, coefficient by coefficient; where both spectra vanish the coefficient is zero."""
    blur, rough = symbol(A), gram_symbol(L)
    assert blur is not None
    assert rough is not None
    denominator = jnp.abs(blur.values) ** 2 + weight * jnp.real(rough.values)
    safe = jnp.where(denominator > 0, denominator, 1)
    gain = jnp.where(denominator > 0, jnp.conj(blur.values) / safe, 0)
    numbers = (b, *A._inexact_leaves(), *L._inexact_leaves())
    real = not any(map(jnp.iscomplexobj, numbers))
    gain = precise(gain, jnp.result_type(*numbers))  # the spectra of operators without arrays are in the default float
    return filtered(b, gain, tuple(sorted(blur.axes | rough.axes)), real)


def filtered(b: jax.Array, gain: jax.Array, axes: tuple[int, ...], real: bool) -> jax.Array:
    """F^-1 [gain F b] along some axes; `gain` is on the full grid, and half of it is used for real data."""
    if not axes:
        return (gain.real if real else gain) * b
    if not real:
        return jnp.fft.ifftn(gain * jnp.fft.fftn(b, axes=axes), axes=axes)
    sizes = [b.shape[a] for a in axes]
    half = jax.lax.slice_in_dim(gain, 0, sizes[-1] // 2 + 1, axis=axes[-1])
    return jnp.fft.irfftn(half * jnp.fft.rfftn(b, axes=axes), sizes, axes)


def _solution(A, L, b, weight, x, run: Run | None, flat: bool, rtol, atol) -> Solution:
    x, fine, residual, objective, met = _summary(A, L, b, weight, x, rtol, atol)
    steps, code = jnp.zeros((), int), jnp.asarray(CONVERGED)
    history = {"residual_norm": jnp.zeros(1, residual.dtype)}
    if run is not None:
        steps, history = run.steps, run.history
        code = jnp.where((run.code == CONVERGED) & ~met, INEXACT, run.code)
    code = jnp.where(fine, code, NONFINITE)
    return Solution(
        x=x.reshape(-1) if flat else x,
        converged=code == CONVERGED,
        num_steps=steps,
        residual_norm=residual,
        objective=objective,
        history=history,
        code=code,
        weight=weight,
    )


@jax.jit
def _summary(A, L, b, weight, x, rtol, atol):
    """The solution where it is finite, its residual and objective, and whether the true residual is small."""
    fine = jnp.all(jnp.isfinite(x))
    x = jnp.where(fine, x, 0)
    r, rough = A._matvec(x) - b, L._matvec(x)
    gradient = A._rmatvec(r) + weight * L._rmatvec(rough)
    slack = 10 * rtol + 100 * jnp.finfo(x.dtype).eps  # what rounding may cost
    met = length(gradient) <= jnp.maximum(slack * length(A._rmatvec(b)), atol)
    objective = inner(r, r) / 2 + weight * inner(rough, rough) / 2
    return x, fine, reported(length(r)), reported(objective), met
