"""What penalties ask of their arguments. Traced values are not looked at."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import as_inexact, as_numbers, traced
from ..operators.base import LinearOperator


def weight_of(weight: Any, name: str = "weight") -> jax.Array:
    """Return a non-negative number, or an array of them."""
    return _real(weight, name, lambda w: (w >= 0).all(), "finite non-negative numbers")


def positive_of(number: Any, name: str) -> jax.Array:
    """Return a positive number, or an array of them."""
    return _real(number, name, lambda w: (w > 0).all(), "finite positive numbers")


def factor_of(factor: Any) -> jax.Array:
    """Return the positive number that a penalty is multiplied by."""
    found = positive_of(factor, "factor")
    if found.ndim and not traced(factor):
        raise ValueError(f"`factor` has shape {found.shape}; penalties are multiplied by positive numbers")
    return found


def bound_of(bound: Any, name: str) -> jax.Array:
    """Return a real bound, which may be infinite."""
    return _real(bound, name, lambda w: True, "real numbers, infinite ones included", infinite=True)


def _real(value: Any, name: str, allowed: Any, accepted: str, infinite: bool = False) -> jax.Array:
    if isinstance(value, str):
        raise ValueError(f"`{name}` is {value!r}; give {accepted}")
    if traced(value):
        return as_inexact(value, name)
    array = np.asarray(as_numbers(value, name))
    real = array.dtype.kind in "biuf" or jnp.issubdtype(array.dtype, jnp.floating)  # bfloat16 is of kind V
    if not real or not ((~np.isnan(array) if infinite else np.isfinite(array)).all() and allowed(array)):
        raise ValueError(f"`{name}` is {told(array)}; give {accepted}")
    return as_inexact(value, name)


def step_of(step: Any, dtype: Any) -> jax.Array:
    """Return a positive step in the precision of a dtype."""
    found = positive_of(step, "step")
    if found.ndim:
        raise ValueError(f"`step` has shape {found.shape}; give one positive number")
    return found.astype(jnp.finfo(dtype).dtype)


def steps_of(steps: Any) -> int:
    """Return a number of steps."""
    if not isinstance(steps, int) or steps < 0:
        raise ValueError(f"`steps` is {steps!r}; give an integer of at least 0")
    return steps


def fitted(weight: jax.Array, like: jax.Array, name: str = "weight") -> jax.Array:
    """A weight in the precision of what it weighs: one number, or an array of the same shape."""
    if weight.ndim and weight.shape != like.shape:
        raise ValueError(f"`{name}` has shape {weight.shape}; give one number or an array of shape {like.shape}")
    return weight.astype(jnp.finfo(like.dtype).dtype)


def real_only(x: jax.Array, name: str) -> None:
    """Refuse complex arrays where an order is needed."""
    if jnp.iscomplexobj(x):
        raise ValueError(f"`x` is complex; {name} takes real arrays")


def told(value: Any) -> str:
    """A field in a few words."""
    if isinstance(value, LinearOperator):
        return f"<{value!r}>"
    shape = getattr(value, "shape", None)
    if shape is None or traced(value):
        return repr(value) if shape is None else f"<traced {value.dtype}{list(shape)}>"
    return f"{np.asarray(value).item():.4g}" if shape == () else f"<{value.dtype}{list(shape)}>"


def axes_given(axis: Any, name: str = "axis") -> tuple[int, ...]:
    """Return one axis or several as a tuple."""
    from ..operators.window import integer

    return tuple(integer(a, name) for a in (axis if isinstance(axis, tuple | list) else (axis,)))


def boundary_of(boundary: Any) -> None:
    """Refuse unknown names of boundaries, before a shape is known."""
    from ..operators.window import make_window

    for name in boundary if isinstance(boundary, tuple | list) else (boundary,):
        make_window((2,), (2,), boundary=name)
