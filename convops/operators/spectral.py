"""Eigenvalues of periodic operators: what is diagonal under the FFT."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .adjoint import Adjoint, Conjugate
from .algebra import Composition, Scaled, Sum
from .base import LinearOperator
from .blocks import VerticalStack
from .differences import Difference
from .elementary import Identity
from .window import Window
from .windowed import Convolution


class Symbol(NamedTuple):
    """Eigenvalues over the full FFT grid of `axes`, with length-1 axes elsewhere."""

    values: jax.Array
    axes: frozenset[int]


def symbol(op: LinearOperator) -> Symbol | None:
    """Eigenvalues of an operator that the FFT diagonalises, or None where it does not (or nobody knows)."""
    match op:
        case Identity():
            return Symbol(jnp.ones((1,) * len(op.in_shape)), frozenset())
        case Convolution() if op.window.circulant and not op.channels:
            return _placed(op.kernel, op.window, op.axes, len(op.in_shape))
        case Difference() if op.window.circulant:
            return _placed(jnp.asarray(op._kernel()), op.window, op.axes, len(op.in_shape))
        case Scaled():
            return _mapped(lambda v: op.factor * v, op.parent)
        case Adjoint() if not isinstance(op.parent, VerticalStack):
            return _mapped(jnp.conj, op.parent)
        case Composition():
            return gram_symbol(op.factors[1]) if op.facts else _joined(op.factors, math.prod)
        case Sum():
            return _joined(op.terms, sum)
        case Conjugate():
            return None
    return None


def gram_symbol(op: LinearOperator) -> Symbol | None:
    """Eigenvalues of A^H A: |symbol|^2, summed over the blocks of a vertical stack."""
    if isinstance(op, VerticalStack):
        parts = [gram_symbol(block) for block in op.blocks]
        if any(part is None for part in parts):
            return None
        known = [part for part in parts if part is not None]
        axes = frozenset().union(*(part.axes for part in known))
        return Symbol(sum(part.values for part in known), axes)  # type: ignore[arg-type]
    return _mapped(lambda v: jnp.abs(v) ** 2, op)


def _mapped(function, op: LinearOperator) -> Symbol | None:
    found = symbol(op)
    return None if found is None else Symbol(function(found.values), found.axes)


def _joined(ops: tuple[LinearOperator, ...], function) -> Symbol | None:
    parts = [symbol(op) for op in ops]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Symbol(function([part.values for part in known]), frozenset().union(*(part.axes for part in known)))


def _placed(kernel: jax.Array, window: Window, axes: tuple[int, ...], ndim: int) -> Symbol:
    """FFT of the kernel wrapped onto the period with its origin at zero."""
    places = [
        (d * np.arange(k) - start) % n
        for d, k, start, n in zip(window.dilation, window.kernel, window.start, window.signal, strict=True)
    ]
    kernel = kernel.astype(jnp.promote_types(kernel.dtype, jnp.float32))
    grid = jnp.zeros(window.signal, kernel.dtype).at[np.ix_(*places)].add(kernel)
    values = jnp.fft.fftn(grid)
    order = np.argsort(axes)  # the kernel's axes in the order of the array's
    values = values.transpose(order)
    missing = [a for a in range(ndim) if a not in axes]
    return Symbol(jnp.expand_dims(values, missing), frozenset(axes))
