"""Restoration with any denoiser as the prior."""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.base import LinearOperator
from ..operators.elementary import identity
from ..operators.sums import inner, length
from ..operators.window import positive
from . import spectral
from .checks import data_of, reported, scalar, start_of, steps_of, tolerance
from .dct_deblur import periodic, restored
from .dct_denoiser import dct_denoiser, patch_of, per_coefficient
from .denoising_steps import METHODS, RESTARTS, ROUGHER, PlugAndPlay, Restoration
from .iterate import Run, solve
from .noise import noise_level
from .normal import by_cg, equations
from .progress import Callbacks
from .removed import noise_of_blur
from .roughness import blurred_axes, roughness
from .seen import seen
from .shrinkage import THRESHOLD
from .solution import NONFINITE, SCHEDULED, Solution
from .spectral import Transform
from .units import proportional

STEPS = {"hqs": 12, "admm": 12, "fista": 60, "red": 100}  # from the result of dct_deblur; twice that from a worse start
WEIGHT = {"hqs": 0.25, "admm": 1.0, "fista": 1.0, "red": 1.0}  # consistent ones, but that hqs has no memory
LAST = {"hqs": 0.8, "admm": 1.0, "fista": 0.8, "red": 1.0}  # of the noise; the data step of hqs leaves no more
STRONGEST = 6.0, 0.125, 0.75  # the first denoising: noises, and standard deviations of the data from either start
LEAST_NOISE = 1e-4  # in units of the data's standard deviation: without noise the data step is singular
SMOOTH = 50.0  # weight of the first iterate's gradient, in units of noise^2 / variance of the data


