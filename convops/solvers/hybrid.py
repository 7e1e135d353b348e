"""Hybrid LSQR and LSMR: regularised least squares whose weight is chosen while the Krylov space grows."""

import math
from typing import Any

import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.sums import inner, length
from ..operators.window import positive
from .checks import data_of, reported, scalar, start_of, tolerance
from .hybrid_method import RULES, Hybrid, HybridKrylov
from .iterate import Run, solve
from .krylov_basis import combined
from .least_squares import LeastSquares
from .progress import Callbacks
from .removed import noise_of
from .seen import seen
from .solution import CONVERGED, NONFINITE, RULED, Solution
from .units import proportional

SAFETY = 1.01  # the discrepancy principle's factor on the noise level


@proportional()
def hybrid_lsqr(
    A: LinearOperator,
    b: Any,
    *,
    weight: Any = "wgcv",
    noise: Any = None,
    x0: Any = None,
    truth: Any = None,
    rtol: Any = None,
    max_steps: int = 100,
    no_stop: bool = False,
    reorthogonalize: bool = False,
    flexible: bool = False,
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise 1/2 norm(A x - b)^2 + weight/2 norm(x - x0)^2 by LSQR, its weight chosen at each step.

    The problem is projected on the Krylov space, where it is as small as the number of steps, and regularised there:
    the error falls and stays, where that of `lsqr` falls and rises again. Nothing needs to be known of the noise. A
    step costs one product with A, one with A^H, and the singular values of a matrix of k columns.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    weight : {"wgcv", "gcv", "discrepancy"} or float
        Generalised cross-validation of the projected problem, which oversmooths; weighted, so that it does not (the
        default); the weight at which norm(A x - b) is 1.01 times what the noise makes it; or a number.
    noise : float, optional
        Standard deviation of the noise, for ``discrepancy``; by default seen where the blur removes the scene, or
        `noise_level`.
    x0 : array, optional
        Where the iterates begin and what x is drawn to; zeros by default.
    truth : array, optional
        What x should be: ``history["error"]`` is then norm(x - truth) / norm(truth), at the cost of a pass over the
        basis each step.
    rtol : float, optional
        For a given weight: stop when norm(A^H (b - A x) - weight x) <= rtol norm(A^H b); 1e-5 in single and 1e-8 in
        double precision by default.
    max_steps : int
        The basis is kept: max_steps + 1 arrays of ``in_shape`` (twice as many if reorthogonalised or flexible).
    no_stop : bool
        Take all steps, and tell in ``stopping_step`` where the rule would have stopped. It stops early where there is
        much noise (GCV has changed by less than 1e-6 of its first value, or not fallen for three steps), a few per cent
        above the least error.
    reorthogonalize : bool
        Orthogonalise each vector against all before. Rounding otherwise costs steps, not accuracy.
    flexible : bool
        Weigh the pixels by the square root of what the last iterate has there: for an x with few of them (an L1
        penalty). Where x is sparse in a basis ``W`` give ``A @ W.H``, and apply ``W.H`` to the result.
    callback : callable or list of callables, optional
        Called every few steps with a `Progress`; True stops.
    checkpoint : str, path or Checkpoint, optional
        File that the run is saved to with its basis, and goes on from if it exists; with the same `max_steps`.

    Returns
    -------
    Solution
        ``weight`` as in `tikhonov`. ``history`` has ``residual_norm``, ``gradient_norm``, ``weight``, ``gcv`` and
        ``omega`` of each step. Not differentiable: give the weight to `tikhonov` for that.

    Raises
    ------
    ValueError
        For data with NaN or of the wrong shape, a negative weight or an unknown rule.

    References
    ----------
    O'Leary & Simmons, SIAM J. Sci. Stat. Comput. 2 (1981) 474. Chung, Nagy & O'Leary, ETNA 28 (2008) 149, for the
    weighted GCV. Chung & Gazzola, SIAM J. Sci. Comput. 41 (2019) S149, for the flexible method.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 5, boundary="zero")
    >>> sol = co.hybrid_lsqr(A, [0.1, 1.1, 1.9, 1.1, -0.1], weight="discrepancy", noise=0.1)
    >>> print(sol.x.round(1), bool(sol.converged))
    [-0.2  1.1  2.3  1.2 -0.6] True
    """
    return _solved(**locals(), normal=False)


@proportional()
def hybrid_lsmr(
    A: LinearOperator,
    b: Any,
    *,
    weight: Any = "wgcv",
    noise: Any = None,
    x0: Any = None,
    truth: Any = None,
    rtol: Any = None,
    max_steps: int = 100,
    no_stop: bool = False,
    reorthogonalize: bool = False,
    flexible: bool = False,
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise 1/2 norm(A^H (A x - b))^2 + weight/2 norm(x - x0)^2 by LSMR, its weight chosen at each step.

    As `hybrid_lsqr` for the normal equations: large singular values are fitted more closely and small ones less.

    Parameters and errors are those of `hybrid_lsqr`, but that the weight has the units of A to the fourth power, and
    that a run with a given one stops when a step changes x - x0 by less than `rtol` of its length.

    References
    ----------
    Chung & Palmer, SIAM J. Sci. Comput. 37 (2015) S562.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 5, boundary="zero")
    >>> sol = co.hybrid_lsmr(A, [0.1, 1.1, 1.9, 1.1, -0.1], weight="discrepancy", noise=0.1)
    >>> print(sol.x.round(1), bool(sol.converged))
    [-0.3  1.2  2.4  1.1 -0.5] True
    """
    return _solved(**locals(), normal=True)


