"""The operators that penalties look through: none, a given one, or differences made for the shape they meet."""

import dataclasses
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator, Shape
from ..operators.differences import gradient
from ..operators.elementary import identity
from ..operators.norms import bounded


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Differences:
    """The gradient of whatever shape comes: its boundary, and its axes, or the one that it leaves out."""

    axes: tuple[int, ...] | None = None
    left_out: int | None = None
    boundary: Any = "symmetric"

    def __repr__(self) -> str:
        return repr("gradient")

    def along(self, ndim: int) -> tuple[int, ...]:
        """The axes of an array of so many."""
        skipped = None if self.left_out is None else _within(self.left_out, ndim, "channel_axis")
        if self.axes is None:
            return tuple(a for a in range(ndim) if a != skipped)
        axes = tuple(_within(a, ndim, "axes") for a in self.axes)
        if skipped in axes:
            raise ValueError(f"`channel_axis` is {self.left_out} and among `axes`, {self.axes}: colours have no order")
        return axes


def _within(axis: int, ndim: int, name: str) -> int:
    if not -ndim <= axis < ndim:
        raise ValueError(f"`{name}` is {axis} for an array with {ndim} axes; give one from {-ndim} to {ndim - 1}")
    return axis % ndim


def transform_of(transform: Any) -> Any:
    """Return what a penalty keeps for its argument `transform`."""
    if transform is None or isinstance(transform, LinearOperator | Differences):
        return transform
    if isinstance(transform, str) and transform == "gradient":
        return Differences()
    raise ValueError(f"`transform` is {transform!r}; give an operator, 'gradient', or None for the array itself")


def operator_on(transform: Any, shape: Shape, name: str = "transform") -> LinearOperator:
    """The operator that a transform is for arrays of a shape."""
    if transform is None:
        return identity(shape)
    if isinstance(transform, Differences):
        axes = transform.along(len(shape))
        if not axes:
            raise ValueError(f"`x` has shape {shape}: no axis is left to take differences along")
        return _gradient(shape, transform.boundary, axes)
    if transform.in_shape != shape:
        raise ValueError(f"`{name}` maps from {transform.in_shape}, but `x` has shape {shape}")
    return transform


@lru_cache(maxsize=64)
def _gradient(shape: Shape, boundary: Any, axes: tuple[int, ...]) -> LinearOperator:
    return gradient(shape, boundary, axes=axes)


def orthonormal(transform: Any) -> bool:
    """Whether it is a real operator whose adjoint is its inverse, so that its prox is a closed form too."""
    real = isinstance(transform, LinearOperator) and not jnp.issubdtype(transform.dtype, jnp.complexfloating)
    return real and "unitary" in transform.tags


def norm_bound(op: LinearOperator, quick: bool = False) -> jax.Array:
    """A bound of the norm, with 5 % to spare where it is estimated from below; `quick` forgoes exact values."""
    norm = op._norm() if quick else op.norm()
    return norm if bounded(op) else 1.05 * norm


def like(x: jax.Array, y: jax.Array) -> jax.Array:
    """`y`, or its real part where `x` is real."""
    return (y if jnp.iscomplexobj(x) else jnp.real(y)).astype(x.dtype)