@proportional()
def plug_and_play(
    A: LinearOperator,
    b: Any,
    *,
    denoiser: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
    noise: Any = None,
    method: str = "hqs",
    weight: Any = None,
    steps: int | None = None,
    first: Any = None,
    last: Any = None,
    x0: Any = None,
    safeguard: bool = True,
    cg_steps: int = 20,
    rtol: Any = None,
    max_steps: int | None = None,
    loop: str = "while",
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Restore x from b = A x + white noise with a denoiser in place of a penalty (plug-and-play).

    The methods alternate between the data and the denoiser D, whose noise level sigma falls geometrically from `first`
    to `last`; with rho = weight noise^2 / sigma^2:

    - ``hqs``: u = argmin norm(A u - b)^2 + rho norm(u - x)^2, then x = D(u, sigma): half-quadratic splitting.
    - ``admm``: the same with a running sum of u - x, added to x.
    - ``fista``: x = D(z - A^H (A z - b) / norm(A)^2, sigma), z extrapolated from the last two x.
    - ``red``: gradient steps along A^H (A z - b) + rho (z - D(z, sigma)), regularisation by denoising, likewise.

    The data step of the first two is a closed form where the FFT (or the DCT-II) diagonalises A, and conjugate
    gradients elsewhere, preconditioned for `unknown_boundary`.

    Parameters
    ----------
    A : LinearOperator
        Real; any boundary, mask or weights.
    b : array
        Real data of ``A.out_shape``, or flat; finite.
    denoiser : callable, optional
        ``denoiser(x, sigma)`` for x of ``A.in_shape``; traced by jax. `dct_denoiser` along the axes of the blur by
        default. The same function again compiles nothing anew; one with parameters that change (or are learnt) is a
        callable pytree, e.g. ``jax.tree_util.Partial(co.dct_denoiser, threshold=t)``.
    noise : float, optional
        Standard deviation of the noise of b; by default seen at frequencies that the blur removes, or `noise_level`.
    method : {"hqs", "admm", "fista", "red"}
    weight : float
        Of the prior, in ``hqs``, ``admm`` and ``red``. In ``hqs`` 1/4 by default: no frequency of u then holds more
        noise than the denoiser is told; less lets noise pass, more is smoother. In the others 1: of data that are not
        blurred the noise is then removed.
    steps : int, optional
        Strengths in the schedule: for a periodic A 12, with ``fista`` 60 and with ``red`` 100; twice that for others.
    first, last : float, optional
        The first and the last sigma, in the units of x. By default 6 times the noise or 1/8 of the data's standard
        deviation (3/4 where A is not periodic), whichever is more; and the noise itself, that of b over the norm of A,
        with ``hqs`` and ``fista`` 0.8 times that: at frequencies that are not blurred u holds 1 / (1 + weight) of it.
    x0 : array, optional
        First iterate, better too smooth than noisy. By default that of `dct_deblur` where A is periodic, elsewhere one
        with a small gradient.
    safeguard : bool
        Begin anew with twice the weight where an iterate has twice the `noise_level` of the first one, and half that
        of the data: the noise has been amplified. At most four times, and then no more.
    cg_steps : int
        Most conjugate gradients in a data step.
    rtol : float, optional
        They stop at this residual relative to A^H b; 1e-5 in single and 1e-8 in double precision by default.
    max_steps : int, optional
        By default `steps`, and with the safeguard five times that, for what it repeats.
    loop : {"while", "scan", "chunked"}
        ``scan`` lets gradients go through the steps, also to the parameters of the denoiser.
    callback : callable or list of callables, optional
        Called every few steps with a `Progress`; True stops.
    checkpoint : str, path or Checkpoint, optional
        File that the run is saved to, and goes on from if it exists.

    Returns
    -------
    Solution
        ``converged`` when the schedule is through, ``weight`` as the safeguard left it, ``objective``
        norm(A x - b)^2 / 2, for the prior has no value; ``history`` has ``residual_norm``, ``change``, the length of
        the last step, ``sigma`` and ``weight``.

    Raises
    ------
    ValueError
        For an unknown method, a denoiser that returns another shape, complex numbers, data with NaN or of the wrong
        shape, or negative numbers.

    References
    ----------
    Venkatakrishnan, Bouman & Wohlberg, GlobalSIP 2013, 945. Zhang et al., IEEE Trans. Pattern Anal. Mach. Intell. 44
    (2022) 6360, for the schedule. Romano, Elad & Milanfar, SIAM J. Imaging Sci. 10 (2017) 1804, for RED.

    Examples
    --------
    >>> import convops as co
    >>> p = co.problems.classical(3)
    >>> sol = co.plug_and_play(p.A, p.b, noise=p.noise)
    >>> print(f"{co.problems.isnr(sol.x, p.b, p.truth):.1f} dB", bool(sol.converged))
    7.2 dB True
    """
    b, flat = data_of(A, b)
    if any(map(jnp.iscomplexobj, (b, *A._inexact_leaves()))):
        raise ValueError("`A` or `b` is complex; plug_and_play takes real problems")
    if method not in METHODS:
        raise ValueError(f"`method` is {method!r}; accepted are {', '.join(map(repr, METHODS))}")
    kept = seen(A)
    b = b if kept is None else jnp.where(kept, b, 0)
    usual = STEPS[method] * (1 if periodic(A, b) else 2)
    steps = usual if steps is None else positive(steps, "steps")
    limit = steps * (1 + RESTARTS * bool(safeguard)) if max_steps is None else steps_of(max_steps)
    basis = spectral.shared(A, identity(A.in_shape), b.dtype)
    basis = basis if isinstance(basis, Transform) else None
    level = noise_of_blur(A, b, kept) if noise is None else scalar(noise, "noise", b.dtype)
    told = scalar(WEIGHT[method] if weight is None else weight, "weight", b.dtype), tolerance(rtol, b.dtype, 1e-5, 1e-8)
    given = [None if v is None else scalar(v, n, b.dtype) for v, n in ((first, "first"), (last, "last"))]
    own = _checked(_default(_axes(A, basis)) if denoiser is None else denoiser, A, b.dtype)
    start = None if x0 is None else start_of(A, x0, b.dtype)
    problem = _problem(A, b, kept, level, *told, *given, own, start, basis, method, bool(safeguard))
    run = solve(PlugAndPlay(method, steps, positive(cg_steps, "cg_steps")), problem, limit, loop, callback, checkpoint)
    return _solution(A, b, run, flat)


def _solution(A: LinearOperator, b: jax.Array, run: Run, flat: bool) -> Solution:
    x = run.state.x
    fine = jnp.all(jnp.isfinite(x))
    x = jnp.where(fine, x, 0)
    r = b - A.matvec(x)
    code = jnp.where(fine, run.code, NONFINITE)
    return Solution(
        x=x.reshape(-1) if flat else x,
        converged=code == SCHEDULED,
        num_steps=run.steps,
        residual_norm=reported(length(r)),
        objective=reported(inner(r, r) / 2),
        history=run.history,
        code=code,
        weight=run.state.weight,
    )


@lru_cache(maxsize=64)
def _default(axes: tuple[int, ...]) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The same function for the same axes, so that it is compiled once."""
    return partial(dct_denoiser, axes=axes)


def _axes(A: LinearOperator, basis: Transform | None) -> tuple[int, ...]:
    """The axes that the blur acts on, all where that is not known."""
    axes = blurred_axes(A) if basis is None else basis.axes
    return axes or tuple(range(len(A.in_shape)))


def _checked(denoiser: Any, A: LinearOperator, dtype: Any) -> Any:
    """The denoiser as a pytree: a plain function has no leaves and is part of the structure."""
    if not callable(denoiser):
        raise ValueError(f"`denoiser` is a {type(denoiser).__name__}; give a function of an array and a noise level")
    if jax.tree_util.treedef_is_leaf(jax.tree.structure(denoiser)):
        denoiser = jax.tree_util.Partial(denoiser)
    for leaf in jax.tree.leaves(denoiser):
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic | float | int):
            raise ValueError(
                f"`denoiser` holds a {type(leaf).__name__} as data; bind what is no number by functools.partial"
            )
    x, sigma = jax.ShapeDtypeStruct(A.in_shape, dtype), jax.ShapeDtypeStruct((), jnp.finfo(dtype).dtype)
    try:
        found = jax.eval_shape(denoiser, x, sigma)
    except jax.errors.JAXTypeError as error:
        raise ValueError(
            "`denoiser` is given traced arrays and needs numbers: write it in jax.numpy, or use jax.pure_callback"
        ) from error
    if getattr(found, "dtype", dtype) != dtype:
        raise ValueError(f"`denoiser` returns {found.dtype} for {jnp.dtype(dtype)}; it must keep the dtype")
    if getattr(found, "shape", None) != A.in_shape:
        raise ValueError(f"`denoiser` returns {found} for an array of shape {A.in_shape}; it must keep the shape")
    return denoiser


