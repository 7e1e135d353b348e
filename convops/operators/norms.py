"""Largest singular values: exact where a transform diagonalises, bounds that hold for certain, and iterations."""

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from . import boundary
from .arrays import ratio, traced
from .base import LinearOperator
from .engines.fourier import fast_length
from .products import apply_norm
from .pytree import nested
from .sums import square
from .window import Window

if TYPE_CHECKING:
    from .windowed import Convolution

METHODS = ("auto", "bound", "power", "lanczos")
STEPS = {"power": 60, "lanczos": 100}


def norm(op: LinearOperator, method: str, steps: int | None) -> jax.Array:
    """Largest singular value of an operator by one of the `METHODS`, in its precision (single for half)."""
    if method not in METHODS:
        raise ValueError(f"`method` is {method!r}; accepted are {', '.join(map(repr, METHODS))}")
    return _found(op, method, steps).astype(jnp.finfo(_wide(op)).dtype)


def _found(op: LinearOperator, method: str, steps: int | None) -> jax.Array:
    if method in STEPS:
        from .window import positive

        count = positive(STEPS[method] if steps is None else steps, "steps")
        return (_by_power if method == "power" else lanczos)(op, count)
    if steps is not None:
        raise ValueError(f"`steps` is {steps!r} with method={method!r}; only 'power' and 'lanczos' take steps")
    exact = exact_norm(op)
    if exact is not None:
        return exact
    if method == "bound" and not bounded(op):
        raise ValueError(f"no bound is known for the norm of {op!r}; estimate it with method='lanczos' or 'power'")
    return apply_norm(op)


def exact_norm(op: LinearOperator) -> jax.Array | None:
    """The norm where the FFT, or the DCT-II (of concrete arrays), diagonalises A or A^H A; else None."""
    found = _periodic_norm(op)
    if found is None and not any(map(traced, jax.tree.leaves(op))):
        found = _largest(op, "dct")
    return found


@jax.jit
def _periodic_norm(op: LinearOperator) -> jax.Array | None:
    return _largest(op, "fft")


def _largest(op: LinearOperator, transform: str) -> jax.Array | None:
    """Largest |eigenvalue|, or the root of the largest eigenvalue of A^H A, or None where neither is known."""
    from .spectral import gram_symbol, symbol

    found = symbol(op, transform)
    if found is not None:
        return jnp.max(jnp.abs(found.values))
    found = gram_symbol(op, transform)
    return None if found is None else jnp.sqrt(jnp.max(jnp.real(found.values)))


def bounded(op: LinearOperator) -> bool:
    """Whether no part of `_norm` is an estimate."""
    return type(op)._norm is not LinearOperator._norm and all(map(bounded, nested(op, LinearOperator)))


@partial(jax.jit, static_argnames="steps")
def _by_power(op: LinearOperator, steps: int) -> jax.Array:
    return power_iteration(op, steps)


@partial(jax.jit, static_argnames="steps")
def lanczos(op: LinearOperator, steps: int) -> jax.Array:
    """Estimate the largest singular value from below, by Golub-Kahan bidiagonalisation.

    Golub & Kahan, SIAM J. Numer. Anal. 2 (1965) 205. Nothing is orthogonalised again: what that costs are copies of
    singular values already found, never a wrong largest one (Paige, Linear Algebra Appl. 34 (1980) 235), and so no
    basis of image-sized vectors is kept. The start is smooth, as blurs have it, with a little of everything.
    """
    if 0 in op.out_shape:
        return jnp.zeros(())
    dtype = _wide(op)
    start = 1 + scattered(op.in_shape, dtype) / 100

    def step(carry: tuple[jax.Array, jax.Array, jax.Array], _: None) -> tuple[Any, Any]:
        v, u, beta = carry
        u, alpha = _unit(op._matvec(v) - beta * u)
        v, beta = _unit(op._rmatvec(u) - alpha * v)
        return (v, u, beta), (alpha, beta)

    v, length = _unit(start)
    zero = jnp.zeros(op.out_shape, dtype)
    _, (alphas, betas) = jax.lax.scan(step, (v, zero, jnp.zeros_like(length)), length=steps)
    return jnp.linalg.norm(jnp.diag(alphas) + jnp.diag(betas[:-1], 1), 2)


