"""The noise level of data, from the data alone."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators.arrays import as_inexact
from ..operators.transforms import axes_of
from .checks import finite

NORMAL_QUARTILE = 0.6744897501960817  # median of |x| for x standard normal


def noise_level(b: Any, axes: Any = None) -> jax.Array:
    """Estimate the standard deviation of white noise: the median of the finest diagonal Haar band, over 0.6745.

    Donoho & Johnstone, Biometrika 81 (1994) 425. Texture as fine as a sample adds to it; blurred data have little.

    Parameters
    ----------
    b : array
        Finite; for complex data the root of the sum of the variances of the two parts.
    axes : int or tuple of int, optional
        The axes along which neighbours are compared, each of at least 2 samples; all of them by default.

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
    for axis in axes_of(axes, band.ndim):
        pairs = band.shape[axis] // 2
        if pairs == 0:
            raise ValueError(f"`b` has shape {band.shape}; axis {axis} has no two neighbours: name others by `axes`")
        first = jax.lax.slice_in_dim(band, 0, 2 * pairs, 2, axis)
        second = jax.lax.slice_in_dim(band, 1, 2 * pairs, 2, axis)
        band = (first - second) / jnp.sqrt(jnp.asarray(2, jnp.finfo(band.dtype).dtype))
    if jnp.iscomplexobj(band):
        return jnp.hypot(*(jnp.median(jnp.abs(part)) for part in (band.real, band.imag))) / NORMAL_QUARTILE
    return jnp.median(jnp.abs(band)) / NORMAL_QUARTILE
