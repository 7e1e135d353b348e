"""Overlap-save along one axis: the signal in blocks short enough for the cache, all convolved by FFT at once.

A block of B outputs reads B + L - 1 samples, L being the dilated kernel's length, and takes a transform of
F >= B + L - 1. The adjoint correlates blocks of the output in the same way.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ..boundary import extend, fold
from ..window import Window
from .facts import Facts
from .slicing import padded
from .work import Work

LONGEST = 2**16  # transforms of more samples leave the cache


class Blocks(NamedTuple):
    """Length F of the transforms."""

    length: int


def plan(window: Window) -> Blocks:
    """Choose the length of the blocks."""
    return Blocks(block_length(window.length[0], window.reach[0] + 1))


@lru_cache(maxsize=1024)
def block_length(kernel: int, outputs: int) -> int:
    """The power of two with the least work, F (log2 F + 5) a block, the 5 for reading and writing."""
    least = max(2 ** math.ceil(math.log2(kernel + 1)), 256)
    lengths = [least]
    while lengths[-1] < min(outputs + kernel, max(LONGEST, 4 * least)):
        lengths.append(2 * lengths[-1])
    return min(lengths, key=lambda f: math.ceil(outputs / (f - kernel + 1)) * f * (math.log2(f) + 5))


def spectrum(kernel: jax.Array, window: Window, structure: Blocks) -> jax.Array:
    """The spectrum S of the dilated kernel over one block."""
    spread = padded(kernel, [(0, 0, window.dilation[0] - 1)])
    transform = jnp.fft.fft if jnp.iscomplexobj(kernel) else jnp.fft.rfft
    return transform(spread, structure.length)


def forward(S: jax.Array, x: jax.Array, window: Window, structure: Blocks) -> jax.Array:
    """Convolve the last axis of `x`."""
    head, outputs = window.length[0] - 1, window.reach[0] + 1
    blocks = overlapping(extend(x, window, window.extended), window.offset[0] - head, outputs, head, structure.length)
    y = _filtered(blocks, S, structure.length)[..., head:]
    y = y.reshape(*y.shape[:-2], -1)
    return lax.slice_in_dim(y, 0, outputs, window.step[0], axis=-1)


def adjoint(S: jax.Array, y: jax.Array, window: Window, structure: Blocks) -> jax.Array:
    """Correlate the last axis of `y`, then fold the extension back."""
    head, source = window.length[0] - 1, window.source[0]
    spread = padded(y, [(0, 0, window.step[0] - 1)])
    blocks = overlapping(spread, -window.offset[0], source, head, structure.length)
    x = _filtered(blocks, jnp.conj(S), structure.length)[..., : structure.length - head]
    x = lax.slice_in_dim(x.reshape(*x.shape[:-2], -1), 0, source, axis=-1)
    return fold(x, window, window.extended)


def describe(window: Window, structure: Blocks, itemsize: int) -> str:
    """Blocks, and what one application takes beside its input and output."""
    block = structure.length - window.length[0] + 1
    count = math.ceil((window.reach[0] + 1) / block)
    return f"{count} blocks of FFT length {structure.length}; {count * structure.length * itemsize:,} bytes a signal"


def work(facts: Facts, structure: Blocks) -> Work:
    """Count two transforms of every block."""
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


def _filtered(blocks: jax.Array, S: jax.Array, length: int) -> jax.Array:
    """F^-1 (S . F x) of every block; the real transforms where S is half of a spectrum."""
    whole = S.shape[-1] == length
    S = S.reshape((1,) * (blocks.ndim - 1) + S.shape)
    if whole:
        return jnp.fft.ifft(jnp.fft.fft(blocks) * S)
    return jnp.fft.irfft(jnp.fft.rfft(blocks) * S, length)