def _unit(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A vector made to have length one (or left at zero), and its length."""
    length = _length(x)
    return ratio(x, length.astype(x.dtype)), length


def power_iteration(op: LinearOperator, steps: int = 60) -> jax.Array:
    """Estimate the largest singular value from below, by power iteration on A^H A from a fixed start."""
    if 0 in op.out_shape:
        return jnp.zeros(())
    dtype = _wide(op)
    start = scattered(op.in_shape, dtype)

    def step(_: int, x: jax.Array) -> jax.Array:
        y = op._rmatvec(op._matvec(x)).astype(dtype)
        return ratio(y, _length(y))

    x = jax.lax.fori_loop(0, steps, step, start / _length(start))
    return _length(op._matvec(x).astype(dtype))


def _wide(op: LinearOperator) -> jnp.dtype:
    """The dtype to compute in: half precision has neither the range nor the digits for long sums."""
    return jnp.promote_types(op.dtype, jnp.float32)


@partial(jax.jit, static_argnames=("shape", "dtype"))
def scattered(shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Numbers without structure in [-1/2, 1/2), the same for the same shape: Knuth's multiplicative hash."""
    count = jnp.arange(1, math.prod(shape) + 1, dtype=jnp.uint32) * jnp.uint32(2654435761)
    return (count.astype(jnp.float32) * 2.0**-32 - 0.5).reshape(shape).astype(dtype)


def absolute_sum_bound(op: LinearOperator) -> jax.Array:
    """Upper bound sqrt(norm_1 norm_inf) for an operator whose entries are non-negative."""
    rows = jnp.max(op._matvec(jnp.ones(op.in_shape, op.dtype)))
    columns = jnp.max(op._rmatvec(jnp.ones(op.out_shape, op.dtype)))
    return jnp.sqrt(rows * columns)


def _length(x: jax.Array) -> jax.Array:
    return jnp.sqrt(square(x))


def convolution_norm(op: "Convolution") -> jax.Array:
    """Largest singular value of a periodic convolution; for any other, the smaller of two upper bounds.

    The matrix is a part of a circulant one times the extension P, so max |K| norm(P) bounds it, K being the kernel's
    spectrum on any grid without wrap-around; and so does sqrt(norm_1 norm_inf) of the matrix of the absolute taps.
    """
    window = op.window
    if window.empty:
        return jnp.zeros(())
    kernel = op.kernel.astype(jnp.promote_types(op.kernel.dtype, jnp.float32))
    largest = jnp.max(_gain(_spectrum(kernel, window), op.channels))
    extended = [a for a in range(window.ndim) if window.extended[a] and window.boundary[a] != "wrap"]
    if not extended:
        return largest
    bound = largest * math.prod(_extension_norm(window, axis) for axis in extended)
    if op.channels or "antireflect" in window.boundary:
        return bound
    from .windowed import rebuild

    return jnp.minimum(bound, absolute_sum_bound(rebuild(op, jnp.abs(kernel))))


def _spectrum(kernel: jax.Array, window: Window) -> jax.Array:
    """FFT of the kernel, on the signal's grid along periodic axes and without wrap-around along others."""
    lengths, places = [], []
    for axis, name in enumerate(window.boundary):
        n, taps = window.signal[axis], window.length[axis]
        source = taps + window.reach[axis] if window.extended[axis] else n
        lengths.append(n if name == "wrap" else fast_length(source + taps - 1))
        places.append(window.dilation[axis] * np.arange(window.kernel[axis]) % lengths[-1])
    lead = kernel.shape[: kernel.ndim - window.ndim]
    grid = jnp.zeros((*lead, *lengths), kernel.dtype).at[(..., *np.ix_(*places))].add(kernel)
    axes = tuple(range(-window.ndim, 0))
    return jnp.fft.fftn(grid, axes=axes) if jnp.iscomplexobj(kernel) else jnp.fft.rfftn(grid, axes=axes)


def _gain(spectrum: jax.Array, channels: bool) -> jax.Array:
    """Largest singular value at each frequency."""
    if not channels:
        return jnp.abs(spectrum)
    return jnp.linalg.norm(jnp.moveaxis(spectrum, (0, 1), (-2, -1)), 2, (-2, -1))


def _extension_norm(window: Window, axis: int) -> float:
    """Upper bound sqrt(norm_1 norm_inf) for the norm of the extension along an axis."""
    rule = boundary.rule(window.signal[axis], window.low[axis], window.high[axis], window.boundary[axis])
    columns = np.bincount(rule.index, np.abs(rule.sign), window.signal[axis])
    columns[0] += np.abs(rule.first).sum()
    columns[-1] += np.abs(rule.last).sum()
    return math.sqrt(columns.max() * (np.abs(rule.sign) + np.abs(rule.first) + np.abs(rule.last)).max())
