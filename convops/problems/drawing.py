"""Random numbers from a seed: NumPy's generator for an integer, jax's for a key."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import traced
from .arguments import whole


def is_key(seed: Any) -> bool:
    """Whether `seed` is a jax key, of the typed kind or an old pair of uint32."""
    if not isinstance(seed, jax.Array):
        return False
    return jnp.issubdtype(seed.dtype, jax.dtypes.prng_key) or (seed.dtype == jnp.uint32 and seed.ndim == 1)


def generator(seed: Any) -> np.random.Generator:
    """NumPy's generator for an integer seed."""
    return np.random.default_rng(whole(seed, "seed"))


def normal(seed: Any, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Standard normal numbers; for an integer those of `numpy.random.default_rng(seed).standard_normal`."""
    if is_key(seed):
        return jax.random.normal(seed, shape, dtype)
    return jnp.asarray(generator(seed).standard_normal(shape), dtype)


def uniform(seed: Any, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Uniform numbers in [0, 1)."""
    if is_key(seed):
        return jax.random.uniform(seed, shape, dtype)
    return jnp.asarray(generator(seed).random(shape), dtype)


def poisson(seed: Any, mean: jax.Array) -> jax.Array:
    """Counts of the given means, as real numbers."""
    if is_key(seed):
        return jax.random.poisson(seed, mean).astype(mean.dtype)
    if traced(mean):
        raise ValueError(
            "`seed` is an integer, for which NumPy draws; give a jax.random.key(...) under jit, vmap or grad"
        )
    return jnp.asarray(generator(seed).poisson(np.asarray(mean, np.float64)), mean.dtype)
