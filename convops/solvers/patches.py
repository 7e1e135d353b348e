"""All overlapping patches of an array through the DCT, shrunk there, and averaged where they overlap.

Every patch position counts: the array is extended by a patch less one sample at each end, so that each sample lies in
as many patches. The coefficients of all patches together are as many arrays as a patch has samples; they are made and
used up a block of rows at a time, in the cache. The transform is separable: along each axis, shifted copies times the
DCT matrix. Filters of all patches at once (64 channels by `lax.conv`, by the FFT, or one matrix of 64 x 64) take 3 to
10 times as long on CPUs, and so does the separable transform of the whole array at once.
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

BLOCK = 2**18  # coefficients made at a time: about a megabyte, which stays in the cache

Shrink = Callable[..., tuple[jax.Array, jax.Array]]


@lru_cache(maxsize=64)
def dct_matrix(n: int) -> np.ndarray:
    """The orthonormal DCT-II of n samples: D[k, i] = s[k] cos(pi k (2 i + 1) / 2n)."""
    k, i = np.arange(n)[:, None], np.arange(n)
    scale = np.where(k == 0, math.sqrt(1 / n), math.sqrt(2 / n))
    return scale * np.cos(np.pi * k * (2 * i + 1) / (2 * n))


def analysed(x: jax.Array, patch: tuple[int, ...]) -> jax.Array:
    """The DCT coefficients of every patch inside x: of shape (*patch, *positions)."""
    for axis in reversed(range(len(patch))):
        length = patch[axis]
        at = x.ndim - len(patch) + axis
        count = x.shape[at] - length + 1
        shifted = jnp.stack([lax.slice_in_dim(x, k, k + count, axis=at) for k in range(length)])
        D = jnp.asarray(dct_matrix(length), x.dtype)
        x = jnp.tensordot(D, shifted, 1, precision=lax.Precision.HIGHEST)
    return x


def covered(w: jax.Array, patch: tuple[int, ...]) -> jax.Array:
    """The sum, at every sample, of the numbers of the patches that it lies in."""
    for axis, length in enumerate(patch):
        count = w.shape[axis]
        wide = [(length - 1, length - 1) if a == axis else (0, 0) for a in range(w.ndim)]
        w = jnp.pad(w, wide)
        w = sum(
            (lax.slice_in_dim(w, k, k + count + length - 1, axis=axis) for k in range(1, length)),
            lax.slice_in_dim(w, 0, count + length - 1, axis=axis),
        )
    return w


@partial(jax.jit, static_argnames=("shrink", "patch", "boundary"))
def averaged(shrink: Any, images: tuple[jax.Array, ...], patch: tuple[int, ...], boundary: str, settings: Any):
    """Shrink the coefficients of all patches of images of one shape, and average what they give where they overlap.

    ``shrink(settings, *coefficients)`` returns the coefficients to keep, and the weight of each patch.
    """
    shape = images[0].shape
    positions = shape[0] + patch[0] - 1
    others = math.prod(n + k - 1 for n, k in zip(shape[1:], patch[1:], strict=True))
    most = max(BLOCK // (math.prod(patch) * others), patch[0])
    blocks = -(-positions // most)
    rows = max(-(-positions // blocks), patch[0] - 1)
    images = tuple(_extended(image, patch, boundary, blocks * rows - positions) for image in images)

    @jax.checkpoint
    def block(number: jax.Array) -> tuple[jax.Array, jax.Array]:
        parts = [lax.dynamic_slice_in_dim(image, number * rows, rows + patch[0] - 1) for image in images]
        kept, weight = shrink(settings, *(analysed(part, patch) for part in parts))
        spread = jax.linear_transpose(lambda part: analysed(part, patch), parts[0])
        return spread(kept * weight[(None,) * len(patch)])[0], covered(weight, patch)

    if blocks == 1:
        total, weights = block(jnp.zeros((), int))
    else:
        total, weights = (_overlapped(part, rows) for part in lax.map(block, jnp.arange(blocks)))
    inside = tuple(slice(k - 1, k - 1 + n) for n, k in zip(shape, patch, strict=True))
    return total[inside] / weights[inside]


def _extended(x: jax.Array, patch: tuple[int, ...], boundary: str, more: int) -> jax.Array:
    """The array with a patch less one sample more at each end, and zeros below that fill the last block."""
    x = jnp.pad(x, [(k - 1, k - 1) for k in patch], mode=boundary)
    return jnp.pad(x, [(0, more)] + [(0, 0)] * (x.ndim - 1))


def _overlapped(blocks: jax.Array, rows: int) -> jax.Array:
    """Add blocks of rows that begin `rows` apart and reach into the next one."""
    count, height, *rest = blocks.shape
    none = [(0, 0)] * len(rest)
    body = jnp.pad(blocks[:, :rows], [(0, 1), (0, 0), *none])
    tail = jnp.pad(blocks[:, rows:], [(1, 0), (0, 2 * rows - height), *none])
    return (body + tail).reshape((count + 1) * rows, *rest)
