"""What users pass as arrays."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def traced(x: Any) -> bool:
    """Whether `x` stands for an array inside jit, vmap or grad, so that its entries cannot decide anything."""
    return isinstance(x, Tracer)


def as_numbers(x: Any, name: str) -> Any:
    """Return what is an array already, and anything else as a NumPy array of numbers, or refuse it."""
    if isinstance(x, jax.Array):
        return x
    try:
        array = np.asarray(x)
    except (TypeError, ValueError):  # ragged, or holding traced arrays
        try:
            return jnp.asarray(x)
        except (TypeError, ValueError):
            array = np.asarray(None)
    if array.dtype.kind not in "biufcV":
        raise ValueError(f"`{name}` is a {type(x).__name__}, not an array of numbers")
    return array


def ratio(a: Any, b: jax.Array) -> jax.Array:
    """A / b, and a itself where b is zero; derivatives are finite there."""
    return a / jnp.where(b == 0, 1, b)


def positive_ratio(a: Any, b: jax.Array, otherwise: Any = 0) -> jax.Array:
    """A / b where b is positive, and what is given elsewhere; derivatives are finite there."""
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1), otherwise)


def as_inexact(x: Any, name: str) -> jax.Array:
    """Return `x` as a real or complex floating array; integers and booleans become the default float."""
    if isinstance(x, jax.Array) and x.dtype.kind in "fc":
        return x
    array = jnp.asarray(as_numbers(x, name))
    if jnp.issubdtype(array.dtype, jnp.inexact):
        return array
    return array.astype(jnp.result_type(float))
