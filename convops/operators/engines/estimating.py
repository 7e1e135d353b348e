"""The kernel's share of a convolution: k[m] = sum_i e[start + step i - d m] y[i], e being the extended signal."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..sums import total
from ..window import Window
from .blocks import block_length, overlapping
from .fourier import fast_length
from .slicing import padded, strided

DIRECT_TAPS = 9  # each tap is a sum over the whole signal, which XLA does not fuse
ALONE = {"cpu": 25}  # without channels: more would compile for half a second


def few_taps(window: Window, channels: bool) -> bool:
    """Whether summing tap by tap is the faster way."""
    most = DIRECT_TAPS if channels else ALONE.get(jax.default_backend(), DIRECT_TAPS)
    return math.prod(window.kernel) <= most


def estimated(extended: jax.Array, y: jax.Array, window: Window, channels: bool, direct: bool) -> jax.Array:
    """Return k from the extended signal ([in,] carried..., E) and y ([out,] carried..., count): ([out, in,] kernel).

    `direct` sums tap by tap; otherwise one FFT of each signal gives all taps.
    """
    head = int(channels)
    e = extended.reshape(*extended.shape[:head], -1, *extended.shape[extended.ndim - window.ndim :])
    y = y.reshape(*y.shape[:head], -1, *window.count)
    if not channels:
        e, y = e[None], y[None]
    found = (_tap_by_tap if direct else _by_transform)(e, y, window)
    return found if channels else found[0, 0]


def _tap_by_tap(e: jax.Array, y: jax.Array, window: Window) -> jax.Array:
    places = np.array(list(np.ndindex(*window.kernel)))
    begins = np.asarray(window.length) - 1 - np.asarray(window.dilation) * places
    space = tuple(range(1, y.ndim))

    def tap(begin: np.ndarray) -> jax.Array:
        part = strided(e, begin, window.count, window.step)
        if len(e) == len(y) == 1:
            return total(part * y)[None, None]
        return jnp.tensordot(y, part, (space, space), precision=lax.Precision.HIGHEST)

    return jnp.stack([tap(b) for b in begins], -1).reshape(len(y), len(e), *window.kernel)


def _by_transform(e: jax.Array, y: jax.Array, window: Window) -> jax.Array:
    """Cross-correlate: c[j] = sum_n e[n + j] u[n], u[step i] = y[i], at the lags j = L - 1 - d m."""
    u = padded(y, [(0, 0, s - 1) for s in window.step])
    if window.ndim == 1:
        e, u = _in_blocks(e, u, window.length[0])
    lengths, axes = [fast_length(n) for n in e.shape[2:]], tuple(range(2, e.ndim))
    real = not jnp.iscomplexobj(e)
    forth, back = (jnp.fft.rfftn, jnp.fft.irfftn) if real else (jnp.fft.fftn, jnp.fft.ifftn)
    spectrum, other = forth(e, lengths, axes), jnp.conj(forth(jnp.conj(u), lengths, axes))
    if len(e) == len(y) == 1:
        product = jnp.sum(other * spectrum, 1)[None]
    else:
        product = jnp.einsum("oc...,ic...->oi...", other, spectrum, precision=lax.Precision.HIGHEST)
    lags = back(product, lengths, axes)
    lags = lax.slice(lags, [0] * lags.ndim, [*lags.shape[:2], *window.length])
    return jnp.flip(lags, axes)[(..., *(slice(None, None, d) for d in window.dilation))]


def _in_blocks(e: jax.Array, u: jax.Array, length: int) -> tuple[jax.Array, jax.Array]:
    """Signals of one axis in blocks short enough for the cache, each e reaching as far as the lags beyond its u."""
    n, block = u.shape[-1], block_length(length, u.shape[-1])
    rows = overlapping(e, 0, n, length - 1, block)
    hop = block - length + 1
    parts = padded(u, [(0, rows.shape[-2] * hop - n, 0)]).reshape(*u.shape[:-1], -1, hop)
    return rows.reshape(len(e), -1, block), parts.reshape(len(u), -1, hop)
