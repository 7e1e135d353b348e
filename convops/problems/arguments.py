"""What the problems, the noise and the metrics ask of their arguments."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import as_inexact, traced
from ..operators.window import integer
from ..solvers.checks import finite


def real_array(x: Any, name: str) -> jax.Array:
    """Return `x` as a real floating array of at least single precision; integers become the default float."""
    finite(x, name)
    array = as_inexact(x, name)
    if jnp.iscomplexobj(array):
        raise ValueError(f"`{name}` is complex ({array.dtype}); give real numbers")
    if array.size == 0:
        raise ValueError(f"`{name}` is empty (shape {array.shape}); give at least one sample")
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))


def image_of(image: Any, name: str = "image") -> jax.Array:
    """Return a grey image as a real floating array of two axes."""
    array = real_array(image, name)
    if array.ndim != 2:
        raise ValueError(
            f"`{name}` has shape {array.shape}; give a grey image of two axes, one channel of a colour one"
        )
    return array


def like(x: Any, truth: Any, name: str = "x") -> tuple[jax.Array, jax.Array]:
    """Return two real arrays of one shape, in their common precision."""
    x, truth = real_array(x, name), real_array(truth, "truth")
    if x.shape != truth.shape:
        raise ValueError(f"`{name}` has shape {x.shape} and `truth` {truth.shape}; give arrays of one shape")
    dtype = jnp.promote_types(x.dtype, truth.dtype)
    return x.astype(dtype), truth.astype(dtype)


def number(value: Any, name: str, *, low: float = 0.0, high: float = np.inf, strict: bool = False) -> Any:
    """Return a real number in [low, high] (above `low` if `strict`); traced ones are taken as they come."""
    if traced(value):
        return value
    kind = np.asarray(value)
    if kind.ndim or kind.dtype.kind not in "iuf":
        raise ValueError(f"`{name}` is {value!r}; give one real number")
    if not (low <= kind <= high and np.isfinite(kind)) or (strict and kind == low):
        least = f"above {low:g}" if strict else f"of at least {low:g}"
        most = f" and at most {high:g}" if np.isfinite(high) else ""
        raise ValueError(f"`{name}` is {value}; give a finite number {least}{most}")
    return float(kind)


def one_of(value: Any, name: str, accepted: Any) -> Any:
    """Return a word (or a number) that is among those accepted."""
    if not isinstance(value, str | int) or isinstance(value, bool) or value not in accepted:
        raise ValueError(f"`{name}` is {value!r}; accepted are {', '.join(map(repr, accepted))}")
    return value


def whole(value: Any, name: str, low: int = 0) -> int:
    """Return an integer of at least `low`."""
    accepted = f"an integer of at least {low}"
    found = integer(value, name, accepted)
    if isinstance(value, bool) or found < low:
        raise ValueError(f"`{name}` is {value!r}; give {accepted}")
    return found