@partial(jax.jit, static_argnames=("basis", "method", "safeguard"))
def _problem(A, b, kept, noise, weight, rtol, first, last, denoiser, start, basis, method, safeguard) -> Restoration:
    """What the steps need, computed once."""
    tiny = jnp.finfo(b.dtype).tiny ** 0.5
    norm = jnp.maximum(A.norm().astype(b.dtype), tiny)
    count = math.prod(b.shape) if kept is None else jnp.maximum(jnp.sum(kept), 1)
    mean = jnp.sum(b) / count
    off = b - mean if kept is None else jnp.where(kept, b - mean, 0)
    spread = length(off) / jnp.sqrt(jnp.asarray(count, b.dtype)) / norm
    noise = jnp.maximum(noise / norm, LEAST_NOISE * spread)
    noise = jnp.where(noise > 0, jnp.maximum(noise, tiny), 1)  # of constant data without noise any will do
    if first is None:
        first = jnp.maximum(STRONGEST[0] * noise, STRONGEST[1 if periodic(A, b) else 2] * spread)
    if last is None:
        last = LAST[method] * noise
    first, last = jnp.maximum(first, tiny), jnp.maximum(last, tiny)
    if start is None:
        start = _start(A, b, noise * norm, spread * norm, basis)
    rough = jnp.asarray(jnp.inf, b.dtype)
    axes = tuple(a for a, n in enumerate(A.in_shape) if n > 1)
    if safeguard and axes:
        found = noise_level(jax.lax.stop_gradient(start), axes)
        least = jax.lax.stop_gradient(noise) / (4 if method in ("hqs", "admm") else 1)  # the others keep more
        rough = ROUGHER * jnp.maximum(found, least)
    closed = None
    if basis is not None:
        problem = spectral.coefficients(A, identity(A.in_shape), b, basis)
        closed = (problem.square, problem.rhs)
    rhs = A._rmatvec(b)
    return Restoration(
        A, b, rhs, start, norm, noise, weight, first, last, rough.astype(b.dtype), rtol, denoiser, closed, basis
    )


def _start(A: LinearOperator, b: jax.Array, noise: jax.Array, spread: jax.Array, basis: Any) -> jax.Array:
    """The two steps without iteration for a periodic A; elsewhere Tikhonov's solution, rather too smooth."""
    fourier = periodic(A, b)
    if fourier is not None:
        sizes = patch_of(8, len(fourier.axes))
        settings = [per_coefficient(v, n, sizes, b.dtype) for v, n in ((THRESHOLD, "threshold"), (1.0, "wiener"))]
        return restored(A, b, noise, *settings, basis=fourier, patch=sizes)
    L = roughness(A, "gradient")
    weight = SMOOTH * (noise / jnp.maximum(spread, jnp.finfo(b.dtype).tiny ** 0.5)) ** 2
    weight = weight * A.norm().astype(b.dtype) ** 2
    rtol = jnp.asarray(1e-5, b.dtype)  # small beside the mean of the data, which is in the right-hand side too
    return by_cg(equations(A, L, A._rmatvec(b), weight, rtol, 0 * rtol), rtol, 0 * rtol, 200)[0]
