"""The box: uniform along each axis."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .grids import float_dtype, grid_shape, offsets, parameter, parse_shape, unit_sum, working_dtype


def box(
    width: ArrayLike | Sequence[ArrayLike], shape: int | tuple[int, ...] | None = None, *, dtype: Any = None
) -> jax.Array:
    r"""Uniform box; real widths have antialiased ends.

    The product over the axes of a profile in the offset `x` from the centre, index ``n // 2``. The *type*
    of the width decides which, so that the PSF is smooth in a real width and exact for a whole number of
    pixels:

    - an integer N: exactly N equal elements, at offsets ``-(N // 2)`` to ``(N - 1) // 2``. For even N these
      are N/2 before the centre and N/2 - 1 after it, so the centre of mass lies half a pixel before the
      centre;
    - a real number w: :math:`\min(\max((w + 1) / 2 - |x|, 0), 1)`, the share of a pixel that the interval
      of length w around the centre covers; always symmetric. For odd w the same as the integer; for even w
      it is w + 1 elements with the two at the ends halved.

    Parameters
    ----------
    width
        Width in pixels, positive: one number for all axes or one per axis. The number of axes is
        ``len(shape)``, else ``len(width)``, else 2. Real widths up to 1 give the unit impulse.
    shape
        Static shape of the PSF (an int for 1-D). Default: the smallest that holds the box, N for an integer
        N.
    dtype
        Floating dtype of the result. Default: float64 if x64 is enabled, else float32.

    Returns
    -------
    jax.Array
        The PSF, non-negative, sum 1.

    Raises
    ------
    ValueError
        If `width` is not positive or not finite, the numbers of axes disagree, `shape` is too small for the
        box, or `width` is traced and `shape` is missing. A traced width cannot be checked: the box is then
        cut by `shape`.

    Examples
    --------
    >>> from convops import psf
    >>> print(psf.box(4, 7))
    [0.   0.25 0.25 0.25 0.25 0.   0.  ]
    >>> print(psf.box(4.0, 7))
    [0.    0.125 0.25  0.25  0.25  0.125 0.   ]
    >>> print((1000 * psf.box((2, 3.4))).round().astype(int))
    [[ 29 147 147 147  29]
     [ 29 147 147 147  29]]
    """
    dtype = float_dtype(dtype)
    work = working_dtype(dtype)
    shape = parse_shape(shape)
    given: Any = width
    many = isinstance(given, list | tuple) or np.ndim(given) > 0
    widths = list(given) if many else [given] * (len(shape) if shape else 2)
    if not widths or (shape and len(widths) != len(shape)):
        raise ValueError(f"`width` has {len(widths)} numbers; give one, or one per axis of the PSF.")
    checked = [parameter("width", w, work) for w in widths]
    exact = [jnp.issubdtype(jnp.result_type(w), jnp.integer) for w in widths]
    reach = None
    if all(w.known is not None for w in checked):
        reach = [_reach(w.known, whole) for w, whole in zip(checked, exact, strict=True)]
    shape = grid_shape(shape, reach, "`width`", may_cut=False)
    return _product([w.array for w in checked], tuple(exact), shape, dtype)


def _reach(width: Any, whole: bool) -> tuple[float, float]:
    """Elements before and after the centre with a weight above zero."""
    if whole:
        return float(width // 2), float((width - 1) // 2)
    half = float(math.ceil((width + 1) / 2 - 1e-6)) - 1
    return half, half


@partial(jax.jit, static_argnums=(1, 2, 3))
def _product(widths: list[jax.Array], exact: tuple[bool, ...], shape: tuple[int, ...], dtype: Any) -> jax.Array:
    axes = offsets(shape, widths[0].dtype)
    profiles = [_profile(w, whole, x) for w, whole, x in zip(widths, exact, axes, strict=True)]
    return unit_sum(math.prod(profiles, start=jnp.ones((), widths[0].dtype)), dtype)


def _profile(width: jax.Array, whole: bool, x: jax.Array) -> jax.Array:
    if whole:
        width = jnp.maximum(width, 1)
        return ((x >= -(width // 2)) & (x <= (width - 1) // 2)).astype(x.dtype)
    return jnp.clip((jnp.maximum(width, 0) + 1) / 2 - jnp.abs(x), 0, 1)
