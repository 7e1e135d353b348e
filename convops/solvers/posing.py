"""The problem that a blurred picture poses: its operator, its noise, and what has been assumed, in words."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.base import LinearOperator
from ..operators.convolution import convolution
from ..operators.unknown_boundary import unknown_boundary
from .checks import scalar
from .photons import counts_photons, photons_per_unit
from .pictures import Whole, axes_of, filled, held, keep_of, light, picture_and_kernel, whole
from .removed import noise_of_blur
from .seen import seen
from .units import USUAL, power_of_two

ROUNDED = 12**-0.5  # standard deviation of what rounding to whole numbers does
ALL = 0.999  # of the sum of its moduli: a kernel with so much at its centre is a point
OFF = 0.1  # pixels of the centre of mass from the centre, which are worth a word
CLIPPED = 0.01  # share of the pixels at the maximum, above which they are likely to have been clipped
LEVEL = 1e-14  # of the level, below which a difference from it is its rounding
BY_PHOTONS = ("poisson", "richardson_lucy")
DARK, DIM = 0.02, 0.05  # a scene with a share DIM of its pixels below DARK of the range is kept non-negative


@dataclass(frozen=True)
class Task:
    """A checked deblurring problem, and what has been said of it."""

    method: str
    A: LinearOperator
    b: Any
    noise: Any
    channel_axis: int | None
    photons: Any  # counts a unit of the data stands for, or None
    nonnegative: bool
    differences: str  # the boundary of the differences
    integers: Whole | None  # what the picture's dtype holds where that is one of integers
    undone: bool  # whether the kernel is a point, in its place, and all data count
    level: np.ndarray  # what was taken off the picture, a number for every colour
    unit: float  # what the data and the kernel were divided by: x is to be multiplied by it
    sum: float
    said: list[str]

    def weight_unit(self, method: str) -> float:
        """What a method's weight is to be multiplied by: x goes with unit / sum, the misfit with unit^2."""
        powers = {"total_variation": (1, 1), "tikhonov": (0, 2)}.get(method, (0, 0))
        return power(self.unit, powers[0]) * power(self.sum, powers[1])

    def in_units(self, x: jax.Array) -> jax.Array:
        """A scene for the picture and the PSF as they came, its level restored."""
        x = x * (self.unit / self.sum)
        return x + jnp.asarray(self.level / self.sum, x.dtype) if self.level.any() else x


def power(number: float, exponent: int) -> float:
    """A positive number to a power, as far as floats go."""
    with np.errstate(over="ignore"):
        return float(min(np.float64(number) ** exponent, np.finfo(float).max))


