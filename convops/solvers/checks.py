"""What every solver asks of its arguments, and the defaults that depend on the dtype."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import as_inexact, as_numbers, traced
from ..operators.base import LinearOperator
from ..operators.sums import length, root
from ..operators.window import integer


def data_of(A: LinearOperator, b: Any) -> tuple[jax.Array, bool]:
    """Return the data in ``out_shape``, and whether they came flat; NaN and infinity are refused."""
    if not isinstance(A, LinearOperator):
        raise ValueError(f"`A` is a {type(A).__name__}; give an operator, e.g. co.convolution(psf, shape)")
    finite(b, "b")
    b = as_inexact(b, "b")
    b = b.astype(jnp.promote_types(jnp.result_type(b, *A._inexact_leaves()), jnp.float32))
    flat = b.shape != A.out_shape
    if b.shape not in (A.out_shape, (math.prod(A.out_shape),)):
        raise ValueError(
            f"`b` has shape {b.shape}; A maps to {A.out_shape}: give that or a flat vector (jax.vmap takes batches)"
        )
    return b.reshape(A.out_shape), flat


def dtype_of(A: LinearOperator, L: LinearOperator, *numbers: Any) -> jnp.dtype:
    """What is computed in: complex where an operator or a number is, so that x is."""
    return jnp.result_type(jnp.float32, *numbers, *A._inexact_leaves(), *L._inexact_leaves())


def start_of(A: LinearOperator, x0: Any, dtype: Any, name: str = "x0") -> jax.Array:
    """Return the first iterate (or another array of ``in_shape``): zeros unless given."""
    if x0 is None:
        return jnp.zeros(A.in_shape, dtype)
    finite(x0, name)
    x0 = as_inexact(x0, name)
    if x0.shape not in (A.in_shape, (math.prod(A.in_shape),)):
        raise ValueError(f"`{name}` has shape {x0.shape}; A maps from {A.in_shape}: give that or a flat vector")
    if jnp.iscomplexobj(x0) and not jnp.issubdtype(dtype, jnp.complexfloating):
        raise ValueError(f"`{name}` is complex and the problem is real: give real numbers, or complex data")
    return x0.reshape(A.in_shape).astype(dtype)


def finite(x: Any, name: str) -> None:
    """Refuse concrete arrays with NaN or infinite entries; NumPy looks, so that jit around it does not trace."""
    if not traced(x) and not np.isfinite(np.asarray(as_numbers(x, name))).all():
        raise ValueError(f"`{name}` holds NaN or infinite entries; replace them, or leave them out with co.mask")


def scalar(value: Any, name: str, dtype: Any) -> jax.Array:
    """Return a non-negative real number as an array of the real dtype."""
    if isinstance(value, str):
        raise ValueError(f"`{name}` is {value!r}; give a non-negative number")
    number = value if traced(value) else np.asarray(as_numbers(value, name))
    if number.ndim != 0 or jnp.iscomplexobj(number):
        raise ValueError(f"`{name}` has shape {number.shape} and dtype {number.dtype}; give one real number")
    if not traced(number) and not (np.isfinite(number) and number >= 0):
        raise ValueError(f"`{name}` is {value}; give a non-negative number")
    return jnp.asarray(number, jnp.finfo(dtype).dtype)


def between(value: Any, name: str, dtype: Any, limit: float, told: str) -> jax.Array:
    """Return a number above 0 and below a limit as an array of the real dtype."""
    number = scalar(value, name, dtype)
    if not traced(value) and not 0 < float(value) < limit:
        raise ValueError(f"`{name}` is {value}; give a number above 0 and {told}")
    return number


def steps_of(max_steps: Any) -> int:
    """Return a step limit as an int of at least 0."""
    steps = integer(max_steps, "max_steps", "an integer of at least 0")
    if steps < 0:
        raise ValueError(f"`max_steps` is {max_steps!r}; give an integer of at least 0")
    return steps


def tolerance(rtol: Any, dtype: Any, single: float, double: float) -> jax.Array:
    """Return the relative tolerance; by default one that the dtype can reach."""
    real = jnp.finfo(dtype).dtype
    if rtol is None:
        rtol = single if jnp.finfo(real).bits <= 32 else double
    return scalar(rtol, "rtol", real)


@jax.jit
def small_slope(slope: jax.Array, rtol: jax.Array, atol: jax.Array) -> jax.Array:
    """The norm of a gradient that is small enough, max(rtol norm(slope), atol) with slope = A^H b."""
    return jnp.maximum(rtol * length(slope), atol)


def overall(parts: list[jax.Array]) -> jax.Array:
    """The 2-norm of norms."""
    return root(sum((part**2 for part in parts[1:]), parts[0] ** 2))


def reported(figure: jax.Array) -> jax.Array:
    """A figure for the user: infinity where it is no number."""
    return jnp.where(jnp.isnan(figure), jnp.inf, figure)
