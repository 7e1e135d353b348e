"""Credible intervals: where each pixel lies with a given probability."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import as_inexact, traced


def credible_interval(posterior: Any, level: float = 0.95) -> tuple[jax.Array, jax.Array]:
    """Return the ends of the interval that holds each pixel with probability `level`, as much left out on each side.

    From the mean and the variance it is that of the Gaussian, mean -+ z sqrt(variance), z its (1 + level)/2 quantile.
    From K samples it lies between the order statistics (K + 1)(1 -+ level)/2, interpolated: a further draw falls
    inside with probability `level` whatever the distribution (Hyndman & Fan, Am. Stat. 50 (1996) 361, definition 6).

    Parameters
    ----------
    posterior : array, or tuple (mean, variance)
        Samples along the first axis, as of `posterior_samples`, at least 2/(1 - level) - 1 of them (39 for 0.95); or
        a tuple of the posterior mean and the variance of each pixel, as of `tikhonov` and `posterior_variance`. Real:
        take the parts of complex samples apart (each has half of the variance).
    level : float
        Between 0 and 1.

    Returns
    -------
    lower, upper : Array
        Of the shape of one sample; infinite where the variance is.

    Raises
    ------
    ValueError
        For too few samples, a negative variance, complex numbers, or a level that is no probability.

    Examples
    --------
    >>> import convops as co
    >>> lower, upper = co.credible_interval(([1.0, 2.0], [0.25, 4.0]))
    >>> print(lower.round(1), upper.round(1))
    [ 0.  -1.9] [2.  5.9]
    """
    if traced(level) or isinstance(level, str) or np.ndim(level) or not 0 < level < 1:
        raise ValueError(f"`level` is {level!r}; give a number between 0 and 1, as 0.95")
    level = float(level)
    if isinstance(posterior, tuple):
        return _gaussian(posterior, level)
    samples = _real(posterior, "posterior")
    needed = math.ceil(2 / (1 - level) - 1 - 1e-9)
    if samples.ndim == 0 or len(samples) < needed:
        raise ValueError(
            f"`posterior` has shape {samples.shape}; the level {level} takes at least {needed} samples along the first "
            "axis, or a tuple of mean and variance"
        )
    ordered = jnp.sort(samples, 0)
    below = (len(samples) + 1) * (1 - level) / 2 - 1
    return _between(ordered, below), _between(ordered, len(samples) - 1 - below)


def _gaussian(posterior: tuple[Any, ...], level: float) -> tuple[jax.Array, jax.Array]:
    if len(posterior) != 2:
        raise ValueError(f"`posterior` is a tuple of {len(posterior)}; give (mean, variance), or an array of samples")
    mean, variance = _real(posterior[0], "mean"), _real(posterior[1], "variance")
    if variance.shape not in ((), mean.shape):
        raise ValueError(f"`variance` has shape {variance.shape} and `mean` {mean.shape}; give one variance a pixel")
    if not traced(variance) and not np.all(np.asarray(variance) >= 0):
        raise ValueError("`variance` holds negative or NaN entries; give variances of at least 0")
    dtype = jnp.result_type(mean, variance)
    some = variance > 0  # the root has no derivative at zero
    half = jax.scipy.special.ndtri(jnp.asarray((1 + level) / 2, dtype)) * jnp.where(
        some, jnp.sqrt(jnp.where(some, variance, 1)), 0
    )
    return mean - half, mean + half


def _real(values: Any, name: str) -> jax.Array:
    values = as_inexact(values, name)
    if jnp.iscomplexobj(values):
        raise ValueError(f"`{name}` is complex, and complex numbers have no order: give real and imaginary parts apart")
    return values


def _between(ordered: jax.Array, place: float) -> jax.Array:
    """The value at a place between two of the ordered samples."""
    place = min(max(place, 0.0), len(ordered) - 1.0)
    low = min(int(place), len(ordered) - 2) if len(ordered) > 1 else 0
    share = place - low
    return (1 - share) * ordered[low] + share * ordered[min(low + 1, len(ordered) - 1)]
