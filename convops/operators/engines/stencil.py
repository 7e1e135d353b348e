"""Direct convolution: one fused sum over the non-zero taps, y[i] = sum_m k[m] e[start + step i - d m]."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..boundary import extend, fold
from ..window import Window

Taps = tuple[tuple[int, ...], ...]
_UNROLLED = 256  # more taps than this are added in a loop over blocks: the compile time stays bounded
_BLOCK = 64


def prepare(kernel: jax.Array, window: Window) -> None:
    """Nothing is kept beside the kernel."""
    del kernel, window


def forward(kernel: jax.Array, data: None, x: jax.Array, window: Window, taps: Taps | None) -> jax.Array:
    """Convolve the trailing axes of `x`; `taps` names the kernel's non-zero elements (None: all)."""
    del data
    return gather(x, window, *terms(kernel, window, taps))


def adjoint(kernel: jax.Array, data: None, y: jax.Array, window: Window, taps: Taps | None) -> jax.Array:
    """Correlate with the conjugated kernel over the same window, then fold the extension back."""
    del data
    flipped = jnp.conj(kernel)
    if kernel.ndim > window.ndim:
        flipped = jnp.swapaxes(flipped, 0, 1)
    return scatter(y, window, *terms(flipped, window, taps))


def describe(window: Window, itemsize: int) -> str:
    """What one application takes beside its input and output."""
    size = math.prod(k + r for k, r in zip(window.length, window.reach, strict=True)) * itemsize
    return f"no transform; a padded copy of {size:,} bytes a signal"


def gather(x: jax.Array, window: Window, places: np.ndarray, weights: Sequence[Any] | jax.Array) -> jax.Array:
    """Return y[i] = sum_t weights[t] e[start + step i - d places[t]], `e` being the extended signal."""
    return combine(reach(x, window), window, places, weights)


def combine(extended: jax.Array, window: Window, places: np.ndarray, weights: Sequence[Any] | jax.Array) -> jax.Array:
    """Return `gather` of a signal extended already."""
    begins = np.asarray(window.length) - 1 - np.asarray(window.dilation) * places
    return _sum(extended, begins, weights, window.count, window.step)


def scatter(y: jax.Array, window: Window, places: np.ndarray, weights: Sequence[Any] | jax.Array) -> jax.Array:
    """Transpose of `gather`: e[n] = sum_t weights[t] u[n + d places[t]] with u[start + step i] = y[i]; fold."""
    widths = [
        (start, n + length - 2 - start - reach, step - 1)
        for start, n, length, reach, step in zip(
            window.offset, window.source, window.length, window.reach, window.step, strict=True
        )
    ]
    spread = lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0)] * (y.ndim - window.ndim) + widths)
    begins = np.asarray(window.dilation) * places
    x = _sum(spread, begins, weights, window.source, (1,) * window.ndim)
    return fold(x, window, window.extended)


def kernel_adjoint(extended: jax.Array, y: jax.Array, window: Window, channels: bool) -> jax.Array:
    """Adjoint of `combine` in the weights: k[m] = sum_i conj(e[start + step i - d m]) y[i]."""
    padded = jnp.conj(extended)
    places = np.array(list(np.ndindex(*window.kernel)))
    begins = np.asarray(window.length) - 1 - np.asarray(window.dilation) * places
    space = tuple(range(1, y.ndim))

    def tap(begin: Any) -> jax.Array:
        part = _slice(padded, begin, window.count, window.step)
        if channels:
            return jnp.tensordot(y, part, (space, space), precision=lax.Precision.HIGHEST)
        return jnp.sum(part * y)

    unrolled = len(begins) <= _UNROLLED
    found = jnp.stack([tap(b) for b in begins]) if unrolled else lax.map(tap, jnp.asarray(begins))
    return jnp.moveaxis(found, 0, -1).reshape(*found.shape[1:], *window.kernel)


def terms(kernel: jax.Array, window: Window, taps: Taps | None) -> tuple[np.ndarray, jax.Array]:
    """Places of the taps, shape (T, ndim), and their weights, shape (T,) or (T, out, in)."""
    places = np.array(list(np.ndindex(*window.kernel)) if taps is None else taps, int)
    places = places.reshape(-1, window.ndim)
    lead = kernel.shape[: kernel.ndim - window.ndim]
    weights = jnp.moveaxis(kernel.reshape(*lead, -1), -1, 0)
    if taps is not None:
        weights = weights[np.ravel_multi_index(tuple(places.T), window.kernel)]
    return places, weights


def reach(x: jax.Array, window: Window) -> jax.Array:
    """The signal at the positions low .. high, extended or cropped."""
    x = extend(x, window, window.extended)
    widths = [
        (0, 0, 0) if e else (-low, high - n + 1, 0)
        for e, low, high, n in zip(window.extended, window.low, window.high, window.signal, strict=True)
    ]
    if not any(map(any, widths)):
        return x
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0)] * (x.ndim - window.ndim) + widths)


def _sum(x: jax.Array, begins: np.ndarray, weights: Any, count, step) -> jax.Array:
    """Weighted sum of strided slices of `x`; a weight is a number or an (out, in) matrix over the channels."""
    terms = len(begins)

    def block(begins: Any, weights: Any) -> jax.Array:
        parts = (_weigh(w, _slice(x, b, count, step)) for b, w in zip(begins, weights, strict=True))
        total = next(parts)
        for part in parts:
            total = total + part
        return total

    if terms <= _UNROLLED:
        return block(begins, weights)
    loose = terms % _BLOCK
    split = (terms // _BLOCK, _BLOCK)
    blocks = (
        jnp.asarray(begins[loose:].reshape(*split, -1)),
        jnp.reshape(weights[loose:], split + jnp.shape(weights)[1:]),
    )
    first = block(begins[:loose], weights[:loose]) if loose else None
    if first is None:
        shape = jax.eval_shape(lambda: block(begins[:1], weights[:1]))
        first = jnp.zeros(shape.shape, shape.dtype)
    return lax.scan(lambda total, item: (total + block(*item), None), first, blocks)[0]


def _weigh(weight: Any, part: jax.Array) -> jax.Array:
    if jnp.ndim(weight) == 0:
        return weight * part
    return jnp.tensordot(weight, part, 1, precision=lax.Precision.HIGHEST)


def _slice(x: jax.Array, begin: Any, count: tuple[int, ...], step: tuple[int, ...]) -> jax.Array:
    """Trailing axes of `x` from `begin`, `count` samples `step` apart."""
    lead = x.shape[: x.ndim - len(count)]
    extent = [s * (c - 1) + 1 for s, c in zip(step, count, strict=True)]
    zeros, ones = [0] * len(lead), [1] * len(lead)
    if isinstance(begin, np.ndarray):
        stop = [b + e for b, e in zip(begin, extent, strict=True)]
        return lax.slice(x, [*zeros, *begin], [*lead, *stop], [*ones, *step])
    part = lax.dynamic_slice(x, [*zeros, *begin], [*lead, *extent])
    return lax.slice(part, [0] * x.ndim, part.shape, [*ones, *step])
