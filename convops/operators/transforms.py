"""The FFT and the orthonormal DCT-II along some axes, forward and back, for `Spectral` operators.

The DCT-II of N samples, ``X[k] = s[k] sum_n x[n] cos(pi k (2 n + 1) / 2N)`` with s[0] = sqrt(1/N) and sqrt(2/N)
elsewhere, takes one real FFT of the same length (Makhoul, IEEE ASSP 28, 1980): with ``v`` the even samples followed by
the odd ones backwards, ``V`` its FFT and ``W[k] = exp(-i pi k / 2N)``, X[k] is Re(W V)[k] and X[N-k] is -Im(W V)[k].
Several axes take one real FFT along all of them.
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


def evens_first(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Samples 0, 2, 4, ..., then ..., 5, 3, 1 along each of `axes`; one after the other is faster than all at once."""
    for axis in reversed(axes):
        back = jnp.flip(lax.slice_in_dim(x, 1, None, 2, axis), axis)
        x = lax.optimization_barrier(jnp.concatenate([lax.slice_in_dim(x, 0, None, 2, axis), back], axis))
    return x


def interleaved(v: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """The inverse of `evens_first`: the first half at even places, the second backwards at the odd ones."""
    for axis in axes:
        n = v.shape[axis]
        even = lax.slice_in_dim(v, 0, (n + 1) // 2, axis=axis)
        odd = jnp.flip(lax.slice_in_dim(v, (n + 1) // 2, None, axis=axis), axis)
        if n % 2:
            odd = jnp.concatenate([odd, jnp.zeros_like(lax.slice_in_dim(even, 0, 1, axis=axis))], axis)
        both = jnp.stack([even, odd], axis + 1).reshape(*v.shape[:axis], -1, *v.shape[axis + 1 :])
        v = lax.optimization_barrier(lax.slice_in_dim(both, 0, n, axis=axis))
    return v


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
    """Apply a real map to the real and the imaginary part; an FFT takes at most three axes at once."""
    if jnp.iscomplexobj(x):
        parts = _by_parts(function, jnp.stack([x.real, x.imag]), tuple(a + 1 for a in axes))
        return lax.complex(parts[0], parts[1])
    for first in range(0, len(axes), 3):
        x = function(x, axes[first : first + 3])
    return x


def _dct(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Orthonormal DCT-II: X[k] = (W[k] V[k] + conj(W[k]) V[-k]) / 2, where V is real the real part of W V."""
    V = jnp.fft.rfftn(evens_first(x, axes), axes=axes)
    for axis in axes[:-1]:
        W = _twiddles(x.shape[axis]) * _scales(x.shape[axis]) / 2
        V = _times(W, V, axis) + _times(np.conj(W), mirrored(V, (axis,)), axis)
    n, last = x.shape[axes[-1]], axes[-1]
    V = _times(_twiddles(n)[: n // 2 + 1], V, last)
    back = jnp.flip(-lax.slice_in_dim(V.imag, 1, (n + 1) // 2, axis=last), last)
    return _times(_scales(n), jnp.concatenate([V.real, back], last), last)


def _idct(coefficients: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """The inverse, and transpose, of `_dct`: V[k] = conj(W[k]) (X[k] - i X[N-k]) with X[N] = 0."""
    V = coefficients
    for axis in reversed(axes):
        n = V.shape[axis]
        kept = n // 2 + 1 if axis == axes[-1] else n
        scaled = _times(1 / _scales(n), V, axis)
        zero = jnp.zeros_like(lax.slice_in_dim(scaled, 0, 1, axis=axis))
        back = jnp.concatenate([zero, jnp.flip(lax.slice_in_dim(scaled, 1, None, axis=axis), axis)], axis)
        scaled, back = (lax.slice_in_dim(part, 0, kept, axis=axis) for part in (scaled, back))
        rotated = lax.complex(scaled, -back) if axis == axes[-1] else scaled - 1j * back
        V = _times(np.conj(_twiddles(n)[:kept]), rotated, axis)
    return interleaved(jnp.fft.irfftn(V, [coefficients.shape[a] for a in axes], axes), axes)


def _times(weights: np.ndarray, x: jax.Array, axis: int) -> jax.Array:
    """Multiply by weights along one axis, in the dtype of `x`."""
    return x * weights.astype(x.dtype).reshape([-1 if a == axis else 1 for a in range(x.ndim)])


@lru_cache(maxsize=256)
def _twiddles(n: int) -> np.ndarray:
    return np.exp(-0.5j * np.pi * np.arange(n) / n)


@lru_cache(maxsize=256)
def _scales(n: int) -> np.ndarray:
    scales = np.full(n, np.sqrt(2 / n))
    scales[0] = np.sqrt(1 / n)
    return scales
