"""Padding and slicing of the trailing axes."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def padded(x: jax.Array, widths: Sequence[tuple[int, int, int]]) -> jax.Array:
    """Pad the trailing axes by zeros (before, after, between); one axis after the other is faster than all at once."""
    lead = x.ndim - len(widths)
    for axis, width in enumerate(widths):
        if any(width):
            config = [(0, 0, 0)] * x.ndim
            config[lead + axis] = width
            x = lax.pad(x, jnp.zeros((), x.dtype), config)
    return x


def settled(x: jax.Array) -> jax.Array:
    """Mark a padded copy as one, so that XLA writes it once instead of once an axis."""
    return lax.optimization_barrier(x)


def strided(x: jax.Array, begin: Any, count: tuple[int, ...], step: tuple[int, ...]) -> jax.Array:
    """Trailing axes of `x` from `begin`, `count` samples `step` apart."""
    lead = x.shape[: x.ndim - len(count)]
    extent = [s * (c - 1) + 1 for s, c in zip(step, count, strict=True)]
    zeros, ones = [0] * len(lead), [1] * len(lead)
    if isinstance(begin, np.ndarray):
        stop = [b + e for b, e in zip(begin, extent, strict=True)]
        return lax.slice(x, [*zeros, *begin], [*lead, *stop], [*ones, *step])
    part = lax.dynamic_slice(x, [*zeros, *begin], [*lead, *extent])
    return lax.slice(part, [0] * x.ndim, part.shape, [*ones, *step])
