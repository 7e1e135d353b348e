"""Overlap-save: the signal in parts short enough for the cache, each convolved by FFT.

`blocks` along one axis, all at once; `tiles` along several, one after the other. Real kernels act on the real and the
imaginary part of a complex signal separately.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..window import Window
from . import blocks, tiles
from .facts import Facts, Unsuitable
from .work import Work

Structure = blocks.Blocks | tiles.Tiling


def _parts(window: Window) -> Any:
    return blocks if window.ndim == 1 else tiles


def plan(facts: Facts) -> Structure:
    """Choose the length of the blocks, or the tiles; refuse channels."""
    if facts.channels is not None:
        raise Unsuitable("overlap-save is for convolutions without channels")
    return _parts(facts.window).plan(facts.window)


def prepare(kernel: jax.Array, window: Window, structure: Structure, facts: Facts) -> jax.Array:
    """Return the spectrum of the dilated kernel over one part."""
    del facts
    return _parts(window).spectrum(kernel, window, structure)


def forward(kernel: jax.Array, data: jax.Array, x: jax.Array, window: Window, structure: Structure) -> jax.Array:
    """Convolve the trailing axes of `x`."""
    return _by_planes(_parts(window).forward, kernel, data, x, window, structure)


def adjoint(kernel: jax.Array, data: jax.Array, y: jax.Array, window: Window, structure: Structure) -> jax.Array:
    """Correlate the trailing axes of `y`, then fold the extension back."""
    return _by_planes(_parts(window).adjoint, kernel, data, y, window, structure)


def describe(window: Window, structure: Structure, itemsize: int) -> str:
    """Parts, and what one application takes beside its input and output."""
    return _parts(window).describe(window, structure, itemsize)


def work(facts: Facts, structure: Structure) -> Work:
    """Count two transforms of every part."""
    return _parts(facts.window).work(facts, structure)


def _by_planes(apply: Any, kernel: jax.Array, data: jax.Array, x: jax.Array, window: Window, structure: Any) -> Any:
    if jnp.iscomplexobj(x) and not jnp.iscomplexobj(kernel):
        return lax.complex(*(apply(data, part, window, structure) for part in (x.real, x.imag)))
    return apply(data, x, window, structure)