def _solved(
    A: LinearOperator,
    b: Any,
    *,
    normal: bool,
    weight: Any,
    noise: Any,
    x0: Any,
    truth: Any,
    rtol: Any,
    max_steps: int,
    no_stop: bool,
    reorthogonalize: bool,
    flexible: bool,
    callback: Callbacks,
    checkpoint: Any,
) -> Solution:
    """Check the arguments, run the method, and report what its iterate is worth."""
    b, flat = data_of(A, b)
    rule = weight if isinstance(weight, str) else "given"
    if rule not in (*RULES, "given"):
        raise ValueError(f"`weight` is {rule!r}; give a number or {', '.join(map(repr, RULES))}")
    kept = seen(A)
    b = b if kept is None else jnp.where(kept, b, 0)
    real = jnp.finfo(b.dtype).dtype
    count = jnp.asarray(b.size if kept is None else jnp.sum(kept), real)
    zero = jnp.zeros((), real)
    level = noise_of(noise, A, b, None, kept, f"`weight` is {rule!r}", needed=rule == "discrepancy")
    known = None if truth is None else start_of(A, truth, b.dtype, "truth")
    problem = Hybrid(
        LeastSquares(A, b, start_of(A, x0, b.dtype), zero, zero, zero, truth=known),
        zero if rule != "given" else scalar(weight, "weight", b.dtype),
        SAFETY * level * jnp.sqrt(count),
        count,
        tolerance(rtol, b.dtype, 1e-5, 1e-8),
    )
    steps = min(positive(max_steps, "max_steps"), *(math.prod(s) for s in (A.in_shape, A.out_shape)))
    method = HybridKrylov(rule, steps, normal, no_stop, reorthogonalize, flexible)
    return _reported(problem, solve(method, problem, steps, "while", callback, checkpoint), normal, flat)


def _reported(problem: Hybrid, run: Run, normal: bool, flat: bool) -> Solution:
    """The iterate, with its residual and objective computed anew."""
    A, b, x0 = problem.whole.A, problem.whole.b, problem.whole.x0
    state = run.state
    x = x0 + combined(state.basis, state.y)
    fine = jnp.all(jnp.isfinite(x))
    x = jnp.where(fine, x, x0)
    r = b - A.matvec(x)
    fit = A.rmatvec(r) if normal else r
    code = jnp.where(fine, run.code, NONFINITE)
    return Solution(
        x=x.reshape(-1) if flat else x,
        converged=(code == CONVERGED) | (code == RULED),
        num_steps=run.steps,
        residual_norm=reported(length(r)),
        objective=reported(inner(fit, fit) + state.weight * inner(x - x0, x - x0)) / 2,
        history=run.history,
        code=code,
        weight=state.weight,
        stopping_step=state.stop,
    )