def task_of(
    image: Any, psf: Any, noise: Any, boundary: str, mask: Any, saturated: Any, channel_axis: Any, method: str
) -> Task:
    """Check the arguments, make the operator, and find out about the noise.

    The `_level` of the picture is taken off, lest the solvers' tolerances be relative to it: blurs and differences
    commute with that. Not where zero means something: for photons, on a dark ground, and with zeros beyond the edge.
    """
    b, kernel, total = picture_and_kernel(image, psf)
    integers = whole(b.dtype)
    real = np.float64 if b.dtype in (np.float64, np.int64, np.int32, np.uint32) else np.float32
    real = jnp.asarray(np.zeros((), real)).dtype
    channel, axes = axes_of(b, kernel, channel_axis)
    keep = keep_of(b, mask, saturated)
    b = filled(b.astype(np.float64), keep, axes)
    held(b, total, real)
    said: list[str] = []
    A = _operator((kernel / total).astype(real), b.shape, boundary, keep, axes)
    photons = _photons(b, noise, channel, keep, real, said)
    if method == "auto":
        method = "total_variation" if photons is None else "poisson"
    counting = method in BY_PHOTONS
    if counting or photons is not None:
        light(b)
    level = _level(b, axes, counting) if photons is None and boundary != "zero" else np.zeros((1,) * b.ndim)
    data, unit = _scaled(_without(b, level), real)
    if photons is None:
        sigma = _noise(A, data, noise, unit, 0.0 if integers is None else ROUNDED, said)
    else:
        sigma = math.sqrt(b.mean() / photons)
    nonnegative = method == "total_variation" and _dark(b, sigma, axes)
    if nonnegative:
        level = np.zeros_like(level)
        data, unit = _scaled(b, real)
    said.append("beyond the edge: " + ("nothing is assumed" if boundary == "auto" else f"{boundary!r}, as given"))
    said += _colours(b, kernel, channel_axis) + _off_centre(kernel) + _remarks(b, keep, total, counting, nonnegative)
    counts = None if photons is None else photons * unit
    sigma = jnp.asarray(sigma / unit, real)
    undone = keep is None and bool(kernel[tuple(n // 2 for n in kernel.shape)] >= ALL * np.abs(kernel).sum())
    edges = "wrap" if boundary in ("auto", "wrap") else "symmetric"
    data = jnp.asarray(data)
    return Task(method, A, data, sigma, channel, counts, nonnegative, edges, integers, undone, level, unit, total, said)


def _colours(b: np.ndarray, kernel: np.ndarray, channel_axis: Any) -> list[str]:
    """Which axis was taken for that of the colours, where none was given and a picture may have some."""
    count = b.shape[-1]
    if channel_axis is None and b.ndim > kernel.ndim:
        return [f"colours: {count}, along the last axis" + ("; leave out alpha" if count in (2, 4) else "")]
    if channel_axis is None and b.ndim == 3 and 1 < kernel.shape[-1] <= count <= 4:
        return ["blurred along all axes; if the last is that of colours, each with its PSF, deblur one after the other"]
    return []


def _remarks(b: np.ndarray, keep: Any, total: float, counting: bool, nonnegative: bool) -> list[str]:
    """What is said of the data."""
    said = []
    top = np.count_nonzero(b == b.max())
    if keep is not None:
        said.append(f"left out: {int((~keep).sum())} pixels")
    elif max(1, CLIPPED * b.size) < top < b.size:
        said.append(
            f"{top / b.size:.0%} of the pixels are at the maximum, {b.max():.6g}: if clipped, give it as `saturated`"
        )
    if abs(total - 1) > 1e-3:
        said.append(f"the PSF sums to {total:.4g}, not to 1: the result is scaled by its reciprocal")
    if counting and b.min() < 0:
        said.append(f"{np.mean(b < 0):.0%} of the pixels are negative: taken for zero")
    if nonnegative:
        said.append("kept at or above zero: the background is dark")
    return said


def _off_centre(kernel: np.ndarray) -> list[str]:
    """How far the centre of mass is from ``n // 2``, which moves the scene by as much."""
    light = np.maximum(kernel, 0)
    places = np.indices(kernel.shape, sparse=True)
    away = [float((light * place).sum() / light.sum()) - n // 2 for place, n in zip(places, kernel.shape, strict=True)]
    if max(map(abs, away)) <= OFF:
        return []
    return [
        f"the PSF's centre of mass lies {', '.join(f'{a:+.2f}' for a in away)} pixels from its centre, n // 2, "
        "and the result is moved against the picture by as much the other way: if that is not meant, give "
        "co.psf.prepare(psf, center='subpixel')"
    ]


def _operator(kernel: np.ndarray, shape: Any, boundary: str, keep: Any, axes: tuple[int, ...]) -> LinearOperator:
    """The blur."""
    if boundary == "auto":
        return unknown_boundary(kernel, shape, mask=keep, axes=axes)
    if keep is not None:
        raise ValueError("`mask` and `saturated` go with boundary='auto'")
    return convolution(kernel, shape, boundary=boundary, axes=axes)


def _level(b: np.ndarray, axes: tuple[int, ...], counting: bool) -> np.ndarray:
    """The mean of each colour; for photons, which are to stay above zero, what the range of the data leaves below."""
    if counting:
        return np.full((1,) * b.ndim, max(2 * b.min() - b.max(), 0))
    return b.mean(axes, keepdims=True)


def _without(b: np.ndarray, level: np.ndarray) -> np.ndarray:
    """The differences from the level, zero where they are its rounding."""
    return np.where(np.abs(b - level) <= LEVEL * np.abs(level), 0, b - level)


def _scaled(b: np.ndarray, real: Any) -> tuple[np.ndarray, float]:
    """The data, by a unit in which squares neither vanish nor overflow in single precision: 1 for what is usual."""
    unit = power_of_two(float(np.max(np.abs(b))), *USUAL[32])
    return (b / unit).astype(real), unit


def _photons(b: np.ndarray, noise: Any, channel: Any, keep: Any, real: Any, said: list[str]) -> float | None:
    """Photons that a unit of the picture stands for where they make the noise, 1 where the data do not tell."""
    if isinstance(noise, str) and noise != "poisson":
        raise ValueError(f"`noise` is {noise!r}; give a standard deviation or 'poisson'")
    if noise is not None and not isinstance(noise, str):
        return None
    data, unit = _scaled(b, real)
    front = data if channel is None else np.moveaxis(data, channel, 0)
    shown = keep if channel is None or keep is None else np.moveaxis(keep, channel, 0)
    front, shown = jnp.asarray(front), None if shown is None else jnp.asarray(shown)
    if noise is None and not counts_photons(front, shown):
        return None
    found = float(photons_per_unit(front, shown)) / unit
    found = found if 0 < found < math.inf else 1.0
    how = "as given" if noise is not None else "as its growth with the brightness tells"
    said.append(f"noise: of photons, {how}; {found:.3g} a unit, estimated")
    return found


def _noise(A: LinearOperator, data: np.ndarray, noise: Any, unit: float, rounded: float, said: list[str]) -> float:
    """The noise level, in units of the picture."""
    if noise is not None:
        level = float(scalar(noise, "noise", data.dtype))
    elif data.size == 1:
        raise ValueError("`image` has one pixel, which tells nothing of its noise: give `noise`")
    else:
        level = max(float(noise_of_blur(A, jnp.asarray(data), seen(A))) * unit, rounded)
    said.append(f"noise: {level:.3g}, " + ("estimated" if noise is None else "as given"))
    return level


def _dark(b: np.ndarray, sigma: float, axes: tuple[int, ...]) -> bool:
    """Whether the data are those of light on a ground that is dark in every colour."""
    top = float(b.max())
    return top > 0 and float(b.min()) >= -5 * sigma and float(np.quantile(b, DIM, axes).max()) <= DARK * top
