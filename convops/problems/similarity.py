"""The structural similarity index."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.convolution import convolution
from .arguments import like
from .metrics import range_of

_SIGMA, _RADIUS = 1.5, 5
_TAPS = np.exp(-(np.arange(-_RADIUS, _RADIUS + 1) ** 2) / (2 * _SIGMA**2))
_K1, _K2 = 0.01, 0.03


def ssim(x: Any, truth: Any, *, data_range: Any = None) -> jax.Array:
    """Structural similarity index, the mean over all windows that fit into the image of

    ``(2 mx mt + C1) (2 vxt + C2) / ((mx^2 + mt^2 + C1) (vx + vt + C2))``, ``C1 = (0.01 R)^2``, ``C2 = (0.03 R)^2``,

    with the means mx, mt, variances vx, vt and covariance vxt of x and truth under an 11 x 11 Gaussian window of
    standard deviation 1.5. Wang, Bovik, Sheikh & Simoncelli, IEEE Trans. Image Process. 13 (2004) 600. The same as
    scikit-image's with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``.

    Parameters
    ----------
    x, truth : array
        Real, of one shape, any number of axes of at least 11 samples each.
    data_range : float, optional
        R, the range of the values. The largest minus the least of `truth` unless given.

    Returns
    -------
    Array
        A scalar, at most 1.

    Raises
    ------
    ValueError
        For different shapes, an axis shorter than 11, NaN or infinite entries, or a `data_range` that is not positive.

    Examples
    --------
    >>> from convops import problems
    >>> photo = problems.photograph()
    >>> print(f"{problems.ssim(0.5 * photo, photo):.3f}")
    0.724
    """
    x, truth = like(x, truth)
    if min(truth.shape, default=0) < len(_TAPS):
        raise ValueError(f"`x` has shape {x.shape}; the window needs at least {len(_TAPS)} samples along every axis")
    peak = range_of(truth, data_range)
    level = jax.lax.stop_gradient(jnp.mean(truth))  # variances do not change, and lose fewer digits
    p, q = x - level, truth - level
    mean_p, mean_q, pp, qq, pq = _windowed(jnp.stack([p, q, p * p, q * q, p * q]))
    spread = pp - mean_p**2 + qq - mean_q**2
    covariance = pq - mean_p * mean_q
    mean_p, mean_q = mean_p + level, mean_q + level
    c1, c2 = jnp.square(_K1 * peak), jnp.square(_K2 * peak)
    above = (2 * mean_p * mean_q + c1) * (2 * covariance + c2)
    return jnp.mean(above / ((mean_p**2 + mean_q**2 + c1) * (spread + c2)))


def _windowed(fields: jax.Array) -> jax.Array:
    """Means under the Gaussian window, for each of the leading axis."""
    taps = jnp.asarray(_TAPS / math.fsum(_TAPS), fields.dtype)
    for axis in range(1, fields.ndim):
        mean = convolution(taps, fields.shape, mode="valid", axes=axis, method="stencil")
        fields = mean.matvec(fields)
    return fields
