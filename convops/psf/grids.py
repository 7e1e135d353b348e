"""What the sampled PSFs share: checked parameters, the grid around the centre ``n // 2``, the unit sum."""

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

Reach = Sequence[tuple[float, float]]
"""How many elements a PSF needs before and after its centre, per axis; as many, or one more before."""

_DEFAULT_LIMIT = 2 * 1024**3  # bytes; a default shape beyond this is a slip in a parameter, not a wish


class Parameter(NamedTuple):
    """A parameter as an array for the formula, and its value where it is known while tracing."""

    array: jax.Array
    known: np.ndarray | None


def is_traced(value: Any) -> bool:
    """Whether any part of `value` is traced by jit, grad or vmap."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(value))


def float_dtype(dtype: Any) -> Any:
    """The floating dtype asked for: the canonical one (float64 under x64) if None."""
    if dtype is None:
        return jnp.result_type(float)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"`dtype` is {jnp.dtype(dtype).name}; a PSF holds real fractions: give a floating dtype.")
    return jnp.zeros((), dtype).dtype


def working_dtype(dtype: Any) -> Any:
    """The dtype to compute in: half precisions are too coarse for sums and offsets."""
    return dtype if jnp.finfo(dtype).bits >= 32 else jnp.dtype(jnp.float32)


def parameter(name: str, value: Any, dtype: Any, *, ranks: Sequence[int] = (0,), positive: bool = True) -> Parameter:
    """`value` (nested sequences allowed) as an array of `dtype`, checked as far as it is known."""
    known = None if is_traced(value) else _known(name, value)
    array = _stacked(value, dtype) if known is None else jnp.asarray(_rounded(known, dtype))
    if array.ndim not in ranks or array.size == 0:
        wanted = " or ".join({0: "one number", 1: "one number per axis", 2: "a square matrix"}[r] for r in ranks)
        raise ValueError(f"`{name}` has shape {array.shape}; give {wanted}.")
    if known is not None and positive and not (known > 0).all():
        raise ValueError(f"`{name}` is {value}, in pixels; it must be positive.")
    return Parameter(array, known)


def _known(name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"`{name}` is {value!r}; give numbers, or sequences of equal length.") from error
    if not (jnp.issubdtype(array.dtype, jnp.floating) or jnp.issubdtype(array.dtype, jnp.integer)):
        raise ValueError(f"`{name}` is {value!r}; give real numbers.")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"`{name}` is {value}; it must be finite.")
    return array


def _rounded(known: np.ndarray, dtype: Any) -> np.ndarray:
    limit = float(jnp.finfo(dtype).max)  # 1e300 stays finite in float32
    return np.clip(known, -limit, limit).astype(dtype)


def _stacked(value: Any, dtype: Any) -> jax.Array:
    if isinstance(value, list | tuple):
        return jnp.stack([_stacked(part, dtype) for part in value])
    return jnp.asarray(value, dtype)


def parse_shape(shape: Any) -> tuple[int, ...] | None:
    """A shape as a tuple of positive ints; an int is the length of a 1-D PSF, None stays None."""
    if shape is None:
        return None
    try:
        sizes = tuple(map(operator.index, shape)) if np.ndim(shape) else (operator.index(shape),)
    except (TypeError, ValueError):
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise ValueError(f"`shape` is {shape!r}; give a positive int, or a tuple of one per axis.")
    return sizes


def grid_shape(shape: tuple[int, ...] | None, reach: Reach | None, names: str, *, may_cut: bool) -> tuple[int, ...]:
    """The shape to sample on: the given one, or the smallest that holds `reach` (None where it is traced)."""
    if reach is None:
        if shape is None:
            raise ValueError(f"{names} is traced, so no size can follow from it; give `shape`, a static tuple.")
        return shape
    needed = [before + after + 1 for before, after in reach]
    if shape is None:
        nbytes = 8.0 * math.prod(needed)
        if nbytes > _DEFAULT_LIMIT:
            raise ValueError(f"{names} would need a PSF of {nbytes / 2**30:.3g} GiB; give a smaller one, or `shape`.")
        return tuple(int(n) for n in needed)
    if not may_cut and any(n < least for n, least in zip(shape, needed, strict=True)):
        least = ", ".join(f"{n:.0f}" for n in needed)
        raise ValueError(
            f"`shape` {shape} would cut this PSF, whose centre is at n // 2; "
            f"give at least ({least}{',' if len(needed) == 1 else ''}), or leave `shape` out."
        )
    return shape


def offsets(shape: tuple[int, ...], dtype: Any) -> list[jax.Array]:
    """The distance of each element from the centre along each axis, ready to broadcast."""
    axes = []
    for axis, n in enumerate(shape):
        lengths = [1] * len(shape)
        lengths[axis] = n
        axes.append((jnp.arange(n, dtype=dtype) - n // 2).reshape(lengths))
    return axes


def turned(row: jax.Array, column: jax.Array, angle: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The offsets along axes turned by `angle` degrees, counter-clockwise as displayed (rows down).

    The column axis (to the right) becomes the direction ``(row, column) = (-sin, cos)`` and the row axis
    (downwards) ``(cos, sin)``. Whole quarter turns are taken out first, so that they are exact.
    """
    quarter = jnp.round(jax.lax.stop_gradient(angle) / 90)
    radians = jnp.deg2rad(angle - 90 * quarter)
    c, s = jnp.cos(radians), jnp.sin(radians)
    which = quarter % 4
    cosine = jnp.select([which == 0, which == 1, which == 2], [c, -s, -c], s)
    sine = jnp.select([which == 0, which == 1, which == 2], [s, c, -s], -c)
    return row * cosine + column * sine, column * cosine - row * sine


def unit_sum(weights: jax.Array, dtype: Any) -> jax.Array:
    """Divide by the sum, then round to `dtype`."""
    return (weights / jnp.sum(weights)).astype(dtype)
