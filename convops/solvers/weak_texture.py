"""The noise level of pictures that no blur has smoothed: where, or in what filter, there is the least of the scene."""

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.sums import root

PATCH = 8  # samples along an axis of the filters, 5 for small pictures
SMALL = 10000
TILE = 16
FEWEST = 30  # tiles that have a distribution
LOW = 0.1  # the share of the tiles that are taken for smooth,
EXPECTED = 0.7812  # and this quantile of the mean of 64 squares of standard normal numbers


def quietest(power: jax.Array, shown: jax.Array) -> jax.Array:
    """The root of the least output of all filters of a few samples whose squares sum to one, from a power spectrum.

    It is the least eigenvalue of the covariance of patches (Pyatykh, Hesser & Zheng, IEEE Trans. Image Process. 22
    (2013) 687), that of the noise where some combination of neighbours cancels the texture. Coarse frequencies, which
    are not `shown`, would leave rounding only.
    """
    sizes = shown.shape
    mean = jnp.mean(power.reshape(-1, *sizes), 0)
    taps = [min(PATCH if shown.size > SMALL else 5, n) for n in sizes]
    lags = jnp.real(jnp.fft.ifft2(jnp.where(shown, mean, 0)))
    place = np.stack(np.meshgrid(*map(np.arange, taps), indexing="ij")).reshape(2, -1)
    apart = place[:, :, None] - place[:, None, :]
    covariance = lags[apart[0] % sizes[0], apart[1] % sizes[1]]
    filters = jnp.linalg.eigh(jax.lax.stop_gradient(covariance))[1][:, 0]
    least = jnp.einsum("i,ij,j->", filters, covariance, filters, precision=jax.lax.Precision.HIGHEST)
    chance = 1 - np.sqrt(len(filters) / shown.size)  # the least eigenvalue of so many samples of white noise
    return root(jnp.maximum(least, 0)) / chance


def smoothest(b: jax.Array) -> jax.Array:
    """The level in the smoothest tenth of the tiles of a picture (the last two axes), infinite where there are few.

    Constant tiles are left out, and those with samples at the ends of the range where many are there: they are clipped.
    """
    rows, columns = (n // TILE for n in b.shape[-2:])
    if rows * columns < FEWEST:
        return jnp.asarray(jnp.inf, b.dtype)
    ends = (b == jnp.max(b)) | (b == jnp.min(b))
    ends = ends & (jnp.mean(ends) > 1e-3)
    tiles, clipped = (
        x[..., : rows * TILE, : columns * TILE].reshape(-1, rows, TILE // 2, 2, columns, TILE // 2, 2)
        for x in (b, ends)
    )
    detail = tiles[:, :, :, 0, :, :, 0] - tiles[:, :, :, 1, :, :, 0]
    detail = (detail - tiles[:, :, :, 0, :, :, 1] + tiles[:, :, :, 1, :, :, 1]) / 2
    energy = jnp.mean(detail**2, (2, 4))
    energy = jnp.where(jnp.any(clipped, (2, 3, 5, 6)) | (energy == 0), jnp.nan, energy)
    low = jnp.nanquantile(energy, LOW) / EXPECTED
    return jnp.where(jnp.isnan(low), jnp.inf, root(jnp.nan_to_num(low)))
