"""What users pass as arrays."""

import math
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
    if array.dtype.kind not in "biufc" and not jnp.issubdtype(array.dtype, jnp.inexact):
        raise ValueError(f"`{name}` is a {type(x).__name__}, not an array of numbers (dtype {array.dtype})")
    if array.dtype in (np.longdouble, np.clongdouble) and array.dtype not in (np.float64, np.complex128):
        raise ValueError(f"`{name}` has dtype {array.dtype}, which JAX does not have; give it as float64 or complex128")
    return array


def number(x: Any, name: str, accepted: str, least: float = -math.inf, below: float = math.inf) -> float:
    """Return a finite real number in [least, below) as a float, or refuse it."""
    kind = np.asarray(x).dtype.kind if isinstance(x, int | float | np.generic | np.ndarray | jax.Array) else "O"
    if kind not in "iuf" or np.ndim(x) != 0 or not math.isfinite(x) or not least <= float(x) < below:
        raise ValueError(f"`{name}` is {x!r}; give {accepted}")
    return float(x)


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
