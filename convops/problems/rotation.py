"""Blur by rotation about the centre of the image: the mean of turned frames, a different blur at every pixel."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..operators.base import LinearOperator, Shape
from ..operators.pytree import static
from ..operators.resizing import pad
from ..operators.window import shape_of
from .arguments import number


class RotationBlur(LinearOperator):
    """Weighted sum of frames turned about the centre; built by `rotation_blur`.

    Attributes
    ----------
    surroundings : LinearOperator
        Extends the image beyond its edges, so that every turned frame can be read.
    weights : Array
        One weight a frame.
    angles : tuple of float
        Degrees of each frame, clockwise as displayed.
    in_shape, out_shape : tuple of int
        Shape of the image.
    """

    surroundings: LinearOperator
    weights: jax.Array
    angles: tuple[float, ...] = static()
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        wide = self.surroundings._matvec(x)
        radians = jnp.asarray(np.deg2rad(self.angles), jnp.promote_types(self.weights.dtype, jnp.float32))
        start = jnp.zeros(self.out_shape, jnp.result_type(wide, self.weights))

        def add(total: jax.Array, frame: Any) -> tuple[jax.Array, None]:
            angle, weight = frame
            return total + (weight * self._turned(wide, angle)).astype(total.dtype), None

        return lax.scan(add, start, (radians, self.weights))[0]

    def _turned(self, wide: jax.Array, angle: jax.Array) -> jax.Array:
        """The frame at an angle, by bilinear interpolation: pixel p shows the point that turns onto p."""
        centre = [(n - 1) / 2 for n in self.out_shape]
        row, column = (jnp.arange(n, dtype=angle.dtype) - c for n, c in zip(self.out_shape, centre, strict=True))
        row, column = row[:, None], column[None, :]
        c, s = jnp.cos(angle), jnp.sin(angle)
        turned = (row * c - column * s, column * c + row * s)
        low, share = [], []
        for offset, n, n_wide in zip(turned, self.out_shape, wide.shape, strict=True):
            position = offset + ((n - 1) / 2 + (n_wide - n) // 2)
            first = jnp.clip(jnp.floor(position), 0, n_wide - 2)
            low.append(first.astype(jnp.int32))
            share.append(position - first)
        (i, j), (u, v) = low, share
        upper = (1 - v) * wide[i, j] + v * wide[i, j + 1]
        return (1 - u) * upper + u * ((1 - v) * wide[i + 1, j] + v * wide[i + 1, j + 1])

    def _scaled(self, factor: jax.Array) -> LinearOperator | None:
        return None if jnp.iscomplexobj(factor) else replace(self, weights=factor * self.weights)

    def _inexact_leaves(self) -> list[jax.Array]:
        return [self.weights]

    def _detail(self) -> str:
        return f"{len(self.angles)} frames over {self.angles[-1]:g} degrees"


def rotation_blur(
    shape: Any, degrees: Any, *, step: Any = 1.0, boundary: str = "symmetric", dtype: Any = None
) -> RotationBlur:
    """Return the blur of a camera that turns about its axis: the mean of frames from 0 to `degrees`.

    ``A x = mean_k turn(k step) P x``, k = 0 .. degrees / step, with P the extension of the image at its edges and
    bilinear interpolation in between; the content turns clockwise as displayed, about the middle of the image. The
    adjoint is exact. As IR Tools' ``PRblurrotation`` (Gazzola, Hansen & Nagy, Numer. Algorithms 81 (2019) 773), whose
    images are square.

    Parameters
    ----------
    shape : tuple of two int
        Shape of the image.
    degrees : float
        The whole turn, between 0 and 360.
    step : float
        Degrees between frames.
    boundary : str
        One of those of `convops.pad`.
    dtype : dtype, optional
        Floating dtype of the matrix; the default float unless given.

    Returns
    -------
    LinearOperator
        From and to `shape`. Differentiable in its ``weights``.

    Raises
    ------
    ValueError
        For a shape of other than two axes, a negative turn, a `step` that is not positive, or an unknown boundary.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from convops import problems
    >>> A = problems.rotation_blur((3, 3), 90, step=90)
    >>> print(A @ jnp.array([[0.0, 2.0, 4.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).round(2))
    [[0. 1. 2.]
     [0. 0. 1.]
     [0. 0. 2.]]
    """
    shape = shape_of(shape)
    if len(shape) != 2:
        raise ValueError(f"`shape` is {shape}; a rotation needs two axes")
    degrees = number(degrees, "degrees", high=360)
    frames = int(degrees / number(step, "step", strict=True) + 1e-9) + 1
    angles = tuple(float(step) * k for k in range(frames))
    reach = float(np.hypot(*shape)) / 2
    margins = [(max(int(np.ceil(reach - n / 2)), 0) + 1,) * 2 for n in shape]
    weights = jnp.full(frames, 1 / frames, jnp.result_type(float) if dtype is None else dtype)
    return RotationBlur(
        surroundings=pad(shape, margins, boundary), weights=weights, angles=angles, in_shape=shape, out_shape=shape
    )
