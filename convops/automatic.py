"""deblur(): one call from a blurred picture and its point-spread function to a sharp one."""

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from .operators.arrays import as_numbers
from .operators.base import LinearOperator
from .operators.convolution import convolution, normal_axes
from .operators.unknown_boundary import UnknownBoundary, unknown_boundary
from .penalties.sparsity import TotalVariation
from .solvers.photons import counts_photons, photons_per_unit
from .solvers.plug_and_play import plug_and_play
from .solvers.poisson import richardson_lucy
from .solvers.poisson_split import poisson_admm
from .solvers.removed import noise_of_blur
from .solvers.seen import seen
from .solvers.solution import Solution
from .solvers.tikhonov import tikhonov
from .solvers.total_variation import BLURRED, total_variation, total_variation_weight

METHODS = ("auto", "total_variation", "tikhonov", "plug_and_play", "poisson", "richardson_lucy")
BOUNDARIES = ("auto", "zero", "wrap", "symmetric", "reflect", "edge", "antireflect")
FEW = 10  # steps of Richardson and Lucy where the noise is not of photons
ROUNDED = 12**-0.5  # standard deviation of what rounding to whole numbers does
DARK, DIM = 0.02, 0.05  # a scene with a share DIM of its pixels below DARK of the range is kept non-negative


@dataclass(frozen=True)
class Task:
    """A checked deblurring problem, and what has been said of it."""

    A: LinearOperator
    b: Any
    noise: Any
    channel_axis: int | None
    photons: Any  # counts a unit of the data stands for, or None
    nonnegative: bool
    differences: Any  # the boundary of the differences
    said: list[str]


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
    for photon counts with the likelihood of the Poisson distribution.

    Parameters
    ----------
    image : array
        A picture, a volume, or a picture with colours along one axis; any real dtype and range, finite. Of at least two
        samples along every axis of the PSF.
    psf : array
        With one axis for every axis of the image that is blurred; its centre is at ``n // 2``.
    noise : float or "poisson", optional
        Standard deviation of the noise in the units of the image, or photon noise. By default estimated, photons where
        the variance grows with the brightness as theirs does.
    method : {"auto", "total_variation", "tikhonov", "plug_and_play", "poisson", "richardson_lucy"}
    boundary : {"auto", "zero", "wrap", "symmetric", "reflect", "edge", "antireflect"}
        ``auto`` assumes nothing of what lies beyond the edge; the others as in `convolution`.
    weight : float, optional
        Of the penalty, in place of the chosen one.
    clip : (float, float), optional
        The range that the result is clipped to.
    mask : array, optional
        Of the image's shape: zero or False where it says nothing (dead, missing).
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

    Raises
    ------
    ValueError
        For NaN, complex or empty images, shapes that do not fit, and unknown names.

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
        if value not in known:
            raise ValueError(f"`{name}` is {value!r}; accepted are {', '.join(map(repr, known))}")
    task = _task(image, psf, noise, boundary, mask, saturated, channel_axis)
    if method == "auto":
        method = "total_variation" if task.photons is None else "poisson"
    options = {"callback": callback} if max_steps is None else {"callback": callback, "max_steps": max_steps}
    sol = _solved(task, method, weight, options)
    x = task.A.visible(sol.x) if isinstance(task.A, UnknownBoundary) else sol.x
    if clip is not None:
        low, high = clip
        x = jnp.clip(x, low, high)
        task.said.append(f"clipped to {low:g} .. {high:g}")
    if sol.weight is not None:
        chosen = "chosen" if weight is None else "given"
        task.said.append(f"weight: {float(sol.weight):.3g}, {chosen}")
    task.said.append(f"{int(sol.num_steps)} steps; {sol.status}")
    return replace(sol, x=x, report="\n".join(task.said))


def _task(image: Any, psf: Any, noise: Any, boundary: str, mask: Any, saturated: Any, channel_axis: Any) -> Task:
    """Check the arguments, make the operator, and find out about the noise."""
    b = np.asarray(as_numbers(image, "image"))
    kernel = np.asarray(as_numbers(psf, "psf"))
    if np.iscomplexobj(b) or np.iscomplexobj(kernel):
        raise ValueError("`image` or `psf` is complex; deblur takes real pictures: co.tikhonov takes complex data")
    if not (np.isfinite(b).all() and np.isfinite(kernel).all()):
        raise ValueError("`image` or `psf` holds NaN or infinite entries; replace them, and name the places by `mask`")
    real = np.float64 if b.dtype in (np.float64, np.int64, np.int32, np.uint32) else np.float32
    b = b.astype(jnp.asarray(np.zeros((), real)).dtype)
    channel, axes = _axes(b, kernel, channel_axis)
    keep = _keep(b, mask, saturated)
    said: list[str] = []
    kernel = kernel.astype(b.dtype)
    if boundary == "auto":
        A: LinearOperator = unknown_boundary(kernel, b.shape, mask=keep, axes=axes)
        beyond = "beyond the edge: nothing is assumed"
    else:
        A = convolution(kernel, b.shape, boundary=boundary, axes=axes)
        if keep is not None:
            raise ValueError("`mask` and `saturated` go with boundary='auto'")
        beyond = f"beyond the edge: {boundary!r}, as given"
    level, photons = _noise(A, jnp.asarray(b), noise, ROUNDED if np.asarray(image).dtype.kind in "iu" else 0.0, said)
    said.append(beyond)
    if keep is not None:
        said.append(f"left out: {int((keep == 0).sum())} pixels")
    if abs(kernel.sum() - 1) > 1e-3:
        said.append(f"the PSF sums to {kernel.sum():.4g}, not to 1: the result is scaled by its reciprocal")
    nonnegative = _dark(b, keep)
    if nonnegative:
        said.append("kept at or above zero: the background is dark")
    differences = "symmetric" if boundary in ("symmetric", "reflect", "edge", "antireflect") else "wrap"
    return Task(A, jnp.asarray(b), level, channel, photons, nonnegative, differences, said)


