"""Overlap-save along several axes: tiles short enough for the cache, one after the other, each convolved by FFT.

A tile of B outputs reads B + L - 1 samples along each axis, L being the dilated kernel's length, and takes a transform
of F = B + L - 1 or a little more. A loop keeps what a tile needs in the cache and its memory in use; transforms of the
whole signal stream through memory, which is most of their time where they are large.

The kernel comes as its spectrum S over one tile: for real kernels half of it, real and imaginary part stacked in front.
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ..boundary import extend, fold
from ..window import Window
from .bilinear import Products
from .facts import Facts
from .fourier import fast_length
from .slicing import padded, settled
from .work import Work, streamed

NOMINAL = (64, 128, 256, 512, 1024)  # outputs of a tile along an axis, before it is made to divide them evenly
CACHED = 2**19  # points of a transform whose spectra stay in the cache
EXTENDING = 0.6  # what extending a large signal costs, by what a pair of transforms moves
BEGINNING = 2**18  # what starting a tile costs, in the units of `tiling`


class Tiling(NamedTuple):
    """The FFT length along each axis."""

    lengths: tuple[int, ...]

    def counts(self, kernel: tuple[int, ...], outputs: tuple[int, ...]) -> tuple[int, ...]:
        """Number of tiles along each axis."""
        return tuple(-(-n // (f - k + 1)) for n, f, k in zip(outputs, self.lengths, kernel, strict=True))


@lru_cache(maxsize=1024)
def tiling(kernel: tuple[int, ...], outputs: tuple[int, ...]) -> Tiling:
    """The tiles with the least work: F (log2 F + 5) each, 5 for reading and writing, twice that beyond the cache."""
    found = []
    for nominal in NOMINAL:
        hops = [max(-(-n // max(round(n / nominal), 1)), 1) for n in outputs]
        found.append(Tiling(tuple(fast_length(hop + k - 1) for hop, k in zip(hops, kernel, strict=True))))

    def cost(tiles: Tiling) -> float:
        points = math.prod(tiles.lengths)
        one = points * (math.log2(points) + 5) * (1 if points <= CACHED else 2) + BEGINNING
        return math.prod(tiles.counts(kernel, outputs)) * one

    return min(found, key=cost)


def plan(window: Window) -> Tiling:
    """Choose tiles that divide the outputs, or what the adjoint returns if that is longer."""
    return tiling(window.length, tuple(map(max, _outputs(window), window.source)))


def spectrum(kernel: jax.Array, window: Window, tiles: Tiling) -> jax.Array:
    """The spectrum S of the dilated kernel over one tile."""
    spread = padded(kernel, [(0, 0, d - 1) for d in window.dilation])
    spread = padded(spread, [(0, f - k, 0) for f, k in zip(tiles.lengths, window.length, strict=True)])
    if jnp.iscomplexobj(kernel):
        return jnp.fft.fftn(spread, axes=_axes(window))
    half = jnp.fft.rfftn(spread, axes=_axes(window))
    return jnp.stack([half.real, half.imag])


def forward(S: jax.Array, x: jax.Array, window: Window, structure: Tiling) -> jax.Array:
    """Convolve the trailing axes of `x`."""
    return PRODUCTS.convolve(S, x.astype(jnp.result_type(x, S)), window, structure)


def adjoint(S: jax.Array, y: jax.Array, window: Window, structure: Tiling) -> jax.Array:
    """Correlate the trailing axes of `y`, then fold the extension back."""
    return jnp.conj(PRODUCTS.correlate(S, jnp.conj(y).astype(jnp.result_type(y, S)), window, structure))


def convolve(S: jax.Array, x: jax.Array, window: Window, structure: Tiling) -> jax.Array:
    """y[i] = sum_m k[m] e[start + step i - d m]."""
    apply = partial(_filtered, S, structure.lengths)
    y = _each(apply, _read(x, window), _outputs(window), _heads(window), structure, first=False)
    lead = y.ndim - window.ndim
    return lax.slice(y, [0] * y.ndim, y.shape, [*[1] * lead, *window.step])


def correlate(S: jax.Array, y: jax.Array, window: Window, structure: Tiling) -> jax.Array:
    """Transpose of `convolve` in the signal."""
    heads = _heads(window)
    spread = padded(y, [(0, 0, s - 1) for s in window.step])
    widths = [
        (start, n + head - start - u, 0)
        for start, n, head, u in zip(window.offset, window.source, heads, spread.shape[-window.ndim :], strict=True)
    ]
    apply = partial(_filtered, _mirrored(S, window), structure.lengths)
    x = _each(apply, padded(spread, widths), window.source, heads, structure)
    return fold(x, window, window.extended)


def estimate(x: jax.Array, y: jax.Array, window: Window, structure: Tiling) -> jax.Array:
    """Transpose of `convolve` in the spectrum."""
    heads = _heads(window)
    e, u = _read(x, window), padded(y, [(0, 0, s - 1) for s in window.step])
    hops = [f - head for f, head in zip(structure.lengths, heads, strict=True)]
    counts = structure.counts(window.length, _outputs(window))
    totals = [n * hop for n, hop in zip(counts, hops, strict=True)]
    lead = e.ndim - window.ndim
    e = padded(e, [(0, t + h - n, 0) for t, h, n in zip(totals, heads, e.shape[lead:], strict=True)])
    u = padded(u, [(0, t - n, 0) for t, n in zip(totals, u.shape[lead:], strict=True)])
    like = jax.eval_shape(
        partial(spectrum, window=window, tiles=structure), jax.ShapeDtypeStruct(window.kernel, e.dtype)
    )

    def tile(at: Any, total: jax.Array) -> jax.Array:
        begins = [i * hop for i, hop in zip(_place(at, counts), hops, strict=True)]
        part, out = _cut(e, begins, structure.lengths), _cut(u, begins, hops)
        out = padded(out, [(head, 0, 0) for head in heads])
        (found,) = jax.linear_transpose(lambda S: _filtered(S, structure.lengths, part), like)(out)
        return total + found

    return lax.fori_loop(0, math.prod(counts), tile, jnp.zeros(like.shape, like.dtype))


def describe(window: Window, tiles: Tiling, itemsize: int) -> str:
    """Tiles, and what one application takes beside its input and output."""
    size = math.prod(k + r for k, r in zip(window.length, window.reach, strict=True)) * itemsize
    count, lengths = math.prod(tiles.counts(window.length, _outputs(window))), " x ".join(map(str, tiles.lengths))
    return f"{count} tiles of FFT lengths {lengths}; a padded copy of {size:,} bytes a signal"


def work(facts: Facts, tiles: Tiling) -> Work:
    """Count two transforms of every tile, and the copies around them."""
    window = facts.window
    count = math.prod(tiles.counts(window.length, _outputs(window)))
    tile = math.prod(tiles.lengths) * facts.carried * facts.planes
    moved = (4 + 2 * any(window.extended)) * count * tile * facts.itemsize
    moved += count * streamed(tile * facts.itemsize, window.ndim)
    if any(window.extended):  # the extended copy is new memory
        size = math.prod(window.source) * facts.carried * facts.planes * facts.itemsize
        moved += EXTENDING * streamed(size, window.ndim)
    transforms = 2 * count * tile * sum(map(math.log2, tiles.lengths))
    return Work(calls=3, bytes=moved, transforms=transforms, tiles=count)


def _read(x: jax.Array, window: Window) -> jax.Array:
    """All samples that the outputs read: the extended signal, with zeros around it."""
    x = extend(x, window, window.extended)
    widths = [
        (head - start, reach + 1 + start - n, 0)
        for start, n, head, reach in zip(window.offset, window.source, _heads(window), window.reach, strict=True)
    ]
    return settled(padded(x, widths))


def _each(apply: Callable, e: jax.Array, outputs: Any, heads: Any, tiles: Tiling, first: bool = True) -> jax.Array:
    """Apply a function to every tile of `e` and join the `outputs`, the first of each tile or its last.

    The last tiles reach back into those before them, so that nothing is written beyond the outputs.
    """
    lead = e.ndim - len(heads)
    sizes = [min(f - head, n) for f, head, n in zip(tiles.lengths, heads, outputs, strict=True)]
    counts = tiles.counts(tuple(head + 1 for head in heads), outputs)
    skipped = [0] * len(heads) if first else heads
    short = [max(f - n, 0) for f, n in zip(tiles.lengths, e.shape[lead:], strict=True)]
    e = padded(e, [(0, s, 0) for s in short])

    def tile(at: Any, y: jax.Array) -> jax.Array:
        begins = [
            jnp.minimum(i * size, n - size) for i, size, n in zip(_place(at, counts), sizes, outputs, strict=True)
        ]
        part = apply(_cut(e, begins, tiles.lengths))
        return lax.dynamic_update_slice(y, _cut(part, skipped, sizes), [0] * lead + begins)

    shape = (*e.shape[:lead], *outputs)
    return lax.fori_loop(0, math.prod(counts), tile, jnp.zeros(shape, e.dtype))


def _place(at: Any, counts: tuple[int, ...]) -> list[Any]:
    """Place of a tile along each axis."""
    strides = [math.prod(counts[axis + 1 :]) for axis in range(len(counts))]
    return [(at // stride) % count for stride, count in zip(strides, counts, strict=True)]


def _cut(x: jax.Array, begins: Any, sizes: Any) -> jax.Array:
    lead = x.ndim - len(sizes)
    return lax.dynamic_slice(x, [0] * lead + list(begins), (*x.shape[:lead], *sizes))


def _filtered(S: jax.Array, lengths: tuple[int, ...], x: jax.Array) -> jax.Array:
    """F^-1 (S . F x) of one tile; the real transforms where S is that of a real kernel."""
    axes = tuple(range(-len(lengths), 0))
    if jnp.iscomplexobj(S):
        return jnp.fft.ifftn(S * jnp.fft.fftn(x, axes=axes), axes=axes)
    return jnp.fft.irfftn(lax.complex(S[0], S[1]) * jnp.fft.rfftn(x, axes=axes), lengths, axes)


def _mirrored(S: jax.Array, window: Window) -> jax.Array:
    """The spectrum of the kernel read backwards."""
    if not jnp.iscomplexobj(S):
        return jnp.stack([S[0], -S[1]])
    return jnp.roll(jnp.flip(S, _axes(window)), 1, _axes(window))


def _outputs(window: Window) -> tuple[int, ...]:
    """Number of outputs along each axis before the stride takes some."""
    return tuple(r + 1 for r in window.reach)


def _heads(window: Window) -> tuple[int, ...]:
    return tuple(length - 1 for length in window.length)


def _axes(window: Window) -> tuple[int, ...]:
    return tuple(range(-window.ndim, 0))


PRODUCTS = Products("overlap", convolve, correlate, estimate)
