"""Convolution by FFT: y = F^-1 (K . F x), the kernel's spectrum K kept in the operator.

The taps sit at (d m - start) mod F, so that the first output sample is sample 0 of the transform. A periodic axis
uses F = N; any other is padded to the next fast length at which nothing that the window keeps wraps around,
F >= N + L - 1 - start and F > start + reach, where L is the dilated kernel's length. Real kernels use the real
transform, and act on the real and the imaginary part of a complex signal separately.
"""

import math
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..boundary import extend, fold
from ..window import Window
from .facts import Facts
from .slicing import padded
from .work import Work, streamed

_UNROLLED = 16  # so many pairs of channels are multiplied one by one, in one fused operation


def plan(facts: Facts) -> None:
    """Suit every convolution."""
    del facts


def prepare(kernel: jax.Array, window: Window, structure: None = None, facts: Any = None) -> jax.Array | None:
    """Return the kernel's spectrum: half of it (real transform) for a real kernel."""
    del structure, facts
    return None if window.empty else _spectrum(kernel, window)


def forward(kernel: jax.Array, data: jax.Array, x: jax.Array, window: Window, structure: None = None) -> jax.Array:
    """Convolve the trailing axes of `x`."""
    del structure
    if _splits(kernel, x):
        real, imag = (forward(kernel, data, part, window) for part in (x.real, x.imag))
        return lax.complex(real, imag)
    product = _multiply(data, _transform(extend(x, window, _padded(window)), kernel, window), kernel, window)
    y = _back(product, kernel, window)
    lead = y.ndim - window.ndim
    stops = [r + 1 for r in window.reach]
    return lax.slice(y, [0] * y.ndim, [*y.shape[:lead], *stops], [*[1] * lead, *window.step])


def adjoint(kernel: jax.Array, data: jax.Array, y: jax.Array, window: Window, structure: None = None) -> jax.Array:
    """Multiply by the conjugated spectrum between the transforms, then fold the extension back."""
    del structure
    if _splits(kernel, y):
        real, imag = (adjoint(kernel, data, part, window) for part in (y.real, y.imag))
        return lax.complex(real, imag)
    lead = y.ndim - window.ndim
    y = padded(y, [(0, 0, s - 1) for s in window.step])
    conjugate = jnp.conj(data)
    if kernel.ndim > window.ndim:
        conjugate = jnp.swapaxes(conjugate, 0, 1)
    x = _back(_multiply(conjugate, _transform(y, kernel, window), kernel, window), kernel, window)
    sizes = [_source(window, a) for a in range(window.ndim)]
    x = lax.slice(x, [0] * x.ndim, [*x.shape[:lead], *sizes])
    return fold(x, window, _padded(window))


def describe(window: Window, structure: None, itemsize: int) -> str:
    """FFT lengths, and what one application takes beside its input and output."""
    del structure
    lengths = _lengths(window)
    size = math.prod(lengths) * itemsize
    return f"FFT lengths {' x '.join(map(str, lengths))}; spectra of about {size:,} bytes a signal"


def work(facts: Facts, structure: None) -> Work:
    """Count a transform of every input and one of every output channel, and the copies around them."""
    del structure
    into, out = facts.mixed
    lengths = _lengths(facts.window)
    points = math.prod(lengths) * facts.carried * facts.planes
    steps = points * sum(math.log2(n + 1) for n in lengths) * (into + out)
    alone = facts.window.ndim == 1 and facts.carried * max(into, out) * facts.planes == 1
    size = points * facts.itemsize
    moved = (4 + 2 * any(_padded(facts.window))) * size
    if set(facts.window.boundary) != {"wrap"}:
        moved += streamed(size, facts.window.ndim)
    return Work(
        calls=2,
        bytes=moved * (into + out) / 2,
        transforms=0 if alone else steps,
        lone_transforms=steps if alone else 0,
        mixes=0 if into * out == 1 else points * into * out / 2,
    )


@lru_cache(maxsize=1024)
def fast_length(n: int) -> int:
    """Smallest length of at least `n` for which the FFT is fast: 11-smooth, and a multiple of 4 if not short.

    >>> fast_length(521)
    528
    """
    step = 4 if n > 32 else 1
    n = -(-n // step) * step
    while not _smooth(n):
        n += step
    return n


def _smooth(n: int) -> bool:
    for p in (2, 3, 5, 7, 11):
        while n % p == 0:
            n //= p
    return n == 1


def _padded(window: Window) -> tuple[bool, ...]:
    """The axes extended by copying: all that read beyond the signal, but for periodic ones and zeros."""
    return tuple(e and b != "wrap" for e, b in zip(window.extended, window.boundary, strict=True))


def _source(window: Window, axis: int) -> int:
    """Length of what is transformed along an axis, before padding with zeros."""
    return window.source[axis] if _padded(window)[axis] else window.signal[axis]


def _start(window: Window, axis: int) -> int:
    return window.offset[axis] if _padded(window)[axis] else window.start[axis]


@lru_cache(maxsize=1024)
def _lengths(window: Window) -> tuple[int, ...]:
    """Transform length along each axis."""
    lengths = []
    for axis, boundary in enumerate(window.boundary):
        n, start = _source(window, axis), _start(window, axis)
        enough = max(n, n + window.length[axis] - 1 - start, start + window.reach[axis] + 1)
        lengths.append(n if boundary == "wrap" else fast_length(enough))
    return tuple(lengths)


def _spectrum(kernel: jax.Array, window: Window) -> jax.Array:
    lengths = _lengths(window)
    lead = kernel.shape[: kernel.ndim - window.ndim]
    places = [
        (d * np.arange(k) - _start(window, axis)) % f
        for axis, (d, k, f) in enumerate(zip(window.dilation, window.kernel, lengths, strict=True))
    ]
    grid = jnp.zeros((*lead, *lengths), kernel.dtype)
    grid = grid.at[(..., *np.ix_(*places))].add(kernel)
    return _transform(grid, kernel, window)


def _axes(window: Window) -> tuple[int, ...]:
    return tuple(range(-window.ndim, 0))


def _transform(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    transform = jnp.fft.fftn if jnp.iscomplexobj(kernel) else jnp.fft.rfftn
    sizes = zip(_lengths(window), x.shape[x.ndim - window.ndim :], strict=True)
    x = padded(x, [(0, f - n, 0) for f, n in sizes])
    return transform(x, axes=_axes(window))


def _back(spectrum: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    transform = jnp.fft.ifftn if jnp.iscomplexobj(kernel) else jnp.fft.irfftn
    return transform(spectrum, _lengths(window), _axes(window))


def _splits(kernel: jax.Array, x: jax.Array) -> bool:
    return jnp.iscomplexobj(x) and not jnp.iscomplexobj(kernel)


def _multiply(spectrum: jax.Array, x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """Multiply frequency by frequency; with channels, by the (out, in) matrix at each frequency."""
    if kernel.ndim == window.ndim:
        return spectrum.reshape((1,) * (x.ndim - window.ndim) + spectrum.shape) * x
    carried = x.ndim - 1 - window.ndim
    spectrum = spectrum.reshape(*spectrum.shape[:2], *(1,) * carried, *spectrum.shape[2:])
    if math.prod(spectrum.shape[:2]) <= _UNROLLED:
        return jnp.stack(
            [sum((k * part for k, part in zip(row[1:], x[1:], strict=True)), row[0] * x[0]) for row in spectrum]
        )
    return jnp.einsum("oi...,i...->o...", spectrum, x, precision=lax.Precision.HIGHEST)
