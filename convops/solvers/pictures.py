"""What `deblur` asks of a picture, its point-spread function and its mask."""

from typing import Any, NamedTuple

import numpy as np

from ..operators.arrays import as_numbers, number
from ..operators.convolution import normal_axes

NOTHING = 1e-4  # of the sum of its moduli: a kernel that sums to no more is none of a blur


class Whole(NamedTuple):
    """The range of a dtype of whole numbers."""

    min: int
    max: int
    dtype: np.dtype


def picture_and_kernel(image: Any, psf: Any) -> tuple[np.ndarray, np.ndarray, float]:
    """The picture, the kernel, and its sum."""
    b = np.asarray(as_numbers(image, "image"))
    kernel = np.asarray(as_numbers(psf, "psf"))
    if np.iscomplexobj(b) or np.iscomplexobj(kernel):
        raise ValueError("`image` or `psf` is complex; deblur takes real pictures: co.tikhonov takes complex data")
    if not np.isfinite(kernel).all():
        raise ValueError("`psf` holds NaN or infinite entries; replace them")
    kernel = kernel.astype(np.float64)
    total = float(kernel.sum())
    if kernel.size and total <= NOTHING * np.abs(kernel).sum():
        raise ValueError(
            f"`psf` sums to {total:.4g}; a point-spread function has a positive sum, that of the light of a point: "
            "co.tikhonov and the other solvers take any kernel"
        )
    return b, kernel, total


def whole(dtype: np.dtype) -> Whole | None:
    """The range of a dtype of integers or booleans."""
    if dtype.kind not in "biu":
        return None
    return Whole(0, 1, dtype) if dtype.kind == "b" else Whole(np.iinfo(dtype).min, np.iinfo(dtype).max, dtype)


def filled(b: np.ndarray, keep: np.ndarray | None, axes: tuple[int, ...]) -> np.ndarray:
    """The picture with the means of its colours where it does not count: what it holds there is not looked at."""
    if not np.isfinite(b if keep is None else b[keep]).all():
        raise ValueError("`image` holds NaN or infinite entries; replace them, or leave them out by `mask`")
    if keep is None:
        return b
    count = keep.sum(axes, keepdims=True)
    means = np.where(keep, b, 0).sum(axes, keepdims=True) / np.maximum(count, 1)
    return np.where(keep, b, np.where(count > 0, means, b[keep].mean()))


def held(b: np.ndarray, total: float, real: Any) -> None:
    """Refuse what the precision does not hold."""
    top = float(np.max(np.abs(b), initial=0))
    limits = np.finfo(real)
    for size, what in ((top, "`image` has"), (top / total, "`image` and `psf` ask for")):
        if top > 0 and not float(limits.tiny) <= size <= float(limits.max):
            raise ValueError(f"{what} numbers up to {size:.3g}, which {real} does not hold; scale them")


def light(b: np.ndarray) -> None:
    """Refuse counts that are none."""
    if b.mean() < 0:
        raise ValueError(
            f"`image` has the mean {b.mean():.3g}, which counts of photons cannot have: add what was taken off it, or "
            "take another `method` and a number for `noise`"
        )


def axes_of(b: np.ndarray, kernel: np.ndarray, channel_axis: Any) -> tuple[int | None, tuple[int, ...]]:
    """The axis of the colours, and those that are blurred."""
    if channel_axis is None and b.ndim == kernel.ndim + 1:
        channel_axis = -1
    expected = kernel.ndim + (channel_axis is not None)
    if channel_axis is not None and b.ndim != expected:
        raise ValueError(
            f"`image` has shape {b.shape} and `psf` {kernel.shape}; with a `channel_axis` give an image of one axis "
            "more than the PSF, and deblur one colour after the other where each has its PSF"
        )
    if b.size == 0 or kernel.size == 0 or kernel.ndim == 0 or b.ndim != expected:
        raise ValueError(
            f"`image` has shape {b.shape} and `psf` {kernel.shape}; give an image of as many axes as the PSF, or one "
            "more for the colours"
        )
    if channel_axis is None:
        return None, tuple(range(b.ndim))
    (channel,) = normal_axes(channel_axis, 1, b.ndim)
    return channel, tuple(a for a in range(b.ndim) if a != channel)


def keep_of(b: np.ndarray, mask: Any, saturated: Any) -> np.ndarray | None:
    """Ones where the data count, or None where all do."""
    if mask is None and saturated is None:
        return None
    given = np.ones(b.shape, bool) if mask is None else np.asarray(as_numbers(mask, "mask"))
    if not (given == given).all():
        raise ValueError("`mask` holds NaN; give zero or False for the pixels to be left out")
    keep = given != 0
    if keep.shape != b.shape:
        raise ValueError(f"`mask` has shape {keep.shape}; the image has {b.shape}")
    if saturated is not None:
        keep = keep & ~(b >= number(saturated, "saturated", "the least brightness that is left out, one finite number"))
    if not keep.any():
        raise ValueError("`mask` and `saturated` leave no pixel of the image")
    return keep
