"""Motion blur: a straight antialiased line."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .grids import float_dtype, grid_shape, offsets, parameter, parse_shape, turned, unit_sum, working_dtype


def motion(
    length: ArrayLike,
    angle: ArrayLike = 0.0,
    shape: tuple[int, int] | None = None,
    *,
    dtype: Any = None,
) -> jax.Array:
    r"""Line of `length` pixels at `angle` degrees: a camera that moved steadily during the exposure.

    With `D` the distance in pixels from an element to the segment of length ``max(length - 1, 0)`` through
    the centre,

    .. math:: h \propto u^2 (5 + 4u) / 9, \qquad u = \max(1 - D^2, 0), \qquad \textstyle\sum h = 1,

    which falls smoothly from 1 on the segment over 1/2 at half a pixel to 0 at one pixel. Along a row or a
    column an odd `length` gives exactly `length` equal elements, and a length of 1 or less the unit
    impulse. The PSF is symmetric about its centre, index ``n // 2`` of each axis, and continuously
    differentiable in both parameters.

    Parameters
    ----------
    length
        Length of the line in pixels, both ends counted, positive.
    angle
        Direction in degrees, counter-clockwise as displayed with rows downwards: 0 is along a row, 90 along
        a column, 45 from the lower left to the upper right.
    shape
        Static 2-D shape of the PSF. Default: the smallest odd one that holds the line.
    dtype
        Floating dtype of the result. Default: float64 if x64 is enabled, else float32.

    Returns
    -------
    jax.Array
        The PSF, non-negative, sum 1.

    Raises
    ------
    ValueError
        If `length` is not positive, a parameter is not finite or not one number, `shape` is not 2-D or too
        small for the line, or a parameter is traced and `shape` is missing. A traced line cannot be
        checked: it is then cut by `shape`.

    Notes
    -----
    Along a row or a column the derivative in the angle is zero, and with an odd length that in the length
    too: the elements beside the line only start to grow there. Start a fit elsewhere, for example at 1
    degree.

    References
    ----------
    The profile is the field function of G. Wyvill, C. McPheeters and B. Wyvill, "Data structure for soft
    objects", The Visual Computer 2 (1986), in the square of the distance: polynomial, so smooth on the line
    itself.

    Examples
    --------
    >>> from convops import psf
    >>> print((1000 * psf.motion(5)).round().astype(int))
    [[200 200 200 200 200]]
    >>> print((1000 * psf.motion(5, 30)).round().astype(int))
    [[  0   0   8 137 162]
     [  0  97 194  97   0]
     [162 137   8   0   0]]
    """
    dtype = float_dtype(dtype)
    work = working_dtype(dtype)
    extent, direction = parameter("length", length, work), parameter("angle", angle, work, positive=False)
    sizes = parse_shape(shape)
    if sizes is not None and len(sizes) != 2:
        raise ValueError(f"`shape` is {shape}; a motion PSF is 2-D: give (rows, columns).")
    reach = None
    if extent.known is not None and direction.known is not None:
        reach = _reach(float(extent.known), float(direction.known))
    sizes = grid_shape(sizes, reach, "`length` or `angle`", may_cut=False)
    return _line(extent.array, direction.array, sizes, dtype)


@partial(jax.jit, static_argnums=(2, 3))
def _line(length: jax.Array, angle: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    rows, columns = offsets(shape, length.dtype)
    across, along = turned(rows, columns, angle)
    half = jnp.maximum((length - 1) / 2, 0)
    squared_distance = across**2 + jnp.maximum(jnp.abs(along) - half, 0) ** 2
    u = jnp.maximum(1 - squared_distance, 0)
    return unit_sum(u**2 * (5 + 4 * u) / 9, dtype)


def _reach(length: float, angle: float) -> list[tuple[float, float]]:
    """Elements each way that lie within one pixel of the segment, along the rows and the columns axis."""
    half, radians = max((length - 1) / 2, 0.0), math.radians(angle % 180)
    extents = half * abs(math.sin(radians)), half * abs(math.cos(radians))
    halves = [float(math.ceil(extent + 1 - 1e-6)) - 1 for extent in extents]
    return [(h, h) for h in halves]
