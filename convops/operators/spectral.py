"""Eigenvalues of operators that are diagonal under the FFT (periodic ones) or the DCT-II (symmetric ones)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from . import cosine, transforms
from .adjoint import Adjoint
from .algebra import Composition, Scaled, Sum
from .base import LinearOperator
from .batching import Batched
from .blocks import BlockDiagonal, Kronecker, VerticalStack
from .diagonalized import Spectral, constant, stored
from .differences import Difference
from .elementary import Identity
from .window import Window
from .windowed import Convolution


class Symbol(NamedTuple):
    """Eigenvalues over the full grid of the transform along `axes`; length 1 along others where they do not vary."""

    values: jax.Array
    axes: frozenset[int]


def joined(parts: Sequence[Symbol | None]) -> tuple[list[jax.Array], frozenset[int]] | None:
    """The values of all parts, and the axes of the transform that diagonalises them together.

    None where one is not known, or varies along an axis that another mixes.
    """
    known = [part for part in parts if part is not None]
    axes = frozenset().union(*(part.axes for part in known))
    clash = any(part.values.shape[axis] > 1 for part in known for axis in axes - part.axes)
    return None if clash or len(known) < len(parts) else ([part.values for part in known], axes)


def symbol(op: LinearOperator, transform: str = "fft") -> Symbol | None:
    """Eigenvalues of an operator that the FFT (or the DCT-II) diagonalises, or None where nobody knows that it does."""
    match op:
        case Identity():
            return Symbol(jnp.ones((1,) * len(op.in_shape), jnp.float32), frozenset())
        case Spectral() if op.transform == transform:
            return Symbol(op.eigenvalues, frozenset(op.axes))
        case Convolution() if not op.channels:
            return _placed(op.kernel, op.window, op.axes, len(op.in_shape), transform)
        case Difference():
            return _placed(jnp.asarray(op._kernel()), op.window, op.axes, len(op.in_shape), transform)
        case Scaled():
            factor = jnp.asarray(op.factor, op.factor.dtype)  # in its own precision, where it came as a Python number
            return _mapped(lambda v: factor * v, op.parent, transform)
        case Adjoint() if not isinstance(op.parent, VerticalStack):
            return _mapped(jnp.conj, op.parent, transform)
        case Composition():
            return (
                gram_symbol(op.factors[1], transform)
                if op.facts
                else _combined([symbol(part, transform) for part in op.factors], math.prod)
            )
        case Sum():
            return _combined([symbol(term, transform) for term in op.terms], sum)
        case Kronecker():
            return _kronecker(op, transform)
        case BlockDiagonal():
            return _stacked(op, op.blocks, transform)
        case Batched():
            return _stacked(op, op._examples(), transform)
    return None


def gram_symbol(op: LinearOperator, transform: str = "fft") -> Symbol | None:
    """Eigenvalues of A^H A: |symbol|^2, summed over the blocks of a vertical stack."""
    if isinstance(op, VerticalStack):
        return _combined([gram_symbol(block, transform) for block in op.blocks], sum)
    if "unitary" in op.tags:
        return Symbol(jnp.ones((1,) * len(op.in_shape), jnp.float32), frozenset())
    if isinstance(op, Scaled):
        found = gram_symbol(op.parent, transform)
        return None if found is None else Symbol(jnp.abs(op.factor) ** 2 * found.values, found.axes)
    if transform == "dct" and isinstance(op, Difference) and op.first and op.window.boundary == ("symmetric",):
        # D with a zero last (or first) row is not diagonal, but D^T D is the Laplacian with the same boundary
        values = 2 - 2 * np.cos(np.pi * np.arange(op.window.signal[0]) / op.window.signal[0])
        return _spread(jnp.asarray(values), op.axes, len(op.in_shape))
    return _mapped(lambda v: jnp.abs(v) ** 2, op, transform)


def mirrored(A: Convolution) -> Symbol:
    """Eigenvalues under the DCT-II of a convolution near A: that of mirrored samples with the kernel's even part."""
    return _spread(cosine.eigenvalues(A.kernel, A.window), A.axes, len(A.in_shape))


