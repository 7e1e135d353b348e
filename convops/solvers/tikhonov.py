"""Tikhonov regularisation: min 1/2 norm(A x - b)^2 + weight/2 norm(L (x - mean))^2, in closed form or by CG."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.sums import length
from ..operators.window import positive
from . import normal, probing, selection, spectral
from .checkpoint import checkpoint_of
from .checks import data_of, dtype_of, scalar, start_of, steps_of, tolerance
from .iterate import Run, solve
from .krylov import ConjugateGradient
from .progress import Callbacks, callbacks_of
from .removed import noise_of
from .roughness import roughness
from .seen import seen
from .solution import CONVERGED, INDEFINITE, INEXACT, NONFINITE, STOPPED, Solution
from .units import proportional


@proportional()
def tikhonov(
    A: LinearOperator,
    b: Any,
    *,
    L: LinearOperator | str | None = None,
    weight: Any = None,
    noise: Any = None,
    mean: Any = None,
    iterations: int = 1,
    x0: Any = None,
    rtol: Any = None,
    atol: Any = 0.0,
    max_steps: int = 2000,
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise 1/2 norm(A x - b)^2 + weight/2 norm(L (x - mean))^2.

    Where a transform diagonalises A and L the solution is a closed form: the FFT for periodic boundaries,
    ``x = F^-1 [conj(H) B / (|H|^2 + weight |D|^2)]``, the DCT-II for ``symmetric`` and concrete symmetric kernels, and
    for the identity the SVDs of the factors of a Kronecker product (a concrete separable kernel, any boundary).
    Elsewhere conjugate gradients solve the normal equations ``(A^H A + weight L^H L) x = A^H b``. Both differentiate,
    any order and in both modes, with respect to the data, the kernels and the weight: the solve implicitly, through
    `jax.lax.custom_linear_solve`.

    Parameters
    ----------
    A : LinearOperator
        A `vstack` for several observations of one scene, `batched` or `block_diagonal` for channels with kernels of
        their own.
    b : array
        Data of ``A.out_shape``, or flat; finite.
    L : LinearOperator or {"identity", "gradient", "laplacian"}, optional
        What is kept small; a name takes the boundary that suits A. The identity by default; the gradient where neither
        `L` nor `weight` is given. Fractional ones are powers, as of `diagonalized` minus the `laplacian`.
    weight : float or str
        Non-negative; scale-free for a blur with a point-spread function that sums to one. Or a rule that chooses it:
        ``gcv`` (the default), ``discrepancy``, ``whiteness``, ``sure``, ``reml``, ``lcurve``; in closed form where
        there is one, with a derivative; the first four elsewhere too, by solves at 20 weights and a random probe, as
        a constant. They are made for the gradient or the Laplacian; with the identity they undersmooth or fail.
    noise : float, optional
        Standard deviation of the noise, for ``discrepancy`` and ``sure``; by default seen where the blur removes the
        scene, or `noise_level`.
    mean : array, optional
        What x is drawn to, of ``A.in_shape``; zero by default.
    iterations : int
        Of iterated Tikhonov: each solves for what the one before left in the residual. Rules take account of it where
        there is a closed form, ``reml`` apart; elsewhere they go with 1 only.
    x0 : array, optional
        First iterate of the conjugate gradients; zeros by default, without meaning for the closed form.
    rtol, atol : float
        Stop when the residual of the normal equations is at most max(rtol norm(A^H b - N x0), atol). `rtol` is 1e-6
        in single and 1e-14 in double precision unless given: derivatives are as exact as the solve.
    max_steps : int
    callback : callable or list of callables, optional
        Called every few steps with a `Progress`; True stops. The result is then not differentiable.
    checkpoint : str, path or Checkpoint, optional
        File that the run is saved to, and goes on from if it exists, one more, ``<path>.1`` ..., for each of the
        `iterations`; a closed form needs none and writes none. The result is then not differentiable.

    Returns
    -------
    Solution
        ``residual_norm`` is norm(A x - b); ``history["residual_norm"]`` that of the normal equations. ``weight`` is the
        one used, with a derivative where a rule chose it, and ``selection`` tells how.

    Raises
    ------
    ValueError
        For data with NaN or of the wrong shape, a negative weight, an unknown rule, ``reml`` or ``lcurve`` where no
        closed form is known, or an L that does not fit.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 6, boundary="wrap")
    >>> b = A @ [0.0, 0.0, 4.0, 4.0, 0.0, 0.0]
    >>> print(co.tikhonov(A, b, weight=1e-3).x.round(1) + 0.0)
    [0. 0. 4. 4. 0. 0.]
    """
    b, flat = data_of(A, b)
    watch = callbacks_of(callback), checkpoint_of(checkpoint)
    if weight is None:
        L, weight = "gradient" if L is None else L, "gcv"
    L = roughness(A, L)
    rule = weight if isinstance(weight, str) else None
    if rule is not None and rule not in selection.CRITERIA:
        raise ValueError(f"`weight` is {rule!r}; give a number or {', '.join(map(repr, selection.CRITERIA))}")
    weight = scalar(0.0 if rule else weight, "weight", b.dtype)
    centre = None if mean is None else start_of(A, mean, b.dtype, "mean")
    kept = seen(A)
    b = b if kept is None else jnp.where(kept, b, 0)
    data = b if centre is None else b - A.matvec(centre)
    steps = positive(iterations, "iterations")
    stop = tolerance(rtol, b.dtype, 1e-6, 1e-14), scalar(atol, "atol", b.dtype)
    basis = spectral.shared(A, L, dtype_of(A, L, b))
    level = noise_of(noise, A, b, basis, kept, f"`weight` is {rule!r}", needed=rule in selection.NEED_NOISE)
    chosen = run = None
    if basis is not None:
        problem = spectral.coefficients(A, L, data, basis)
        if rule is not None:
            weight, chosen = selection.choose(problem, rule, level, steps)
        x = spectral.solved(problem, weight, basis, steps)
    else:
        first = None if x0 is None and centre is None else start_of(A, x0, b.dtype)
        first = first if first is None or centre is None else first - centre
        if rule is not None and steps > 1:
            raise ValueError(
                f"`iterations` is {steps} and `weight` is {rule!r}, which needs a closed form: give a number"
            )
        if rule is not None:
            weight, found, chosen = probing.choose(A, L, data, rule, level)
            if x0 is None:  # what is known of x costs no accuracy
                first, stop = found, (stop[0], jnp.maximum(stop[1], stop[0] * length(A.rmatvec(data))))
        x, run = _iterated(A, L, data, weight, first, stop, steps_of(max_steps), steps, watch)
    return _solution(A, L, data, weight, centre, x, run, flat, stop, chosen, check=steps == 1)


