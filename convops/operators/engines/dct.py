"""Convolution under a symmetric boundary with a symmetric kernel: diagonal in the DCT-II, without padding.

With half-sample symmetry at both ends and k[o + j] = k[o - j] along every axis, the matrix is C^T diag(h) C, C being
the orthonormal DCT-II and ``h[f] = sum_m k[m] prod_a cos(pi f_a d_a (m_a - o_a) / N_a)``.
"""

import math

import jax
import jax.numpy as jnp

from .. import cosine, transforms
from ..cosine_filter import MOST, CosineFilter, cosine_filter
from ..window import Window
from .facts import Facts, Unsuitable
from .work import Work, streamed

Data = jax.Array | CosineFilter


def plan(facts: Facts) -> None:
    """Refuse what the DCT does not diagonalise."""
    window = facts.window
    if window.mode != "same" or set(window.boundary) != {"symmetric"} or set(window.step) != {1}:
        raise Unsuitable("the DCT diagonalises mode 'same' with boundary 'symmetric' and stride 1 only")
    if facts.channels is not None:
        raise Unsuitable("the DCT does not mix channels")
    if facts.numbers is None:
        raise Unsuitable("the kernel is traced: its symmetry is not known")
    if not facts.even:
        raise Unsuitable("the kernel is not symmetric about its origin along every axis")


def prepare(kernel: jax.Array, window: Window, structure: None, facts: Facts) -> Data:
    """Return the filter of the eigenvalues h; those of a complex kernel, or of many axes, as they are."""
    del structure, facts
    h = cosine.eigenvalues(kernel, window)
    axes = tuple(range(window.ndim))
    return h if jnp.iscomplexobj(h) or window.ndim > MOST else cosine_filter(h, axes)


def forward(kernel: jax.Array, data: Data, x: jax.Array, window: Window, structure: None) -> jax.Array:
    """Return C^T h C x."""
    del kernel, structure
    return data(x) if isinstance(data, CosineFilter) else _between(data, x, window)


def adjoint(kernel: jax.Array, data: Data, y: jax.Array, window: Window, structure: None) -> jax.Array:
    """Return C^T conj(h) C y."""
    del kernel, structure
    return data(y) if isinstance(data, CosineFilter) else _between(jnp.conj(data), y, window)


def describe(window: Window, structure: None, itemsize: int) -> str:
    """Lengths, and what one application takes beside its input and output."""
    del structure
    size = 2 * math.prod(window.signal) * itemsize
    return f"DCT lengths {' x '.join(map(str, window.signal))}, nothing padded; about {size:,} bytes a signal"


def work(facts: Facts, structure: None) -> Work:
    """Count one pair of real transforms, the reordering before and after, and the sum of weighed spectra between."""
    del structure
    points = math.prod(facts.window.signal) * facts.carried
    each = sum(math.log2(n + 1) for n in facts.window.signal)
    ndim, size = facts.window.ndim, points * facts.itemsize
    moved = 7 * ndim * size + streamed(size, ndim)
    return Work(calls=3 * ndim, bytes=moved * facts.planes, transforms=2 * points * each * facts.planes)


def _between(h: jax.Array, x: jax.Array, window: Window) -> jax.Array:
    h = h.reshape((1,) * (x.ndim - window.ndim) + h.shape)
    return transforms.filtered(x, h, "dct", tuple(range(x.ndim - window.ndim, x.ndim)), real=True)
