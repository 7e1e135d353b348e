"""C^T diag(g) C, C being the orthonormal DCT-II, by one pair of real FFTs: no coefficient of C is formed.

With V the FFT of the samples v in the order in which the DCT takes them (see `transforms`), the coefficient is
Re(W[k] V[k]) with W[k] = exp(-i pi k / 2N), and V[N-k] is V[-k]. Weighed by g and taken back, along each axis

    V'[k] = (g[k] + g[N-k]) / 2 V[k] + exp(i pi k / N) (g[k] - g[N-k]) / 2 V[-k].

Several axes take all combinations of the two terms. v is real, so that V of all signs turned is the conjugate, and half
of the frequencies of the last axis do.
"""

from dataclasses import dataclass, field
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .transforms import evens_first, half, interleaved, mirrored

MOST = 3  # axes that a real FFT takes at once


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class CosineFilter:
    """x -> C^T diag(g) C x along some axes, counted from the last; its weights are made once."""

    weights: jax.Array  # of the 2^axes terms, in front of the half spectrum
    axes: tuple[int, ...] = field(metadata={"static": True})

    def __call__(self, x: jax.Array) -> jax.Array:
        """Apply to an array; to the real and the imaginary part of a complex one apart."""
        if jnp.iscomplexobj(x):
            return lax.complex(self(x.real), self(x.imag))
        axes = tuple(a + x.ndim for a in self.axes)
        sizes = tuple(x.shape[a] for a in axes)
        V = self._weighed(jnp.fft.rfftn(evens_first(x, axes), axes=axes), axes, sizes)
        return interleaved(jnp.fft.irfftn(V, sizes, axes), axes)

    def _weighed(self, V: jax.Array, axes: tuple[int, ...], sizes: tuple[int, ...]) -> jax.Array:
        turned = {}
        for turns in product((False, True), repeat=len(axes) - 1):
            turned[turns] = mirrored(V, tuple(axis for axis, turn in zip(axes, turns, strict=False) if turn))
        terms = []
        for weight, turns in zip(self.weights, product((False, True), repeat=len(axes)), strict=True):
            part = turned[tuple(turn != turns[-1] for turn in turns[:-1])]
            part = jnp.conj(part) if turns[-1] else part
            carried = tuple(range(V.ndim - weight.ndim))
            terms.append(jnp.expand_dims(weight, carried) * _phase(V, axes, sizes, turns) * part)
        return sum(terms[1:], terms[0])


def cosine_filter(gain: jax.Array, axes: tuple[int, ...]) -> CosineFilter:
    """Make the filter of a real gain on the grid of at most three `axes`."""
    terms = [gain]
    for axis in axes:
        pairs = [(term, mirrored(term, (axis,))) for term in terms]
        terms = [share for own, other in pairs for share in ((own + other) / 2, (own - other) / 2)]
    return CosineFilter(jnp.stack([half(term, axes) for term in terms]), tuple(a % gain.ndim - gain.ndim for a in axes))


def _phase(V: jax.Array, axes: tuple[int, ...], sizes: tuple[int, ...], turns: tuple[bool, ...]) -> jax.Array | float:
    """exp(i pi k / N) along the axes whose sign is turned."""
    phase = 1.0
    for axis, n, turn in zip(axes, sizes, turns, strict=True):
        if turn:
            along = np.exp(1j * np.pi * np.arange(V.shape[axis]) / n).astype(V.dtype)
            phase = phase * jnp.asarray(along).reshape([-1 if a == axis else 1 for a in range(V.ndim)])
    return phase
