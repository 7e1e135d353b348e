"""What is kept of the DCT coefficients of a patch: those above a threshold, or as much as a pilot lets expect."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .patches import averaged

THRESHOLD = 2.7  # in deviations of the noise


def thresholded(x: jax.Array, deviation: Any, threshold: Any, softness: Any, patch: tuple[int, ...], boundary: str):
    """The first pass: in each patch the mean and the coefficients above `threshold` deviations of their noise."""
    level = threshold * deviation
    width = None if softness is None else softness * deviation
    return averaged(_above, (x,), patch, boundary, (level, width, _cost(deviation)))


def filtered(x: jax.Array, pilot: jax.Array, deviation: Any, wiener: Any, patch: tuple[int, ...], boundary: str):
    """The second pass: coefficients times c^2 / (c^2 + v), c those of the pilot and v the variance of the noise."""
    return averaged(_wiener, (x, pilot), patch, boundary, (wiener * deviation, _cost(deviation)))


def _cost(deviation: jax.Array) -> jax.Array:
    """The noise that each coefficient brings along, in units of their mean."""
    largest = jnp.max(deviation)  # whose square may be beyond what a float holds
    some = largest > 0
    variance = (deviation / jnp.where(some, largest, 1)) ** 2
    return jnp.where(some, variance / jnp.where(some, jnp.mean(variance), 1), 1)


def _above(settings: Any, c: jax.Array) -> tuple[jax.Array, jax.Array]:
    level, width, cost = settings
    size = jnp.abs(c)
    if width is None:
        gate = (size > _spread(level, c)).astype(c.dtype)
    else:
        some = width > 0  # without noise the threshold is hard
        soft = jax.nn.sigmoid((size - _spread(level, c)) / _spread(jnp.where(some, width, 1), c))
        gate = jnp.where(_spread(some, c), soft, (size > _spread(level, c)).astype(c.dtype))
    gate = _with_mean(gate, level.ndim)
    return gate * c, 1 / _summed(gate * _spread(cost, c), level.ndim)


def _wiener(settings: Any, c: jax.Array, pilot: jax.Array) -> tuple[jax.Array, jax.Array]:
    deviation, cost = settings
    # both in units of the larger, which changes nothing but that no square is too small for a float
    unit = lax.stop_gradient(jnp.maximum(jnp.abs(pilot), _spread(deviation, c)))
    some = unit > 0
    unit = jnp.where(some, unit, 1)
    power, variance = (pilot / unit) ** 2, (_spread(deviation, c) / unit) ** 2
    gain = jnp.where(some, power / jnp.where(some, power + variance, 1), 0)
    gain = _with_mean(gain, deviation.ndim)
    return gain * c, 1 / _summed(gain**2 * _spread(cost, c), deviation.ndim)


def _spread(values: jax.Array, c: jax.Array) -> jax.Array:
    """A number for each coefficient, the same for all patches."""
    return values.reshape(values.shape + (1,) * (c.ndim - values.ndim))


def _with_mean(gate: jax.Array, axes: int) -> jax.Array:
    """Keep the first coefficient, which is the patch's mean, whatever it is."""
    return gate.at[(0,) * axes].set(1)


def _summed(values: jax.Array, axes: int) -> jax.Array:
    return jnp.sum(values, tuple(range(axes)))
