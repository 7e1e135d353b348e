"""The FFT and the orthonormal DCT-II along some axes, forward and back, for `Spectral` operators.

The DCT-II of N samples, ``X[k] = s[k] sum_n x[n] cos(pi k (2 n + 1) / 2N)`` with s[0] = sqrt(1/N) and sqrt(2/N)
elsewhere, takes one real FFT of the same length (Makhoul, IEEE ASSP 28, 1980): with ``v`` the even samples followed by
the odd ones backwards, ``V`` its FFT and ``W[k] = exp(-i pi k / 2N)``, X[k] is Re(W V)[k] and X[N-k] is -Im(W V)[k].
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .window import integer

NAMES = ("fft", "dct")


def forward(x: jax.Array, transform: str, axes: tuple[int, ...], real: bool) -> jax.Array:
    """Coefficients of `x`; half of them along the last of `axes` for the FFT of real data."""
    if not axes:
        return x
    if transform == "dct":
        return _by_parts(_dct, x, axes)
    return jnp.fft.rfftn(x, axes=axes) if real else jnp.fft.fftn(x, axes=axes)


def backward(coefficients: jax.Array, transform: str, axes: tuple[int, ...], sizes: tuple[int, ...], real: bool):
    """The array of given sizes along `axes` whose coefficients these are."""
    if not axes:
        return coefficients
    if transform == "dct":
        return _by_parts(_idct, coefficients, axes)
    if real:
        return jnp.fft.irfftn(coefficients, sizes, axes)
    return jnp.fft.ifftn(coefficients, axes=axes)


def filtered(x: jax.Array, gain: jax.Array, transform: str, axes: tuple[int, ...], real: bool) -> jax.Array:
    """T^-1 [gain T x]; a `real` map acts on the real and the imaginary part of complex data separately."""
    if real and transform == "fft" and jnp.iscomplexobj(x):
        return lax.complex(*(filtered(part, gain, transform, axes, real) for part in (x.real, x.imag)))
    sizes = tuple(x.shape[a] for a in axes)
    return backward(gain * forward(x, transform, axes, real), transform, axes, sizes, real)


def mirrored(values: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Values at the opposite frequencies: entry -k (mod N) along each of `axes`."""
    return jnp.roll(jnp.flip(values, axes), (1,) * len(axes), axes) if axes else values


def half(values: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """The part of a full FFT grid that a real transform keeps."""
    n = values.shape[axes[-1]]
    return lax.slice_in_dim(values, 0, n // 2 + 1, axis=axes[-1])


def whole(values: jax.Array, axes: tuple[int, ...], n: int) -> jax.Array:
    """The full FFT grid, of `n` frequencies along the last axis, from what a real transform keeps of it."""
    axis = axes[-1]
    rest = lax.slice_in_dim(values, 1, (n + 1) // 2, axis=axis)
    rest = jnp.flip(mirrored(jnp.conj(rest), axes[:-1]), axis)
    return jnp.concatenate([values, rest], axis)


def precise(values: jax.Array, like: jnp.dtype) -> jax.Array:
    """Values real or complex as they are, in the precision of another dtype."""
    kind = jnp.complex64 if jnp.iscomplexobj(values) else jnp.float32
    return values.astype(jnp.result_type(jnp.finfo(like).dtype, kind))


def axes_of(axes: Any, ndim: int) -> tuple[int, ...]:
    """The axes to transform, as rising non-negative numbers; all by default."""
    if axes is None:
        return tuple(range(ndim))
    given = tuple(axes) if isinstance(axes, Sequence) else (axes,)
    found = tuple(sorted(integer(a, "axes") + (ndim if integer(a, "axes") < 0 else 0) for a in given))
    if not found or len(set(found)) < len(found) or not all(0 <= a < ndim for a in found):
        raise ValueError(f"`axes` is {given}; give different axes between 0 and {ndim - 1}")
    return found


def _by_parts(function, x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    if jnp.iscomplexobj(x):
        parts = _by_parts(function, jnp.stack([x.real, x.imag]), tuple(a + 1 for a in axes))
        return lax.complex(parts[0], parts[1])
    for axis in axes:
        x = jnp.moveaxis(function(jnp.moveaxis(x, axis, -1)), -1, axis)
    return x


def _dct(x: jax.Array) -> jax.Array:
    """Orthonormal DCT-II along the last axis."""
    n = x.shape[-1]
    v = jnp.concatenate([x[..., ::2], jnp.flip(x[..., 1::2], -1)], -1)
    spectrum = _times(_twiddles(n), jnp.fft.rfft(v))
    back = jnp.flip(-spectrum.imag[..., 1 : (n + 1) // 2], -1)
    return _times(_scales(n), jnp.concatenate([spectrum.real, back], -1))


def _idct(coefficients: jax.Array) -> jax.Array:
    """The inverse, and transpose, of `_dct`: V[k] = conj(W[k]) (X[k] - i X[N-k]), and v by the inverse FFT."""
    n = coefficients.shape[-1]
    scaled = _times(1 / _scales(n), coefficients)
    zero = jnp.zeros_like(scaled[..., :1])
    back = jnp.flip(jnp.concatenate([scaled[..., (n + 1) // 2 :], zero], -1), -1)[..., : n // 2 + 1]
    spectrum = _times(np.conj(_twiddles(n)), lax.complex(scaled[..., : n // 2 + 1], -back))
    v = jnp.fft.irfft(spectrum, n)
    even, odd = v[..., : (n + 1) // 2], jnp.flip(v[..., (n + 1) // 2 :], -1)
    if n % 2:
        odd = jnp.concatenate([odd, zero], -1)
    return jnp.stack([even, odd], -1).reshape(*v.shape[:-1], -1)[..., :n]


def _times(weights: np.ndarray, x: jax.Array) -> jax.Array:
    """Multiply the last axis by weights, in the dtype of `x`."""
    return x * weights.astype(x.dtype).reshape((1,) * (x.ndim - 1) + (-1,))


@lru_cache(maxsize=256)
def _twiddles(n: int) -> np.ndarray:
    return np.exp(-0.5j * np.pi * np.arange(n // 2 + 1) / n)


@lru_cache(maxsize=256)
def _scales(n: int) -> np.ndarray:
    scales = np.full(n, np.sqrt(2 / n))
    scales[0] = np.sqrt(1 / n)
    return scales
