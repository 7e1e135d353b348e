"""Systems A x = b with a selfadjoint A: CG for positive definite ones, MINRES for indefinite and singular ones."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators.arrays import traced
from ..operators.base import LinearOperator
from ..operators.norms import scattered
from ..operators.sums import inner, length
from .checks import data_of, reported, scalar, start_of, steps_of, tolerance
from .iterate import ending_in, solve
from .krylov import ConjugateGradient, System
from .least_squares import checked_preconditioner
from .minimal_residuals import Minres, MinresState
from .progress import Callbacks
from .solution import CONVERGED, INEXACT, Solution
from .units import proportional


@proportional()
def cg(
    A: LinearOperator,
    b: Any,
    *,
    shift: Any = 0.0,
    x0: Any = None,
    preconditioner: LinearOperator | None = None,
    truth: Any = None,
    rtol: Any = None,
    atol: Any = 0.0,
    max_steps: int = 1000,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Solve (A + shift I) x = b for a selfadjoint positive definite A by conjugate gradients.

    Hestenes and Stiefel, J. Res. NBS 49 (1952) 409. A negative curvature ends the run with a status that says so.

    Parameters
    ----------
    A : LinearOperator
        Equal to its adjoint, which is checked on numbers without structure (of concrete operators).
    b : array
        Data of ``A.out_shape``, or flat; finite.
    shift : float
        Real and non-negative.
    x0 : array, optional
        First iterate; zeros by default.
    preconditioner : LinearOperator, optional
        Selfadjoint and positive, near the inverse of A + shift I.
    truth : array, optional
        What x should be: ``history["error"]`` is then norm(x - truth) / norm(truth).
    rtol, atol : float
        Stop when norm(b - (A + shift I) x) <= max(rtol norm(b), atol). `rtol` is 1e-5 in single and 1e-8 in double
        precision unless given.
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
        With ``history["residual_norm"]``; ``objective`` is 1/2 <x, (A + shift I) x> - <x, b>.

    Raises
    ------
    ValueError
        If A is not square, or not selfadjoint.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.6, 0.25], 4, boundary="symmetric")
    >>> sol = co.cg(A, A @ [1.0, 2.0, 3.0, 4.0], rtol=1e-5)
    >>> print(sol.x.round(2), bool(sol.converged))
    [1. 2. 3. 4.] True
    """
    stop, how = (rtol, atol), (loop, callback, checkpoint)
    return _solved(ConjugateGradient(), A, b, shift, x0, preconditioner, truth, stop, max_steps, how)


@proportional()
def minres(
    A: LinearOperator,
    b: Any,
    *,
    shift: Any = 0.0,
    x0: Any = None,
    preconditioner: LinearOperator | None = None,
    truth: Any = None,
    rtol: Any = None,
    atol: Any = 0.0,
    max_steps: int = 1000,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Solve (A + shift I) x = b for a selfadjoint A, indefinite or singular too, by minimal residuals.

    Paige and Saunders, SIAM J. Numer. Anal. 12 (1975) 617. It takes one product with A a step, where least squares take
    two: most blurs by symmetric kernels are selfadjoint and indefinite. Where A is singular and no x reaches the data,
    norm(A r) <= rtol norm(A) norm(r) ends the run with a status that says so: x is a least squares solution, not in
    general the shortest (Choi, Paige and Saunders, SIAM J. Sci. Comput. 33 (2011) 1810).

    Parameters
    ----------
    A : LinearOperator
        Equal to its adjoint, which is checked on numbers without structure (of concrete operators).
    b : array
        Data of ``A.out_shape``, or flat; finite.
    shift, x0, preconditioner, truth, rtol, atol, max_steps, loop, callback, checkpoint
        As in `cg`.

    Returns
    -------
    Solution
        As of `cg`.

    Raises
    ------
    ValueError
        If A is not square, or not selfadjoint.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 4, boundary="symmetric")
    >>> sol = co.minres(A, A @ [1.0, 2.0, 3.0, 4.0], rtol=1e-5)
    >>> print(sol.x.round(2), bool(sol.converged))
    [1. 2. 3. 4.] True
    """
    stop, how = (rtol, atol), (loop, callback, checkpoint)
    return _solved(Minres(), A, b, shift, x0, preconditioner, truth, stop, max_steps, how)


def _solved(method, A, b, shift, x0, preconditioner, truth, stop, max_steps, how) -> Solution:
    """Check the arguments, run the method on the correction to x0, and report."""
    b, flat = data_of(A, b)
    _check_selfadjoint(A, b.dtype)
    first = start_of(A, x0, b.dtype)
    shift = scalar(shift, "shift", b.dtype)
    rtol = tolerance(stop[0], b.dtype, 1e-5, 1e-8)
    threshold = jnp.maximum(rtol * length(b), scalar(stop[1], "atol", b.dtype))
    matvec = jax.tree_util.Partial(_shifted, A, shift)
    P = checked_preconditioner(A, preconditioner, b)
    system = System(matvec, b - matvec(first), threshold, None if P is None else jax.tree_util.Partial(_applied, P))
    system = system._replace(least=rtol)
    if truth is not None:
        whole = start_of(A, truth, b.dtype, "truth")
        system = system._replace(truth=whole - first, scale=length(whole))
    run = solve(method, system, steps_of(max_steps), *how)
    kept = run.state.kept if isinstance(run.state, MinresState) else run.state.x
    x, r = _better(system, first + run.state.x, first + kept, b)
    code = jnp.where((run.code == CONVERGED) & (length(r) > 10 * threshold), INEXACT, run.code)
    return Solution(
        x=x.reshape(-1) if flat else x,
        converged=code == CONVERGED,
        num_steps=run.steps,
        residual_norm=reported(length(r)),
        objective=reported(-(inner(x, r) + inner(x, b)) / 2),
        history=ending_in(run, reported(length(r))),
        code=code,
    )


def _better(system: System, x: jax.Array, kept: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The iterate with the smaller residual, and b - A x."""
    r, other = b - system.matvec(x), b - system.matvec(kept)
    fine = length(r) <= length(other)
    return jnp.where(fine, x, kept), jnp.where(fine, r, other)


def _shifted(A: LinearOperator, shift: jax.Array, x: jax.Array) -> jax.Array:
    return A._matvec(x) + shift * x


def _applied(P: LinearOperator, x: jax.Array) -> jax.Array:
    return P._matvec(x).astype(x.dtype)


def _check_selfadjoint(A: LinearOperator, dtype: Any) -> None:
    """Refuse an operator that is seen not to be its adjoint."""
    if A.in_shape != A.out_shape:
        raise ValueError(f"`A` maps {A.in_shape} to {A.out_shape}; give a square operator, or use lsqr")
    if "selfadjoint" in A.tags or any(map(traced, jax.tree.leaves(A))):
        return
    x = scattered(A.in_shape, dtype)
    y, z = A.matvec(x), A.rmatvec(x)
    if not traced(y) and float(length(y - z)) > 1e4 * float(jnp.finfo(dtype).eps) * float(length(y) + length(z)):
        raise ValueError(f"`A` is {A!r}, which is not its own adjoint: use lsqr, lsmr or cgls")