def diagonalized(A: LinearOperator) -> Spectral:
    """Return an operator that the FFT or the DCT-II diagonalises as one that is known by its eigenvalues.

    The FFT diagonalises what is periodic: convolutions, differences and their sums and products under the boundary
    ``wrap``. The DCT-II diagonalises, under ``symmetric``, convolutions with kernels symmetric about their origin along
    every axis (to rounding, which takes concrete kernels), the Laplacian, and A^H A for such A.

    Parameters
    ----------
    A : LinearOperator

    Returns
    -------
    Spectral
        As `spectral` returns it, real where `A` is.

    Raises
    ------
    ValueError
        Where neither transform is known to diagonalise `A`.

    Examples
    --------
    >>> import convops as co
    >>> A = co.diagonalized(co.convolution([0.25, 0.5, 0.25], 4, boundary="symmetric"))
    >>> A
    Spectral R(4) -> R(4), dct over axes (0,)
    >>> print(A.eigenvalues[::2].round(2), A.log_determinant().round(0))
    [1.  0.5] -3.0
    >>> print(A.solve(A @ [1.0, 2.0, 3.0, 5.0]).round(1))
    [1. 2. 3. 5.]
    """
    if not isinstance(A, LinearOperator):
        raise ValueError(f"`A` is a {type(A).__name__}; give an operator")
    if isinstance(A, Spectral):
        return A
    for transform in transforms.NAMES:
        found = symbol(A, transform)
        if found is not None:
            axes = tuple(sorted(found.axes)) or tuple(range(len(A.in_shape)))
            sizes = tuple(n if a in axes else found.values.shape[a] for a, n in enumerate(A.in_shape))
            values = jnp.broadcast_to(transforms.precise(found.values, A.dtype), sizes)
            real = not jnp.issubdtype(A.dtype, jnp.complexfloating)
            if "selfadjoint" in A.tags:
                values = jnp.real(values)
            facts = A.tags & {"psd"} | ({"circulant"} if transform == "fft" and constant(values, axes) else set())
            return stored(values, A.in_shape, transform, axes, real, facts)
    raise ValueError(
        f"`A` is {A!r}, which neither the FFT nor the DCT-II is known to diagonalise: with stride 1 the FFT takes the "
        "boundary 'wrap', and the DCT-II the boundary 'symmetric' with a concrete kernel that is symmetric about its "
        "origin along every axis; give eigenvalues that you know to co.spectral()"
    )


def _mapped(function, op: LinearOperator, transform: str) -> Symbol | None:
    found = symbol(op, transform)
    return None if found is None else Symbol(function(found.values), found.axes)


def _combined(parts: Sequence[Symbol | None], function) -> Symbol | None:
    found = joined(parts)
    return None if found is None else Symbol(function(found[0]), found[1])


def _kronecker(op: Kronecker, transform: str) -> Symbol | None:
    left, right = symbol(op.left, transform), symbol(op.right, transform)
    if left is None or right is None:
        return None
    split = left.values.ndim
    head = left.values.reshape(left.values.shape + (1,) * right.values.ndim)
    tail = right.values.reshape((1,) * split + right.values.shape)
    return Symbol(head * tail, left.axes | {a + split for a in right.axes})


def _stacked(op: LinearOperator, blocks: Sequence[LinearOperator], transform: str) -> Symbol | None:
    """Eigenvalues of blocks of one shape, side by side along the first axis."""
    if op.in_shape != (len(blocks), *blocks[0].in_shape):
        return None
    found = joined([symbol(block, transform) for block in blocks])
    if found is None:
        return None
    return Symbol(jnp.stack(jnp.broadcast_arrays(*found[0])), frozenset(a + 1 for a in found[1]))


def _placed(kernel: jax.Array, window: Window, axes: tuple[int, ...], ndim: int, transform: str) -> Symbol | None:
    """Eigenvalues of a convolution: the transform of the kernel with its origin at zero."""
    if transform == "fft" and window.circulant:
        return _spread(_periodic(kernel, window), axes, ndim)
    if transform == "dct" and cosine.diagonal(kernel, window):
        return _spread(cosine.eigenvalues(kernel, window), axes, ndim)
    return None


def _periodic(kernel: jax.Array, window: Window) -> jax.Array:
    """FFT of the kernel wrapped onto the period with its origin at zero."""
    places = [
        (d * np.arange(k) - start) % n
        for d, k, start, n in zip(window.dilation, window.kernel, window.start, window.signal, strict=True)
    ]
    kernel = kernel.astype(jnp.promote_types(kernel.dtype, jnp.float32))
    grid = jnp.zeros(window.signal, kernel.dtype).at[np.ix_(*places)].add(kernel)
    return jnp.fft.fftn(grid)


def _spread(values: jax.Array, axes: tuple[int, ...], ndim: int) -> Symbol:
    """Values on the kernel's axes, with the axes in the order of the array's and length 1 elsewhere."""
    missing = [a for a in range(ndim) if a not in axes]
    return Symbol(jnp.expand_dims(values.transpose(np.argsort(axes)), missing), frozenset(axes))
