"""The disk: geometric defocus; in N-D the ball."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .grids import float_dtype, grid_shape, offsets, parameter, parse_shape, unit_sum, working_dtype


def disk(radius: ArrayLike, shape: int | tuple[int, ...] | None = None, *, dtype: Any = None) -> jax.Array:
    r"""Uniform disk (2-D) or ball (N-D) with an antialiased edge.

    .. math:: h[r] \propto \min(\max(\mathrm{radius} + 1/2 - |r|, 0), 1), \qquad \textstyle\sum_r h[r] = 1,

    the share of a pixel that a straight edge at this distance covers, with `r` the offset from the centre,
    index ``n // 2`` of each axis, in pixels. Continuous and piecewise linear in `radius` before the
    division by the sum; where an element passes from 0 or to 1 the gradient is the mean of both sides.

    Parameters
    ----------
    radius
        Radius in pixels, positive. Up to 1/2 the PSF is the unit impulse.
    shape
        Static shape of the PSF; its length is the number of axes (an int for 1-D). Default: the smallest
        square of odd side that holds the disk.
    dtype
        Floating dtype of the result. Default: float64 if x64 is enabled, else float32.

    Returns
    -------
    jax.Array
        The PSF, non-negative, sum 1.

    Raises
    ------
    ValueError
        If `radius` is not positive, not finite or not one number, if `shape` is too small for the disk, or
        if `radius` is traced and `shape` is missing. A traced radius cannot be checked: the disk is then
        cut by `shape`.

    Examples
    --------
    >>> from convops import psf
    >>> h = psf.disk(2.0)
    >>> print((100 * h / h.max()).round().astype(int))
    [[  0  26  50  26   0]
     [ 26 100 100 100  26]
     [ 50 100 100 100  50]
     [ 26 100 100 100  26]
     [  0  26  50  26   0]]
    """
    dtype = float_dtype(dtype)
    given = parameter("radius", radius, working_dtype(dtype))
    shape = parse_shape(shape)
    reach = None
    if given.known is not None:
        half = max(float(math.ceil(given.known + 0.5 - 1e-6)) - 1, 0.0)  # the last r below radius + 1/2
        reach = [(half, half)] * (len(shape) if shape else 2)
    shape = grid_shape(shape, reach, "`radius`", may_cut=False)
    return _ball(given.array, shape, dtype)


@partial(jax.jit, static_argnums=(1, 2))
def _ball(radius: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    squares = sum((x**2 for x in offsets(shape, radius.dtype)), jnp.zeros((), radius.dtype))
    # The distance does not depend on the radius: no derivative of the root at r = 0 is ever taken.
    coverage = jnp.clip(jnp.maximum(radius, 0) + 0.5 - jnp.sqrt(squares), 0, 1)
    return unit_sum(coverage, dtype)
