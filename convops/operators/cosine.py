"""Eigenvalues of a convolution under the boundary ``symmetric``, which the DCT-II diagonalises.

With h even about its origin, sum_m h[m] x[i - m] of x[i] = cos(pi k (2 i + 1) / 2N), which is its own half-sample
symmetric extension, is H[k] x[i], with H[k] = sum_m h[m] cos(pi k m / N). That is the FFT of length 2N of the kernel
wrapped onto 2N samples, so a kernel longer than the signal (several reflections) is nothing special.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .arrays import traced
from .window import Window


def diagonal(kernel: jax.Array, window: Window) -> bool:
    """Whether the DCT-II is seen to diagonalise the convolution: the kernel is concrete and even along every axis."""
    regular = window.mode == "same" and set(window.boundary) == {"symmetric"} and set(window.step) == {1}
    return regular and not traced(kernel) and even(np.asarray(kernel), window.origin)


def even(kernel: np.ndarray, origin: tuple[int, ...]) -> bool:
    """Whether a kernel is symmetric about its origin along every axis, to rounding."""
    centred = np.pad(kernel.astype(jnp.promote_types(kernel.dtype, jnp.float32)), _around(kernel, origin))
    tolerance = 2 * float(jnp.finfo(centred.dtype).eps) * float(np.max(np.abs(centred)))
    return all(np.max(np.abs(centred - np.flip(centred, a))) <= tolerance for a in range(centred.ndim))


def asymmetry(kernel: jax.Array, origin: tuple[int, ...]) -> jax.Array:
    """The norm of what a kernel is beside the mean of its mirror images about its origin, by its own norm."""
    centred = jnp.pad(kernel.astype(jnp.promote_types(kernel.dtype, jnp.float32)), _around(kernel, origin))
    mean = centred
    for axis in range(centred.ndim):
        mean = (mean + jnp.flip(mean, axis)) / 2
    whole = jnp.sum(jnp.abs(centred) ** 2)
    return jnp.sqrt(jnp.sum(jnp.abs(centred - mean) ** 2) / jnp.where(whole > 0, whole, 1))


def _around(kernel: np.ndarray | jax.Array, origin: tuple[int, ...]) -> list[tuple[int, int]]:
    """How many zeros bring the origin into the middle."""
    return [(max(k - 1 - 2 * o, 0), max(2 * o - (k - 1), 0)) for k, o in zip(kernel.shape, origin, strict=True)]


def eigenvalues(kernel: jax.Array, window: Window) -> jax.Array:
    """H[k] for k < N along every axis; of a kernel that is not even, those of the mean of its mirror images."""
    if jnp.iscomplexobj(kernel):
        return lax.complex(*(eigenvalues(part, window) for part in (kernel.real, kernel.imag)))
    values = kernel.astype(jnp.promote_types(kernel.dtype, jnp.float32))
    for axis in range(window.ndim):
        n, d = window.signal[axis], window.dilation[axis]
        places = (d * (np.arange(window.kernel[axis]) - window.origin[axis])) % (2 * n)
        last = jnp.moveaxis(values, axis, -1)
        grid = jnp.zeros((*last.shape[:-1], 2 * n), values.dtype).at[..., places].add(last)
        values = jnp.moveaxis(jnp.fft.rfft(grid).real[..., :n], -1, axis)
    return values
