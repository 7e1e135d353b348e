"""Overlap-save: the signal in blocks short enough for the cache, each convolved by FFT; tiles along several axes.

A block of B outputs reads B + L - 1 samples, L being the dilated kernel's length, and takes a transform of
F >= B + L - 1. The adjoint correlates blocks of the output in the same way. Real kernels act on the real and the
imaginary part of a complex signal separately.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ..boundary import extend, fold
from ..window import Window
from . import tiles
from .facts import Facts, Unsuitable
from .slicing import padded
from .work import Work

LONGEST = 2**16  # transforms of more samples leave the cache


class Structure(NamedTuple):
    """Length F of the transforms."""

    length: int


def plan(facts: Facts) -> Structure | tiles.Tiling:
    """Choose the length of the blocks, or the tiles; refuse channels."""
    window = facts.window
    if facts.channels is not None:
        raise Unsuitable("overlap-save is for convolutions without channels")
    if window.ndim > 1:
        return tiles.tiling(window.length, tuple(r + 1 for r in window.reach))
    return Structure(block_length(window.length[0], window.reach[0] + 1))


@lru_cache(maxsize=1024)
def block_length(kernel: int, outputs: int) -> int:
    """The power of two with the least work, F (log2 F + 5) a block, the 5 for reading and writing."""
    least = max(2 ** math.ceil(math.log2(kernel + 1)), 256)
    lengths = [least]
    while lengths[-1] < min(outputs + kernel, max(LONGEST, 4 * least)):
        lengths.append(2 * lengths[-1])
    return min(lengths, key=lambda f: math.ceil(outputs / (f - kernel + 1)) * f * (math.log2(f) + 5))


def prepare(kernel: jax.Array, window: Window, structure: Structure | tiles.Tiling, facts: Any) -> jax.Array:
    """Return the spectrum of the dilated kernel over one block."""
    del facts
    if isinstance(structure, tiles.Tiling):
        return tiles.spectrum(kernel, window, structure)
    spread = padded(kernel, [(0, 0, window.dilation[0] - 1)])
    transform = jnp.fft.fft if jnp.iscomplexobj(kernel) else jnp.fft.rfft
    return transform(spread, structure.length)


def forward(kernel: jax.Array, data: jax.Array, x: jax.Array, window: Window, structure: Any) -> jax.Array:
    """Convolve the trailing axes of `x`."""
    if jnp.iscomplexobj(x) and not jnp.iscomplexobj(kernel):
        real, imag = (forward(kernel, data, part, window, structure) for part in (x.real, x.imag))
        return lax.complex(real, imag)
    if isinstance(structure, tiles.Tiling):
        return tiles.PRODUCTS.convolve(data, x.astype(jnp.result_type(x, data)), window, structure)
    head, outputs = window.length[0] - 1, window.reach[0] + 1
    blocks = overlapping(extend(x, window, window.extended), window.offset[0] - head, outputs, head, structure.length)
    y = _filtered(blocks, data, kernel, structure.length)[..., head:]
    y = y.reshape(*y.shape[:-2], -1)
    return lax.slice_in_dim(y, 0, outputs, window.step[0], axis=-1)


def adjoint(kernel: jax.Array, data: jax.Array, y: jax.Array, window: Window, structure: Any) -> jax.Array:
    """Correlate the trailing axes of `y`, then fold the extension back."""
    if jnp.iscomplexobj(y) and not jnp.iscomplexobj(kernel):
        real, imag = (adjoint(kernel, data, part, window, structure) for part in (y.real, y.imag))
        return lax.complex(real, imag)
    if isinstance(structure, tiles.Tiling):
        y = jnp.conj(y).astype(jnp.result_type(y, data))
        return jnp.conj(tiles.PRODUCTS.correlate(data, y, window, structure))
    head, source = window.length[0] - 1, window.source[0]
    spread = padded(y, [(0, 0, window.step[0] - 1)])
    blocks = overlapping(spread, -window.offset[0], source, head, structure.length)
    x = _filtered(blocks, jnp.conj(data), kernel, structure.length)[..., : structure.length - head]
    x = lax.slice_in_dim(x.reshape(*x.shape[:-2], -1), 0, source, axis=-1)
    return fold(x, window, window.extended)


def describe(window: Window, structure: Structure | tiles.Tiling, itemsize: int) -> str:
    """Blocks, and what one application takes beside its input and output."""
    if isinstance(structure, tiles.Tiling):
        return tiles.describe(window, structure, itemsize)
    block = structure.length - window.length[0] + 1
    count = math.ceil((window.reach[0] + 1) / block)
    return f"{count} blocks of FFT length {structure.length}; {count * structure.length * itemsize:,} bytes a signal"


def work(facts: Facts, structure: Structure | tiles.Tiling) -> Work:
    """Count two transforms of every block."""
    if isinstance(structure, tiles.Tiling):
        return tiles.work(facts, structure)
    blocks = math.ceil((facts.window.reach[0] + 1) / (structure.length - facts.window.length[0] + 1))
    points = blocks * structure.length * facts.carried
    steps = 2 * points * math.log2(structure.length) * facts.planes
    alone = blocks * facts.carried * facts.planes < 4  # too few to share out
    return Work(
        calls=2,
        bytes=4 * points * facts.itemsize,
        transforms=0 if alone else steps,
        lone_transforms=steps if alone else 0,
    )


def overlapping(x: jax.Array, begin: int, outputs: int, head: int, length: int) -> jax.Array:
    """Samples from `begin` on (zeros beyond the ends) as overlapping rows, each `head` longer than the hop."""
    hop = length - head
    count, extra = math.ceil(outputs / hop), math.ceil(head / hop)
    total = (count + extra) * hop
    rows = padded(x, [(-begin, total + begin - x.shape[-1], 0)])
    rows = rows.reshape(*x.shape[:-1], count + extra, hop)
    parts = [lax.slice_in_dim(rows, i, i + count, axis=-2) for i in range(extra + 1)]
    parts[-1] = lax.slice_in_dim(parts[-1], 0, length - extra * hop, axis=-1)
    return lax.concatenate(parts, rows.ndim - 1)


def _filtered(blocks: jax.Array, spectrum: jax.Array, kernel: jax.Array, length: int) -> jax.Array:
    spectrum = spectrum.reshape((1,) * (blocks.ndim - 1) + spectrum.shape)
    if jnp.iscomplexobj(kernel):
        return jnp.fft.ifft(jnp.fft.fft(blocks) * spectrum)
    return jnp.fft.irfft(jnp.fft.rfft(blocks) * spectrum, length)
