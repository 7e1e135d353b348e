"""The sampled Gaussian: isotropic, one width per axis, rotated, or with any covariance."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jax.typing import ArrayLike

from .grids import float_dtype, grid_shape, offsets, parameter, parse_shape, turned, unit_sum, working_dtype

_NARROWEST = 0.02  # pixels: exp(-(1 / 0.02)^2 / 2) is zero in double precision already


def gaussian(
    sigma: ArrayLike | Sequence[ArrayLike] | None = None,
    shape: int | tuple[int, ...] | None = None,
    *,
    angle: ArrayLike = 0.0,
    covariance: ArrayLike | Sequence[Sequence[ArrayLike]] | None = None,
    dtype: Any = None,
) -> jax.Array:
    r"""Gaussian PSF, sampled at the element centres.

    .. math:: h[r] \propto \exp(-r^T C^{-1} r / 2), \qquad \textstyle\sum_r h[r] = 1,

    with `r` the offset from the centre, index ``n // 2`` of each axis, in pixels. ``C = diag(sigma**2)``,
    turned by `angle`, or `covariance` itself. Differentiable in `sigma`, `angle` and `covariance`.

    Parameters
    ----------
    sigma
        Standard deviation in pixels: one number for all axes, or one per axis. The number of axes is
        ``len(shape)``, else ``len(sigma)``, else 2.
    shape
        Static shape of the PSF (an int for 1-D). Default: the smallest odd one that holds the whole ellipse
        at four standard deviations. A smaller one cuts the tails.
    angle
        2-D only: degrees by which the ellipse is turned, counter-clockwise as displayed with rows
        downwards. At 0 ``sigma[0]`` is the extent along the rows axis (vertical) and ``sigma[1]`` along the
        columns axis; at 90 they have changed places.
    covariance
        Symmetric positive definite matrix in pixels squared, one row per axis of the array, instead of
        `sigma`.
    dtype
        Floating dtype of the result. Default: float64 if x64 is enabled, else float32.

    Returns
    -------
    jax.Array
        The PSF, non-negative, sum 1.

    Raises
    ------
    ValueError
        If a parameter is not positive or not finite, the numbers of axes disagree, an `angle` is given
        outside 2-D, `covariance` is not symmetric positive definite, both or neither of `sigma` and
        `covariance` are given, or one of them is traced and `shape` is missing.

    Notes
    -----
    Traced values cannot be checked: `sigma` counts by its absolute value, and as 0.02 where it is smaller
    (for an unrotated Gaussian the same numbers); a `covariance` that is not positive definite gives NaN.

    Examples
    --------
    >>> from convops import psf
    >>> thousandths = lambda h: (1000 * h).round().astype(int)
    >>> print(thousandths(psf.gaussian(1.0, 5)))
    [ 54 244 403 244  54]
    >>> psf.gaussian((1.0, 2.0)).shape
    (9, 17)
    >>> print(thousandths(psf.gaussian((0.4, 2.0), (3, 5), angle=45)))
    [[  0   1  55 217  33]
     [  0  55 278  55   0]
     [ 33 217  55   1   0]]
    """
    dtype = float_dtype(dtype)
    if (sigma is None) == (covariance is None):
        raise ValueError("give either `sigma` or `covariance`: exactly one of them sets the width of the Gaussian.")
    if covariance is None:
        return _from_sigma(sigma, parse_shape(shape), angle, dtype)
    return _from_covariance(covariance, parse_shape(shape), angle, dtype)


def _from_sigma(sigma: Any, shape: tuple[int, ...] | None, angle: Any, dtype: Any) -> jax.Array:
    work = working_dtype(dtype)
    widths = parameter("sigma", sigma, work, ranks=(0, 1))
    turn = parameter("angle", angle, work, positive=False)
    ndim = len(shape) if shape else widths.array.size if widths.array.ndim else 2
    if widths.array.ndim and widths.array.size != ndim:
        raise ValueError(f"`sigma` has {widths.array.size} numbers and `shape` {ndim} axes; give one number per axis.")
    if ndim != 2 and (turn.known is None or turn.known != 0):
        raise ValueError(f"`angle` turns a 2-D Gaussian and this one is {ndim}-D; give its `covariance` instead.")
    reach = None
    if widths.known is not None and turn.known is not None:
        variances = np.square(np.broadcast_to(np.minimum(widths.known, 1e150), ndim))
        if ndim == 2:
            weight = math.cos(math.radians(float(turn.known) % 180)) ** 2
            variances = weight * variances + (1 - weight) * variances[::-1]
        reach = _four_sigma(variances)
    shape = grid_shape(shape, reach, "`sigma` or `angle`", may_cut=True)
    return _in_principal_axes(widths.array, turn.array, shape, dtype)


@partial(jax.jit, static_argnums=(2, 3))
def _in_principal_axes(sigma: jax.Array, angle: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    axes = offsets(shape, sigma.dtype)
    if len(shape) == 2:
        axes = turned(axes[0], axes[1], angle)
    scales = jnp.maximum(jnp.abs(jnp.broadcast_to(sigma, (len(shape),))), _NARROWEST)
    squares = [(x / scale) ** 2 for x, scale in zip(axes, scales, strict=True)]
    return unit_sum(jnp.exp(-sum(squares, jnp.zeros((), sigma.dtype)) / 2), dtype)


def _from_covariance(covariance: Any, shape: tuple[int, ...] | None, angle: Any, dtype: Any) -> jax.Array:
    work = working_dtype(dtype)
    given = parameter("covariance", covariance, work, ranks=(2,), positive=False)
    ndim = given.array.shape[0]
    turn = parameter("angle", angle, work, positive=False)
    if turn.known is None or turn.known != 0:
        raise ValueError("`angle` turns the axes of `sigma`; a `covariance` has its own: leave `angle` out.")
    if given.array.shape != (ndim, ndim) or ndim != (len(shape) if shape else ndim):
        raise ValueError(f"`covariance` is {given.array.shape}; give a square matrix with one row per axis of the PSF.")
    reach = None
    if given.known is not None:
        _require_positive_definite(given.known, float(jnp.finfo(work).eps))
        reach = _four_sigma(np.diag(given.known))
    shape = grid_shape(shape, reach, "`covariance`", may_cut=True)
    return _whitened(given.array, shape, dtype)


@partial(jax.jit, static_argnums=(1, 2))
def _whitened(covariance: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """r^T C^-1 r = |L^-1 r|^2 with the Cholesky factor C = L L^T."""
    points = jnp.stack([jnp.broadcast_to(x, shape).ravel() for x in offsets(shape, covariance.dtype)])
    whitened = solve_triangular(jnp.linalg.cholesky(covariance), points, lower=True)
    return unit_sum(jnp.exp(-jnp.sum(whitened**2, axis=0).reshape(shape) / 2), dtype)


def _require_positive_definite(matrix: np.ndarray, eps: float) -> None:
    if np.abs(matrix - matrix.T).max() > 1e-5 * np.abs(matrix).max():
        raise ValueError(f"`covariance` {matrix.tolist()} is not symmetric; give C with C[i, j] = C[j, i].")
    values = np.linalg.eigvalsh(matrix)
    if values[0] <= max(eps * values[-1], 1e-30):
        raise ValueError(f"`covariance` {matrix.tolist()} is not positive definite; its eigenvalues are {values}.")


def _four_sigma(variances: np.ndarray) -> list[tuple[float, float]]:
    """Elements each way that hold four standard deviations: the ellipse's bounding box, rounded up."""
    halves = [float(np.ceil(4 * np.sqrt(v) - 1e-6)) for v in variances]
    return [(half, half) for half in halves]