def _axes(b: np.ndarray, kernel: np.ndarray, channel_axis: Any) -> tuple[int | None, tuple[int, ...]]:
    """The axis of the colours, and those that are blurred."""
    if channel_axis is None and b.ndim == kernel.ndim + 1:
        channel_axis = -1
    expected = kernel.ndim + (channel_axis is not None)
    if b.size == 0 or kernel.size == 0 or kernel.ndim == 0 or b.ndim != expected:
        raise ValueError(
            f"`image` has shape {b.shape} and `psf` {kernel.shape}; give an image of as many axes as the PSF, or one "
            "more for the colours"
        )
    if channel_axis is None:
        return None, tuple(range(b.ndim))
    (channel,) = normal_axes(channel_axis, 1, b.ndim)
    return channel, tuple(a for a in range(b.ndim) if a != channel)


def _keep(b: np.ndarray, mask: Any, saturated: Any) -> np.ndarray | None:
    """Ones where the data count, or None where all do."""
    if mask is None and saturated is None:
        return None
    keep = np.ones(b.shape, b.dtype) if mask is None else np.asarray(mask)
    if keep.shape != b.shape:
        raise ValueError(f"`mask` has shape {keep.shape}; the image has {b.shape}")
    if saturated is not None:
        keep = np.where(b >= saturated, 0, keep)
    if not keep.any():
        raise ValueError("`mask` and `saturated` leave no pixel of the image")
    return keep.astype(b.dtype)


def _noise(A: LinearOperator, b: Any, noise: Any, least: float, said: list[str]) -> tuple[Any, Any]:
    """The noise level, and the photons that a unit stands for where they make the noise."""
    kept = seen(A)
    if isinstance(noise, str) and noise != "poisson":
        raise ValueError(f"`noise` is {noise!r}; give a standard deviation or 'poisson'")
    if (noise is None and counts_photons(b, kept)) or isinstance(noise, str):
        photons = photons_per_unit(b, kept)
        how = "as given" if noise is not None else "as its growth with the brightness tells"
        said.append(f"noise: of photons, {float(photons):.3g} a unit, {how}")
        return jnp.sqrt(jnp.maximum(jnp.mean(b), 0) / photons), photons
    level = jnp.maximum(noise_of_blur(A, b, kept), least) if noise is None else noise
    said.append(f"noise: {float(level):.3g}, " + ("estimated" if noise is None else "as given"))
    return level, None


def _dark(b: np.ndarray, keep: np.ndarray | None) -> bool:
    """Whether the data are those of light on a dark ground."""
    counted = b if keep is None else b[keep > 0]
    top = float(counted.max())
    if top <= 0:
        return False
    return float(np.quantile(counted, DIM)) <= DARK * top and float(counted.mean()) > 0


def _solved(task: Task, method: str, weight: Any, options: dict[str, Any]) -> Solution:
    """Run a method."""
    A, b = task.A, task.b
    channels = 1 if task.channel_axis is None else b.shape[task.channel_axis]
    task.said.append(f"method: {method}")
    if method == "tikhonov":
        return (
            tikhonov(A, b, weight=weight, L="gradient", **options) if weight is not None else tikhonov(A, b, **options)
        )
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
    photons = jnp.ones(()) if task.photons is None else task.photons
    photons = jnp.where(jnp.isfinite(photons), photons, 1).astype(b.dtype)
    scaled = b * photons
    if weight is None:
        weight = channels**0.5 / (BLURRED * jnp.maximum(jnp.max(scaled), 1))
    axes = None if task.channel_axis is None else tuple(a for a in range(b.ndim) if a != task.channel_axis)
    penalty = TotalVariation(weight, axes=axes, channel_axis=task.channel_axis, boundary=task.differences)
    sol = poisson_admm(A, scaled, penalty=penalty, rtol=1e-3, **options)
    return replace(sol, x=sol.x / photons, residual_norm=sol.residual_norm / photons, weight=penalty.weight)