def _iterated(A, L, b, weight, first, stop, max_steps: int, iterations: int, watch) -> tuple[jax.Array, Run]:
    """Conjugate gradients, again for what is left in the residual if asked to."""
    x, run = _by_cg(A, L, b, weight, first, stop, max_steps, watch)
    for number in range(1, iterations):
        if any(watch) and int(run.code) == STOPPED:
            break
        step, run = _by_cg(A, L, b - A.matvec(x), weight, None, stop, max_steps, watch, number)
        x = x + step
    return x, run


def _by_cg(A, L, b, weight, first, stop, max_steps: int, watch, number: int = 0) -> tuple[jax.Array, Run]:
    callbacks, checkpoint = watch
    if not any(watch):
        return normal.implicit(A, L, b, weight, first, *stop, max_steps)
    checkpoint = None if checkpoint is None else checkpoint.part(number)
    system = normal.system_of(A, L, b, weight, first, *stop)
    run = solve(ConjugateGradient(), system, max_steps, callback=callbacks, checkpoint=checkpoint, weight=weight)
    return normal.added(first, run.state.x), run


def _solution(A, L, b, weight, centre, x, run: Run | None, flat: bool, stop, chosen, check: bool) -> Solution:
    """What is told of the minimiser `x` of the problem with data `b` around the centre."""
    x, fine, residual, objective, met = normal.summary(A, L, b, weight, x, *stop)
    count, code = jnp.zeros((), int), jnp.asarray(CONVERGED)
    history = {"residual_norm": jnp.zeros(1, residual.dtype)}
    if run is not None:
        count, history = run.steps, run.history
        code = jnp.where((run.code == CONVERGED) & ~met, INEXACT, run.code) if check else run.code
    elif chosen is None:  # a traced weight that could not be refused
        code = jnp.where(weight < 0, INDEFINITE, jnp.where(jnp.isfinite(weight), CONVERGED, NONFINITE))
    code = jnp.where(fine, code, NONFINITE)
    x = x if centre is None else x + centre
    return Solution(
        x=x.reshape(-1) if flat else x,
        converged=code == CONVERGED,
        num_steps=count,
        residual_norm=residual,
        objective=objective,
        history=history,
        code=code,
        weight=weight,
        selection=chosen,
    )
