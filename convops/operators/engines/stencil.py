"""Direct convolution: a fused sum over the non-zero taps, y[i] = sum_m k[m] e[start + step i - d m].

On a CPU a sum of many terms at once runs out of registers for its weights; a loop that adds a few taps at a time is
faster, and compiles in the same time however many taps there are.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..boundary import extend, fold
from ..sums import pairwise
from ..window import Window
from .bilinear import Products
from .estimating import estimated, few_taps
from .facts import Facts, Taps
from .slicing import padded, settled, strided
from .work import CACHE, Work

_UNROLLED = {"cpu": 25}  # longer sums are added in blocks, in a loop; elsewhere above 256 taps, for the compile time
_BLOCK = 8  # taps of a block: their weights fit into the registers of a CPU
_PAIRS = 256  # so many pairs of channels and taps are written out as sums of numbers
SERIAL = 50_000  # terms of a sum that one thread adds up


class Structure(NamedTuple):
    """What the sum is unrolled over: the taps that count (None: all), and whether the kernel mixes channels."""

    taps: Taps | None = None
    channels: bool = False


def plan(facts: Facts) -> Structure:
    """Skip the zeros of a concrete kernel that has many."""
    return Structure(facts.taps, facts.channels is not None)


def prepare(kernel: jax.Array, window: Window, structure: Structure, facts: Facts) -> None:
    """Nothing is kept beside the kernel."""
    del kernel, window, structure, facts


def forward(kernel: jax.Array, data: None, x: jax.Array, window: Window, structure: Structure) -> jax.Array:
    """Convolve the trailing axes of `x`."""
    del data
    return PRODUCTS.convolve(kernel, x, window, structure)


def adjoint(kernel: jax.Array, data: None, y: jax.Array, window: Window, structure: Structure) -> jax.Array:
    """Correlate with the conjugated kernel over the same window, then fold the extension back."""
    del data
    return PRODUCTS.correlate(jnp.conj(kernel), y, window, structure)


def convolve(kernel: jax.Array, x: jax.Array, window: Window, structure: Structure) -> jax.Array:
    """y[i] = sum_m k[m] e[start + step i - d m]."""
    return gather(x, window, *terms(kernel, window, structure.taps))


def correlate(kernel: jax.Array, y: jax.Array, window: Window, structure: Structure) -> jax.Array:
    """Transpose of `convolve` in the signal."""
    kernel = jnp.swapaxes(kernel, 0, 1) if structure.channels else kernel
    return scatter(y, window, *terms(kernel, window, structure.taps))


def estimate(x: jax.Array, y: jax.Array, window: Window, structure: Structure) -> jax.Array:
    """Transpose of `convolve` in the kernel."""
    found = estimated(reach(x, window), y, window, structure.channels, few_taps(window, structure.channels))
    if structure.taps is None:
        return found
    counts = np.zeros(window.kernel)
    counts[tuple(np.transpose(structure.taps))] = 1
    return found * jnp.asarray(counts, found.dtype)


def describe(window: Window, structure: Structure, itemsize: int) -> str:
    """What one application takes beside its input and output."""
    del structure
    size = math.prod(k + r for k, r in zip(window.length, window.reach, strict=True)) * itemsize
    return f"no transform; a padded copy of {size:,} bytes a signal"


def work(facts: Facts, structure: Structure) -> Work:
    """Count the terms of the sum; a kernel that mixes channels takes a product of matrices for each tap."""
    taps = facts.size if structure.taps is None else len(structure.taps)
    return sum_work(facts, facts.window, taps)


def sum_work(facts: Facts, window: Window, taps: int, times: int = 1) -> Work:
    """Count a sum over `taps` slices along a window."""
    into, out = facts.mixed
    parts = times * facts.planes * (2 if facts.complex else 1)
    outputs = math.prod(window.count) * facts.carried * parts
    blocks = 1 if taps <= _UNROLLED["cpu"] or outputs * facts.itemsize <= 2 * CACHE else math.ceil(taps / _BLOCK)
    copies = 2 * math.prod(k + r for k, r in zip(window.length, window.reach, strict=True)) * facts.carried * parts
    if facts.channels is None or taps * into * out <= _PAIRS:
        moved = copies * into + 2 * outputs * blocks * (1 if facts.channels is None else 2 * out)
        small = outputs * taps * into < SERIAL  # then XLA starts no threads
        return Work(
            calls=(0.4 if small else 2) * times * out,
            bytes=moved * facts.itemsize,
            taps=outputs * taps * into * out * facts.width,
        )
    moved = copies * into + 2 * outputs * taps * (into + 2 * out)
    return Work(calls=2 + taps, bytes=moved * facts.itemsize, products=outputs * taps * into * out)


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
    spread = settled(padded(y, widths))
    begins = np.asarray(window.dilation) * places
    x = _sum(spread, begins, weights, window.source, (1,) * window.ndim)
    return fold(x, window, window.extended)


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
    return settled(padded(x, widths))


def _sum(x: jax.Array, begins: np.ndarray, weights: Any, count, step) -> jax.Array:
    """Weighted sum of strided slices of `x`; a weight is a number or an (out, in) matrix over the channels."""
    terms = len(begins)

    def block(begins: Any, weights: Any) -> jax.Array:
        return pairwise([_weigh(w, strided(x, b, count, step)) for b, w in zip(begins, weights, strict=True)])

    if jnp.size(weights) <= _PAIRS and jnp.ndim(weights) == 3:
        return _mixed(x, begins, weights, count, step)
    if terms <= _UNROLLED.get(jax.default_backend(), 256):
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


def _mixed(x: jax.Array, begins: np.ndarray, weights: jax.Array, count, step) -> jax.Array:
    """`_sum` for few channels: one fused sum for each channel out."""
    outputs, inputs = weights.shape[1:]
    return jnp.stack(
        [
            pairwise(
                [weights[t, o, i] * strided(x[i], b, count, step) for t, b in enumerate(begins) for i in range(inputs)]
            )
            for o in range(outputs)
        ]
    )


def _weigh(weight: Any, part: jax.Array) -> jax.Array:
    if jnp.ndim(weight) == 0:
        return weight * part
    return jnp.tensordot(weight, part, 1, precision=lax.Precision.HIGHEST)


PRODUCTS = Products("stencil", convolve, correlate, estimate)
