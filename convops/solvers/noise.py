"""The noise level of data, from the data alone."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators.arrays import as_inexact
from ..operators.transforms import axes_of
from .checks import finite, overall

NORMAL_QUARTILE = 0.6744897501960817  # median of |x| for x standard normal


def noise_level(b: Any, axes: Any = None, *, kept: Any = None) -> jax.Array:
    """Estimate the standard deviation of white noise: the median of the finest diagonal Haar band, over 0.6745.

    Donoho & Johnstone, Biometrika 81 (1994) 425. Texture as fine as a sample adds to it; blurred data have little.

    Parameters
    ----------
    b : array
        Finite; for complex data the root of the sum of the variances of the two parts.
    axes : int or tuple of int, optional
        The axes along which neighbours are compared, each of at least 2 samples; all of them by default.
    kept : array of bool, optional
        Of the shape of `b`: only where all the neighbours compared are kept do they count.

    Returns
    -------
    Array
        A scalar, in the units of `b`; differentiable almost everywhere.

    Examples
    --------
    >>> import jax, convops as co
    >>> b = 3.0 + 0.5 * jax.random.normal(jax.random.key(0), (200, 300))
    >>> print(f"{co.noise_level(b):.1f}")
    0.5
    """
    finite(b, "b")
    band = as_inexact(b, "b")
    band = band.astype(jnp.promote_types(band.dtype, jnp.float32))
    good = jnp.ones(band.shape, bool) if kept is None else jnp.asarray(kept).astype(bool)
    if band.ndim == 0 or good.shape != band.shape:
        raise ValueError(
            f"`b` has shape {band.shape} and `kept` {good.shape}; give at least one axis, and the same shape"
        )
    for axis in axes_of(axes, band.ndim):
        if band.shape[axis] < 2:
            raise ValueError(f"`b` has shape {band.shape}; axis {axis} has no two neighbours: name others by `axes`")
        first, second = _pairs(band, axis)
        band = (first - second) / jnp.sqrt(jnp.asarray(2, jnp.finfo(band.dtype).dtype))
        good = jnp.logical_and(*_pairs(good, axis))
    parts = (band.real, band.imag) if jnp.iscomplexobj(band) else (band,)
    middles = [jnp.nan_to_num(jnp.nanmedian(jnp.where(good, jnp.abs(part), jnp.nan))) for part in parts]
    if len(middles) == 1:
        return middles[0] / NORMAL_QUARTILE
    unit = unit_of(jnp.stack(middles))
    return unit * overall([middle / unit for middle in middles]) / NORMAL_QUARTILE


def unit_of(b: jax.Array) -> jax.Array:
    """The largest modulus, or 1: in units of it squares of the data neither vanish nor overflow."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(b)))
    return jnp.where(largest > 0, largest, 1)


def _pairs(x: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    """Samples 0, 2, 4, ... along an axis, and their neighbours 1, 3, 5, ..."""
    n = x.shape[axis] // 2 * 2
    return jax.lax.slice_in_dim(x, 0, n, 2, axis), jax.lax.slice_in_dim(x, 1, n, 2, axis)
