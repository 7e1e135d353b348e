"""deblur(): one call from a blurred picture and its point-spread function to a sharp one."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .operators.arrays import traced
from .operators.unknown_boundary import UnknownBoundary
from .penalties.sparsity import TotalVariation
from .solvers.checks import scalar
from .solvers.photon_weight import fitting_weight
from .solvers.plug_and_play import plug_and_play
from .solvers.poisson import richardson_lucy
from .solvers.poisson_split import poisson_admm
from .solvers.posing import BY_PHOTONS, Task, power, task_of
from .solvers.selection import Selection
from .solvers.solution import Solution
from .solvers.spectral import told
from .solvers.tikhonov import tikhonov
from .solvers.total_variation import BLURRED, total_variation, total_variation_weight

METHODS = ("auto", "total_variation", "plug_and_play", "poisson", "richardson_lucy", "tikhonov")
BOUNDARIES = ("auto", "zero", "wrap", "symmetric", "reflect", "edge", "antireflect")
TINY = 1e-12
FEW = 10  # steps of Richardson and Lucy where the noise is not of photons


def deblur(
    image: Any,
    psf: Any,
    *,
    noise: Any = None,
    method: str = "auto",
    boundary: str = "auto",
    weight: Any = None,
    clip: Any = None,
    mask: Any = None,
    saturated: Any = None,
    channel_axis: int | None = None,
    max_steps: int | None = None,
    callback: Any = None,
) -> Solution:
    """Undo the blur of a picture: everything that is not given is chosen, and the ``report`` says how.

    The data are taken for a part of a larger scene, of whose rest nothing is assumed. The noise is seen at frequencies
    that the blur removes. By default total variation, with the weight that the noise asks for, is minimised by `admm`;
    for photon counts with the likelihood of the Poisson distribution. Where the PSF is a point nothing is to be undone:
    the picture comes back as it is, unless `noise` or `weight` says how much is to be smoothed.

    Parameters
    ----------
    image : array
        A picture, a volume, or a picture with colours along one axis; any real dtype and range, finite where it
        counts. Alpha is no colour: leave it out.
    psf : array
        With one axis for every axis of the image that is blurred, the same for all colours (where each has its own,
        deblur one after the other); its centre is at ``n // 2``.
    noise : float or "poisson", optional
        Standard deviation of the noise in the units of the image, or photon noise. By default estimated, photons where
        the variance grows with the brightness as theirs does.
    method : {"auto", "total_variation", "plug_and_play", "poisson", "richardson_lucy", "tikhonov"}
    boundary : {"auto", "zero", "wrap", "symmetric", "reflect", "edge", "antireflect"}
        ``auto`` assumes nothing of what lies beyond the edge; the others as in `convolution`.
    weight : float, optional
        Of the penalty, in place of the chosen one.
    clip : (float, float), optional
        The range that the result is clipped to; that of the dtype for an image of integers, unless given.
    mask : array, optional
        Of the image's shape: zero or False where it says nothing (dead, missing), whatever it holds there.
    saturated : float, optional
        The level at and above which pixels are saturated, and left out.
    channel_axis : int, optional
        The axis of the colours; the last by default where the image has one axis more than the PSF.
    max_steps : int, optional
    callback : callable or list of callables, optional
        Called every few steps with a `Progress`; True stops.

    Returns
    -------
    Solution
        ``x`` has the shape, range and units of the image (floating point); ``report`` tells in words what was chosen.
        Curves other than ``objective`` and ``residual_norm`` are for the image in units that suit single precision.

    Raises
    ------
    ValueError
        For NaN, complex or empty images, shapes that do not fit, unknown names, a `clip` that is no range, a PSF whose
        sum is not positive, numbers beyond the precision, and photons whose mean is negative.

    Notes
    -----
    With b the image, A the blur, sigma the noise level and n counts, the methods minimise ::

        total_variation          1/2 norm(A x - b)^2 + weight TV(x), weight about sigma^2 / (0.14 range)
        tikhonov                 1/2 norm(A x - b)^2 + weight/2 norm(D x)^2, weight by generalised cross-validation
        poisson                  sum (A x - n log A x) + weight TV(x), in photons
        richardson_lucy          the same without TV, stopped early

    and ``plug_and_play`` alternates least squares with DCT denoising: see the functions of these names. The weight for
    photons is 1 / (0.14 range), and less where the residual tells that this flattens the scene.

    References
    ----------
    Rudin, Osher & Fatemi, Physica D 60 (1992) 259; Almeida & Figueiredo, IEEE Trans. Image Process. 22 (2013) 3074, for
    unknown surroundings; Figueiredo & Bioucas-Dias, IEEE Trans. Image Process. 19 (2010) 3133, for photons.

    Examples
    --------
    >>> import numpy as np, convops as co
    >>> scene = np.kron(np.eye(6)[::-1] + np.tri(6), np.ones((8, 8)))
    >>> psf = co.psf.gaussian(1.5, (7, 7))
    >>> blurred = np.asarray(co.convolution(psf, scene.shape, mode="valid") @ scene)
    >>> sol = co.deblur(blurred, psf, noise=0.01)
    >>> truth = scene[3:-3, 3:-3]
    >>> print(co.problems.psnr(sol.x, truth) > co.problems.psnr(blurred, truth) + 5)
    True
    >>> print(sol.report.splitlines()[0])
    noise: 0.01, as given
    """
    for name, value, known in (("method", method, METHODS), ("boundary", boundary, BOUNDARIES)):
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"`{name}` is {value!r}; accepted are {', '.join(map(repr, known))}")
    if any(map(traced, (image, psf, noise, weight, mask))):
        raise ValueError(
            "deblur looks at its data, which jax.jit, jax.vmap and jax.grad do not allow: inside of them use "
            "co.total_variation(co.unknown_boundary(psf, shape), b, noise=...)"
        )
    clip = _range(clip)
    task = task_of(image, psf, noise, boundary, mask, saturated, channel_axis, method)
    method = task.method
    options = {"callback": callback} if max_steps is None else {"callback": callback, "max_steps": max_steps}
    if noise is None and weight is None and task.undone:
        task.said.append("nothing is to be undone: the PSF is a point; give `noise` to have the picture denoised")
        solved = told(task.A, task.b, task.A.rmatvec(task.b), False)
    else:
        solved = _solved(task, method, weight, options)
    sol = _in_units(solved, task, method)
    visible = task.A.visible if isinstance(task.A, UnknownBoundary) else (lambda x: x)
    x = _clipped(visible(sol.x), clip, task)
    if sol.weight is not None:
        chosen = "chosen" if weight is None else "given"
        task.said.append(f"weight: {float(sol.weight):.3g}, {chosen}")
    task.said.append(f"{int(sol.num_steps)} steps; {sol.status}")
    task.said.extend(_noisy(visible(solved.x), task.b))
    return replace(sol, x=x, report="\n".join(task.said))


def _noisy(x: jax.Array, b: jax.Array) -> list[str]:
    """Whether a result goes far below its data, as undone noise does; far above them are stars."""
    depth, span = float(jnp.min(b) - jnp.min(x)), float(jnp.max(b) - jnp.min(b))
    if not depth > span:
        return []
    times = f"{depth / span:.2g} times the picture's range" if span > 0 else f"{depth:.2g}"
    return [
        f"the result reaches {times} below the picture: noise was undone as if it were blur; give a larger `weight`"
    ]


def _range(clip: Any) -> tuple[float, float] | None:
    """The two numbers that a result is to lie between."""
    if clip is None:
        return None
    try:
        low, high = (float(end) for end in clip)
    except (TypeError, ValueError):
        low = high = np.nan
    if not low <= high:
        raise ValueError(f"`clip` is {clip!r}; give two numbers, the lower first, as (0, 1)")
    return low, high


def _clipped(x: jax.Array, clip: Any, task: Task) -> jax.Array:
    """X in the range that is given, or that the integers of the picture have."""
    if clip is not None:
        low, high = clip
        task.said.append(f"clipped to {low:g} .. {high:g}")
        return jnp.clip(x, low, high)
    if task.integers is None:
        return x
    low, high, kind = task.integers.min, x.dtype.type(task.integers.max), task.integers.dtype
    task.said.append(f"clipped to {low:g} .. {high:g}, the range of {kind}")
    if int(high) > task.integers.max:  # it was rounded up
        high = np.nextafter(high, x.dtype.type(0))
    return jnp.clip(x, float(low), high)


def _in_units(sol: Solution, task: Task, method: str) -> Solution:
    """A solution for the data and the PSF as they came."""
    unit = task.unit
    powers = {"residual_norm": 1} if method in BY_PHOTONS else {"residual_norm": 1, "objective": 2}
    told = {name: getattr(sol, name) * power(unit, n) for name, n in powers.items() if getattr(sol, name) is not None}
    history = {name: values * power(unit, powers.get(name, 0)) for name, values in sol.history.items()}
    for name in ("weight", "selection"):
        if getattr(sol, name) is not None:
            told[name] = _weighed(getattr(sol, name), task.weight_unit(method))
    return replace(sol, x=task.in_units(sol.x), history=history, **told)


def _weighed(found: Any, unit: float) -> Any:
    """A weight, or the account of how it was chosen, in other units."""
    return replace(found, weights=found.weights * unit) if isinstance(found, Selection) else found * unit


def _solved(task: Task, method: str, weight: Any, options: dict[str, Any]) -> Solution:
    """Run a method."""
    A, b = task.A, task.b
    channels = 1 if task.channel_axis is None else b.shape[task.channel_axis]
    task.said.append(f"method: {method}")
    if method == "tikhonov":
        weight = "gcv" if weight is None else scalar(weight, "weight", b.dtype) / task.weight_unit(method)
        return tikhonov(A, b, L="gradient", weight=weight, **options)
    if method == "plug_and_play":
        return plug_and_play(A, b, noise=task.noise, weight=weight, **options)
    if method == "richardson_lucy":
        if task.photons is None:  # without photons nothing says when to stop
            options = {"stop": None, "max_steps": FEW} | options
        return richardson_lucy(A, jnp.maximum(b, 0), counts=task.photons, weight=weight, **options)
    if method == "poisson":
        return _by_photons(task, weight, channels, options)
    if weight is None:
        weight = total_variation_weight(A, b, task.noise, channels=channels)
    else:
        weight = scalar(weight, "weight", b.dtype) / task.weight_unit(method)
    return total_variation(
        A,
        b,
        weight=weight,
        boundary=task.differences,
        channel_axis=task.channel_axis,
        nonnegative=task.nonnegative,
        **options,
    )


def _by_photons(task: Task, weight: Any, channels: int, options: dict[str, Any]) -> Solution:
    """KL + weight TV in units of photons: where sigma^2 is the mean, the weight of `total_variation` over sigma^2."""
    A, b = task.A, jnp.maximum(task.b, 0)
    photons = task.photons
    if photons is None:  # as many as would make the noise, on average
        photons = float(jnp.mean(b) / jnp.maximum(jnp.asarray(task.noise) ** 2, TINY * jnp.max(b) ** 2 + TINY**2))
        photons = photons if photons > 0 else 1.0  # of a picture without light
        task.said.append(f"photons: {photons / task.unit:.3g} a unit, which would make as much noise")
    scaled = b * photons
    axes = None if task.channel_axis is None else tuple(a for a in range(b.ndim) if a != task.channel_axis)

    def solve(weight: Any, x0: Any) -> Solution:
        penalty = TotalVariation(weight, axes=axes, channel_axis=task.channel_axis, boundary=task.differences)
        return poisson_admm(A, scaled, penalty=penalty, x0=x0, rtol=1e-3, **options)

    if weight is None:
        first = channels**0.5 / (BLURRED * jnp.maximum(jnp.max(scaled), 1))
        sol, weight = fitting_weight(solve, A, scaled, first)
        if weight < first:
            task.said.append(f"weight lowered from {float(first):.3g}: at that, more was left than photons leave")
    else:
        weight = jnp.asarray(weight, b.dtype)
        sol = solve(weight, None)
    return replace(sol, x=sol.x / photons, residual_norm=sol.residual_norm / photons, weight=weight)
