"""Largest singular values: by power iteration, and bounds that hold for certain."""

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from . import boundary
from .base import LinearOperator
from .engines import fourier
from .window import Window

if TYPE_CHECKING:
    from .windowed import Convolution


def power_iteration(op: LinearOperator, steps: int = 60) -> jax.Array:
    """Estimate the largest singular value from below, by power iteration on A^H A from a fixed start."""
    if 0 in op.out_shape:
        return jnp.zeros(())
    start = scattered(op.in_shape, op.dtype)

    def step(_: int, x: jax.Array) -> jax.Array:
        y = op._rmatvec(op._matvec(x))
        return y / _nonzero(_length(y))

    x = jax.lax.fori_loop(0, steps, step, start / _length(start))
    return _length(op._matvec(x))


def scattered(shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Numbers without structure in [-1/2, 1/2), the same for the same shape: Knuth's multiplicative hash."""
    count = jnp.arange(1, math.prod(shape) + 1, dtype=jnp.uint32) * jnp.uint32(2654435761)
    return (count.astype(jnp.float32) * 2.0**-32 - 0.5).reshape(shape).astype(dtype)


def absolute_sum_bound(op: LinearOperator) -> jax.Array:
    """Upper bound sqrt(norm_1 norm_inf) for an operator whose entries are non-negative."""
    rows = jnp.max(op._matvec(jnp.ones(op.in_shape, op.dtype)))
    columns = jnp.max(op._rmatvec(jnp.ones(op.out_shape, op.dtype)))
    return jnp.sqrt(rows * columns)


def _length(x: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.sum(jnp.abs(x) ** 2))


def _nonzero(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0, x, 1)


def convolution_norm(op: "Convolution") -> jax.Array:
    """Largest singular value of a periodic convolution; for any other, the smaller of two upper bounds.

    The matrix is a part of a circulant one times the extension P, so max |K| norm(P) bounds it, K being the kernel's
    spectrum on any grid without wrap-around; and so does sqrt(norm_1 norm_inf) of the matrix of the absolute taps.
    """
    window = op.window
    if window.empty:
        return jnp.zeros(())
    kernel = op.kernel.astype(jnp.promote_types(op.kernel.dtype, jnp.float32))
    spectrum: Any = fourier.prepare(kernel, window)
    largest = jnp.max(_gain(spectrum, op.channels))
    extended = [a for a in range(window.ndim) if window.extended[a] and window.boundary[a] != "wrap"]
    if not extended:
        return largest
    bound = largest * math.prod(_extension_norm(window, axis) for axis in extended)
    if op.channels or "antireflect" in window.boundary:
        return bound
    from .windowed import rebuild

    return jnp.minimum(bound, absolute_sum_bound(rebuild(op, jnp.abs(kernel))))


def _gain(spectrum: jax.Array, channels: bool) -> jax.Array:
    """Largest singular value at each frequency."""
    if not channels:
        return jnp.abs(spectrum)
    return jnp.linalg.norm(jnp.moveaxis(spectrum, (0, 1), (-2, -1)), 2, (-2, -1))


def _extension_norm(window: Window, axis: int) -> float:
    """Upper bound sqrt(norm_1 norm_inf) for the norm of the extension along an axis."""
    rule = boundary.rule(window.signal[axis], window.low[axis], window.high[axis], window.boundary[axis])
    columns = np.bincount(rule.index, np.abs(rule.sign), window.signal[axis])
    columns[0] += np.abs(rule.first).sum()
    columns[-1] += np.abs(rule.last).sum()
    return math.sqrt(columns.max() * (np.abs(rule.sign) + np.abs(rule.first) + np.abs(rule.last)).max())
