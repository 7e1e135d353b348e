"""`prepare`: a measured PSF made usable."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .grids import float_dtype, is_traced, parse_shape
from .shifting import moved


def prepare(
    psf: Any,
    *,
    center: str | None = "mass",
    background: float | str | None = None,
    normalize: bool = True,
    crop: float | tuple[int, ...] | None = None,
    dtype: Any = None,
) -> jax.Array:
    r"""Make a measured PSF usable: background, negatives, centre, crop, sum.

    In this order: subtract `background`; set what is negative to zero; move the chosen centre to index
    ``n // 2`` of each axis, where `convops.convolution` expects it; `crop`; divide by the sum. A PSF that
    needs none of this comes back unchanged. Runs on concrete numbers in NumPy, so not under jit or grad.

    Parameters
    ----------
    psf
        Array of any number of axes, integer or floating: an image of a bead or a star, a stack, a drawn
        kernel. One in FFT order (centre at index 0) must go through ``numpy.fft.fftshift`` first.
    center
        What lies at ``n // 2`` afterwards. ``"mass"`` (default): the centre of mass, so that positions stay
        true when the PSF is undone; ``"peak"``: the largest element, the one nearest the centre of mass if
        several are; None: leave the array where it is. These shift by whole elements, nothing is
        interpolated: up to half a pixel of the offset of the centre of mass stays. ``"subpixel"`` moves the
        rest as well, by cubic interpolation: for PSFs sampled with their centre between two elements, as
        the middle of an even number of samples is. Nothing is lost: the shape grows, filled with zeros,
        where an element above zero would be cut.
    background
        None (default): there is none. A number: that level. ``"edge"``: the median of the elements on the
        border of the array, for a bead or star on a camera's offset or a sky, in a window that it does not
        fill.
    normalize
        Divide by the sum (default); False keeps the scale.
    crop
        A fraction in (0, 1] (a float, as 0.99): the smallest window of odd sides around the centre that
        holds this share of the sum. A tuple of one size per axis: exactly that shape, cut or filled with
        zeros around the centre. None (default): no crop.
    dtype
        Floating dtype of the result. Default: float64 if x64 is enabled, else float32.

    Returns
    -------
    jax.Array
        The PSF, non-negative, centre at ``n // 2``, sum 1.

    Raises
    ------
    ValueError
        If `psf` is empty, traced, complex or not numeric, has NaN, infinite or masked elements or nothing
        above the background, or if an option is not one of the above.

    Warns
    -----
    UserWarning
        If the centre of mass of the result is more than half a pixel from ``n // 2`` along an axis; if
        `background` is None and the border looks like one (2-D and up): nearly constant, above zero, and
        far below the peak.

    Examples
    --------
    >>> import numpy as np
    >>> from convops import psf
    >>> bead = np.array([100, 100, 100, 150, 400, 150, 100, 100])
    >>> print(psf.prepare(bead, background="edge", crop=0.99))
    [0.125 0.75  0.125]
    >>> print(psf.prepare([0, 0, 1, 3]), psf.prepare([1, 0, 0, 7]))
    [0.   0.25 0.75 0.  ] [0.125 0.    0.    0.875 0.    0.   ]
    >>> print(psf.prepare([0, 1, 1, 0], center="subpixel").round(2))
    [0.   0.   0.   0.24 0.53 0.24 0.   0.  ]
    """
    dtype = float_dtype(dtype)
    values = _checked(psf)
    if center not in ("mass", "subpixel", "peak", None):
        raise ValueError(f"`center` is {center!r}; give 'mass', 'subpixel', 'peak' or None.")
    values = np.maximum(values - _level(values, background), 0)
    if not values.any():
        raise ValueError("`psf` has no element above its background; check `background`, or leave it out.")
    values = values / values.max() if normalize else values
    middle = _middle(values, center)
    if center == "subpixel":
        values = moved(values, np.asarray(middle) - _centre_of_mass(values))
        middle = _middle(values, center)
    values = _window(values, middle, _cropped_shape(values, middle, crop))
    if not values.any():
        raise ValueError(f"`crop` {crop} leaves nothing of the PSF; give a larger one.")
    _warn_if_off_centre(values, center)
    return jnp.asarray(values / values.sum() if normalize else values, dtype)


def _checked(psf: Any) -> np.ndarray:
    """The PSF as a float64 array of finite numbers."""
    if is_traced(psf):
        raise ValueError("`psf` is traced; `prepare` measures concrete numbers: call it outside jit, vmap and grad.")
    array = np.ma.asarray(psf)
    if array.dtype.kind == "c":
        raise ValueError("`psf` is complex; an intensity PSF is real: give `abs(psf)**2` of an amplitude PSF.")
    numeric = array.dtype == bool or jnp.issubdtype(array.dtype, np.number)
    if array.ndim == 0 or array.size == 0 or not numeric:
        raise ValueError(f"`psf` has shape {array.shape} and dtype {array.dtype}; give an array of numbers.")
    values = np.ma.filled(array.astype(np.float64), np.nan)
    if not np.isfinite(values).all():
        count = np.count_nonzero(~np.isfinite(values))
        raise ValueError(f"`psf` has {count} NaN, infinite or masked elements; replace them by finite numbers.")
    if not values.any():
        raise ValueError("`psf` is zero everywhere; give one with some light in it.")
    return values


def _level(values: np.ndarray, background: float | str | None) -> float:
    """The background level to subtract."""
    if background is None:
        _warn_if_on_pedestal(values)
        return 0.0
    if isinstance(background, str):
        if background != "edge":
            raise ValueError(f"`background` is {background!r}; give a number, 'edge' or None.")
        return float(np.median(_border(values)))
    level = np.asarray(background)
    if level.ndim or level.dtype.kind not in "iuf" or not np.isfinite(level):
        raise ValueError(f"`background` is {background!r}; give a finite number, 'edge' or None.")
    return float(level)


def _border(values: np.ndarray) -> np.ndarray:
    """The elements on the faces of the array, as a flat array; axes shorter than 3 have no faces."""
    inside = tuple(slice(1, -1) if n > 2 else slice(None) for n in values.shape)
    border = np.ones(values.shape, bool)
    border[inside] = False
    if not border.any():
        raise ValueError(f"`psf` of shape {values.shape} has no border to take the `background` from; give a number.")
    return values[border]


def _warn_if_on_pedestal(values: np.ndarray) -> None:
    """Say so where a background was probably left in: it would pull the centre and veil the restoration."""
    if sum(n >= 5 for n in values.shape) < 2:
        return
    low, level, high = np.percentile(_border(values), [5, 50, 95])
    heavy = level * values.size > 0.05 * np.maximum(values, 0).sum()
    if heavy and values.max() > 2 * level > 4 * (high - low):
        warnings.warn(
            f"`psf` has a nearly constant border of {level:.3g}, {level / values.max():.1%} of its peak, as "
            "on a camera's offset or a sky; `background='edge'` subtracts it, `background=0` keeps it.",
            UserWarning,
            stacklevel=4,
        )


def _centre_of_mass(values: np.ndarray) -> np.ndarray:
    total = values.sum()
    marginals = [values.sum(tuple(a for a in range(values.ndim) if a != axis)) for axis in range(values.ndim)]
    return np.array([np.arange(m.size) @ m / total for m in marginals])


def _middle(values: np.ndarray, center: str | None) -> list[int]:
    """Index of the element that goes to ``n // 2``."""
    middle = np.array([n // 2 for n in values.shape])
    if center is None:
        return middle.tolist()
    mass = _centre_of_mass(values)
    if center == "peak":
        peaks = np.argwhere(values == values.max())
        distance = np.hypot.reduce(peaks - mass, axis=1) + 1e-6 * np.hypot.reduce(peaks - middle, axis=1)
        return peaks[np.argmin(distance)].tolist()
    away = mass - middle  # the smallest shift that leaves at most half a pixel
    steps = np.sign(away) * np.ceil(np.abs(away) - 0.5 - 1e-6)
    return (middle + steps.astype(int)).tolist()


def _cropped_shape(values: np.ndarray, middle: list[int], crop: Any) -> tuple[int, ...]:
    """The shape of the result: the array's own, grown until nothing is cut, or as `crop` says."""
    if crop is None:
        used = [(i.min(), i.max()) for i in np.nonzero(values)]
        return tuple(
            int(max(n, 2 * (c - first), 2 * (last - c) + 1))
            for n, c, (first, last) in zip(values.shape, middle, used, strict=True)
        )
    if isinstance(crop, float | np.floating):
        if not 0 < crop <= 1:
            raise ValueError(f"`crop` is {crop}; a fraction of the energy lies in (0, 1].")
        return _smallest_window(values, middle, float(crop))
    shape = parse_shape(crop) if isinstance(crop, tuple | list) else None
    if shape is None or len(shape) != values.ndim:
        raise ValueError(f"`crop` is {crop!r}; give a float in (0, 1], or a tuple of {values.ndim} sizes.")
    return shape


def _smallest_window(values: np.ndarray, middle: list[int], fraction: float) -> tuple[int, ...]:
    """The odd window of fewest elements around `middle` with this share of the sum.

    Folding each axis at the centre and summing up gives the sums of all windows at once.
    """
    sums = values
    for axis, c in enumerate(middle):
        sums = np.moveaxis(sums, axis, 0)
        half = max(c, len(sums) - 1 - c)
        folded = np.zeros((half + 1, *sums.shape[1:]))
        folded[: len(sums) - c] += sums[c:]
        folded[1 : c + 1] += sums[:c][::-1]
        sums = np.moveaxis(np.cumsum(folded, axis=0), 0, axis)
    sides = np.indices(sums.shape) * 2 + 1
    enough = sums >= fraction * sums.max() * (1 - 1e-12)
    elements = np.where(enough, np.prod(sides, axis=0, dtype=float), np.inf)
    best = np.argmax(np.where(elements == elements.min(), sums, -1))
    return tuple(int(n) for n in sides.reshape(values.ndim, -1)[:, best])


def _window(values: np.ndarray, middle: list[int], shape: tuple[int, ...]) -> np.ndarray:
    """The window of `shape` with the element `middle` at its ``n // 2``; zero outside the array."""
    result = np.zeros(shape)
    target, source = [], []
    for n, m, c in zip(values.shape, shape, middle, strict=True):
        first = m // 2 - c  # where element 0 goes
        low, high = max(first, 0), min(first + n, m)
        target.append(slice(low, high))
        source.append(slice(low - first, high - first))
    result[tuple(target)] = values[tuple(source)]
    return result


def _warn_if_off_centre(values: np.ndarray, center: str | None) -> None:
    for axis, (n, mass) in enumerate(zip(values.shape, _centre_of_mass(values), strict=True)):
        away = mass - n // 2
        if abs(away) > 0.5 + 1e-6:
            side = "after" if away > 0 else "before"
            chosen = center in ("mass", "subpixel")
            remedy = "subtract the `background` or widen `crop`" if chosen else "use `center='mass'`"
            warnings.warn(
                f"the centre of mass of `psf` lies {abs(away):.2f} pixels {side} its centre (index {n // 2}) "
                f"along axis {axis}, which moves a restored image by as much; {remedy}, unless you mean it.",
                UserWarning,
                stacklevel=3,
            )
