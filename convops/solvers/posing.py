"""The problem that a blurred picture poses: its operator, its noise, and what has been assumed, in words."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import as_numbers
from ..operators.base import LinearOperator
from ..operators.convolution import convolution, normal_axes
from ..operators.unknown_boundary import unknown_boundary
from .checks import scalar
from .photons import counts_photons, photons_per_unit
from .removed import noise_of_blur
from .seen import seen

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
    differences: str  # the boundary of the differences
    unit: float  # what the data and the kernel were divided by: x is to be multiplied by it
    sum: float
    said: list[str]

    def weight_unit(self, method: str) -> float:
        """What a method's weight is to be multiplied by: x goes with unit / sum, the misfit with unit^2."""
        powers = {"total_variation": (1, 1), "tikhonov": (0, 2)}.get(method, (0, 0))
        return self.unit ** powers[0] * self.sum ** powers[1]


def task_of(image: Any, psf: Any, noise: Any, boundary: str, mask: Any, saturated: Any, channel_axis: Any) -> Task:
    """Check the arguments, make the operator, and find out about the noise."""
    b = np.asarray(as_numbers(image, "image"))
    kernel = np.asarray(as_numbers(psf, "psf"))
    if np.iscomplexobj(b) or np.iscomplexobj(kernel):
        raise ValueError("`image` or `psf` is complex; deblur takes real pictures: co.tikhonov takes complex data")
    if not (np.isfinite(b).all() and np.isfinite(kernel).all()):
        raise ValueError("`image` or `psf` holds NaN or infinite entries; replace them, and name the places by `mask`")
    rounded = ROUNDED if b.dtype.kind in "iu" else 0.0
    real = np.float64 if b.dtype in (np.float64, np.int64, np.int32, np.uint32) else np.float32
    b = b.astype(jnp.asarray(np.zeros((), real)).dtype)
    channel, axes = _axes(b, kernel, channel_axis)
    keep = _keep(b, mask, saturated)
    if keep is not None:  # what they hold does not matter, and is not to be looked at
        b = np.where(keep, b, b[keep].mean())
    said: list[str] = []
    unit, total = _unit(b), float(kernel.sum())
    total = total if total > 0 else 1.0
    b, kernel = b / b.dtype.type(unit), (kernel / total).astype(b.dtype)
    if boundary == "auto":
        A: LinearOperator = unknown_boundary(kernel, b.shape, mask=keep, axes=axes)
        beyond = "beyond the edge: nothing is assumed"
    else:
        A = convolution(kernel, b.shape, boundary=boundary, axes=axes)
        if keep is not None:
            raise ValueError("`mask` and `saturated` go with boundary='auto'")
        beyond = f"beyond the edge: {boundary!r}, as given"
    level, photons = _noise(A, jnp.asarray(b), noise, unit, rounded, channel, said)
    said.append(beyond)
    if keep is not None:
        said.append(f"left out: {int((~keep).sum())} pixels")
    if abs(total - 1) > 1e-3:
        said.append(f"the PSF sums to {total:.4g}, not to 1: the result is scaled by its reciprocal")
    nonnegative = _dark(b, float(level))
    if nonnegative:
        said.append("kept at or above zero: the background is dark")
    differences = "wrap" if boundary in ("auto", "wrap") else "symmetric"
    return Task(A, jnp.asarray(b), level, channel, photons, nonnegative, differences, unit, total, said)


def _unit(b: np.ndarray) -> float:
    """What to divide by so that squares neither vanish nor overflow in single precision: 1 for what is usual."""
    top = float(np.max(np.abs(b)))
    return 1.0 if top == 0 or 1e-6 < top < 1e7 else 2.0 ** math.floor(math.log2(top))


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
    keep = np.ones(b.shape, bool) if mask is None else np.asarray(mask) != 0
    if keep.shape != b.shape:
        raise ValueError(f"`mask` has shape {keep.shape}; the image has {b.shape}")
    if saturated is not None:
        keep = keep & (b < saturated)
    if not keep.any():
        raise ValueError("`mask` and `saturated` leave no pixel of the image")
    return keep


def _noise(A: LinearOperator, b: jax.Array, noise: Any, unit: float, rounded: float, channel: Any, said: list[str]):
    """The noise level, and the photons that a unit stands for where they make the noise."""
    kept = seen(A)
    if isinstance(noise, str) and noise != "poisson":
        raise ValueError(f"`noise` is {noise!r}; give a standard deviation or 'poisson'")
    front = b if channel is None else jnp.moveaxis(b, channel, 0)
    shown = kept if channel is None or kept is None else jnp.moveaxis(kept, channel, 0)
    if isinstance(noise, str) or (noise is None and counts_photons(front, shown)):
        photons = _photons(front, shown)
        how = "as given" if noise is not None else "as its growth with the brightness tells"
        said.append(f"noise: of photons, {photons / unit:.3g} a unit, {how}")
        return jnp.sqrt(jnp.maximum(jnp.mean(b), 0) / photons), photons
    if noise is not None:
        level = scalar(noise, "noise", b.dtype) / unit
    elif b.size == 1:
        raise ValueError("`image` has one pixel, which tells nothing of its noise: give `noise`")
    else:
        level = jnp.maximum(noise_of_blur(A, b, kept), rounded / unit)
    said.append(f"noise: {float(level) * unit:.3g}, " + ("estimated" if noise is None else "as given"))
    return level, None


def _photons(b: Any, kept: Any) -> float:
    """Photons that a unit stands for, 1 where the data do not tell."""
    found = float(photons_per_unit(b, kept))
    return found if 0 < found < math.inf else 1.0


def _dark(b: np.ndarray, level: float) -> bool:
    """Whether the data are those of light on a dark ground."""
    top = float(b.max())
    return top > 0 and float(b.min()) >= -5 * level and float(np.quantile(b, DIM)) <= DARK * top
