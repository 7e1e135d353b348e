"""Figures of merit in decibels, and the relative error; jnp functions that jit, vmap and grad go through.

All are means over every sample of one image. Batches go through `jax.vmap`.
"""

from typing import Any

import jax
import jax.numpy as jnp

from .arguments import like, number, real_array, whole


def psnr(x: Any, truth: Any, *, data_range: Any = None, crop: int = 0) -> jax.Array:
    """Peak signal-to-noise ratio in decibels, ``10 log10(R^2 / mean((x - truth)^2))``.

    Parameters
    ----------
    x, truth : array
        Real, of one shape. Nothing is clipped.
    data_range : float, optional
        R, the range of the values: 255 for 8-bit numbers. The largest minus the least of `truth` unless given.
    crop : int
        Samples left out at both ends of every axis.

    Returns
    -------
    Array
        A scalar; infinite where the arrays agree.

    Raises
    ------
    ValueError
        For different shapes, NaN or infinite entries, a `data_range` that is not positive, or a `crop` that leaves
        nothing.

    Examples
    --------
    >>> from convops import problems
    >>> print(f"{problems.psnr([0.0, 0.5, 1.0], [0.0, 0.6, 1.0]):.2f}")
    24.77
    >>> print(f"{problems.psnr([0.0, 0.5, 1.0], [0.0, 0.6, 1.0], data_range=10):.2f}")
    44.77
    """
    x, truth = like(x, truth)
    peak = range_of(truth, data_range)
    width = whole(crop, "crop")
    if any(n <= 2 * width for n in truth.shape):
        raise ValueError(
            f"`crop` is {width} at both ends of shape {truth.shape}, which leaves nothing; give a smaller one"
        )
    inner = tuple(slice(width, n - width) for n in truth.shape)
    return _decibels(peak**2, jnp.mean(jnp.square(x - truth)[inner]))


def isnr(x: Any, blurred: Any, truth: Any) -> jax.Array:
    """Improvement in signal-to-noise ratio, in decibels: PSNR of the restoration minus that of the data.

    ``10 log10(norm(blurred - truth)^2 / norm(x - truth)^2)``.

    Parameters
    ----------
    x, blurred, truth : array
        The restoration, the data and the truth; real, of one shape.

    Returns
    -------
    Array
        A scalar; independent of the range of the values.

    Raises
    ------
    ValueError
        For different shapes, NaN or infinite entries.

    Examples
    --------
    >>> from convops import problems
    >>> print(f"{problems.isnr([1.0, 2.1], [1.0, 3.0], [1.0, 2.0]):.2f}")
    20.00
    """
    data, _ = like(blurred, truth, "blurred")
    x, truth = like(x, truth)
    return _decibels(jnp.sum(jnp.square(data - truth)), jnp.sum(jnp.square(x - truth)))


def bsnr(blurred: Any, noise: Any) -> jax.Array:
    """Blurred signal-to-noise ratio in decibels, ``10 log10(var(blurred) / noise^2)``.

    Parameters
    ----------
    blurred : array
        A x, without noise.
    noise : float
        Standard deviation of the noise.

    Returns
    -------
    Array
        A scalar; infinite without noise.

    Raises
    ------
    ValueError
        For a negative `noise`, or NaN or infinite entries.

    Examples
    --------
    >>> from convops import problems
    >>> print(f"{problems.bsnr([0.0, 2.0], 0.1):.2f}")
    20.00
    """
    blurred = real_array(blurred, "blurred")
    return _decibels(jnp.var(blurred), jnp.square(jnp.asarray(number(noise, "noise"), blurred.dtype)))


def snr(x: Any, truth: Any) -> jax.Array:
    """Signal-to-noise ratio in decibels, ``10 log10(norm(truth)^2 / norm(x - truth)^2)``.

    Parameters
    ----------
    x, truth : array
        Real, of one shape.

    Returns
    -------
    Array
        A scalar.

    Raises
    ------
    ValueError
        For different shapes, NaN or infinite entries.

    Examples
    --------
    >>> from convops import problems
    >>> print(f"{problems.snr([10.0, 9.0], [10.0, 10.0]):.2f}")
    23.01
    """
    x, truth = like(x, truth)
    return _decibels(jnp.sum(jnp.square(truth)), jnp.sum(jnp.square(x - truth)))


def relative_error(x: Any, truth: Any) -> jax.Array:
    """Relative error ``norm(x - truth) / norm(truth)`` in the 2-norm.

    Parameters
    ----------
    x, truth : array
        Real, of one shape.

    Returns
    -------
    Array
        A scalar; its gradient is zero where the arrays agree.

    Raises
    ------
    ValueError
        For different shapes, NaN or infinite entries.

    Examples
    --------
    >>> from convops import problems
    >>> print(problems.relative_error([3.0, 5.0], [3.0, 4.0]))
    0.2
    """
    x, truth = like(x, truth)
    error, size = jnp.sum(jnp.square(x - truth)), jnp.sum(jnp.square(truth))
    return jnp.where(error == 0, 0, jnp.sqrt(jnp.where(error == 0, 1, error) / size))


def range_of(truth: jax.Array, data_range: Any) -> jax.Array:
    """The range of the values: as given, or the largest minus the least."""
    if data_range is None:
        return jnp.max(truth) - jnp.min(truth)
    return jnp.asarray(number(data_range, "data_range", strict=True), truth.dtype)


def _decibels(above: jax.Array, below: jax.Array) -> jax.Array:
    return 10 * (jnp.log10(above) - jnp.log10(below))
