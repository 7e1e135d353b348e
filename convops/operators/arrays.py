"""What users pass as arrays."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer


def traced(x: Any) -> bool:
    """Whether `x` stands for an array inside jit, vmap or grad, so that its entries cannot decide anything."""
    return isinstance(x, Tracer)


def as_inexact(x: Any, name: str) -> jax.Array:
    """Return `x` as a real or complex floating array; integers and booleans become the default float."""
    try:
        array = jnp.asarray(x)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` is a {type(x).__name__}, not an array of numbers") from None
    if jnp.issubdtype(array.dtype, jnp.inexact):
        return array
    return array.astype(jnp.zeros(()).dtype)
