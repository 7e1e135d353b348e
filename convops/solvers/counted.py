"""The Poisson model b ~ A x + background: what it asks of its arguments, and its divergence."""

import warnings
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.algebra import Composition, compose
from ..operators.arrays import as_inexact, traced
from ..operators.base import LinearOperator
from ..operators.elementary import Diagonal, Mask, identity
from ..operators.elementary import mask as mask_of
from ..operators.unknown_boundary import UnknownBoundary
from ..operators.windowed import Convolution
from .checks import data_of, finite, start_of

NEGATIVE = 1e-3  # share of a kernel's mass that may be negative without a word


class Counted(NamedTuple):
    """Data, zero where they do not count, the background likewise, and what each datum counts (None: one)."""

    A: LinearOperator
    b: jax.Array
    background: jax.Array
    weights: jax.Array | None
    flat: bool


def counted(A: LinearOperator, b: Any, background: Any, mask: Any) -> Counted:
    """Check the model: data, background and kernel real, finite and not negative where they count."""
    if mask is not None and isinstance(A, LinearOperator):
        keep = np.asarray(mask) if not traced(mask) else mask
        if keep.shape != A.out_shape:
            raise ValueError(f"`mask` has shape {keep.shape}; A maps to {A.out_shape}")
        A = mask_of(keep) @ A
    b, flat = data_of(A, b)
    if jnp.iscomplexobj(b):
        raise ValueError("`b` or `A` is complex; Poisson data are counts: give real numbers")
    _, weights = apart(A, b.dtype)
    kept = None if weights is None else weights > 0
    dark = _background(A, background, b.dtype)
    not_negative(b, kept, "b")
    not_negative(dark, kept if dark.ndim else None, "background")
    _look_at_kernels(A)
    if kept is not None:
        b, dark = jnp.where(kept, b, 0), jnp.where(kept, dark, 0)
    return Counted(A, b, dark, weights, flat)


def not_negative(values: jax.Array, kept: jax.Array | None, name: str) -> None:
    """Refuse concrete arrays with negative entries where they count."""
    if traced(values) or traced(kept):
        return
    wrong = np.asarray(values) < 0
    wrong = wrong if kept is None else wrong & np.asarray(kept)
    if wrong.any():
        raise ValueError(
            f"`{name}` is negative in {int(wrong.sum())} of {wrong.size} places, and photons are counted: set them to "
            "zero, or raise `b` and `background` by the same offset, or leave them out with `mask`"
        )


def start_from(A: LinearOperator, x0: Any, dtype: Any) -> jax.Array | None:
    """The first iterate if given: real and not negative."""
    if x0 is None:
        return None
    first = start_of(A, x0, dtype)
    not_negative(first, None, "x0")
    return first


def _background(A: LinearOperator, background: Any, dtype: Any) -> jax.Array:
    finite(background, "background")
    dark = as_inexact(background, "background")
    if jnp.iscomplexobj(dark) or dark.shape not in ((), A.out_shape, (A.shape[0],)):
        raise ValueError(
            f"`background` has shape {dark.shape} and dtype {dark.dtype}; give a real number or one a datum, "
            f"{A.out_shape}"
        )
    return dark.astype(dtype).reshape(A.out_shape if dark.ndim else ())


def _look_at_kernels(A: LinearOperator) -> None:
    """Warn of kernels with negative parts: their images of positive scenes are no expected counts."""
    for part in jax.tree.leaves(A, is_leaf=lambda part: isinstance(part, Convolution)):
        if isinstance(part, Convolution) and not traced(part.kernel):
            kernel = np.asarray(part.kernel)
            below = -np.sum(np.minimum(kernel, 0))
            if below > NEGATIVE * np.sum(np.abs(kernel)):
                warnings.warn(
                    f"the kernel of `A` is negative in places ({below / np.sum(np.abs(kernel)):.1%} of its mass); "
                    "methods for Poisson data take expected counts below zero for zero: use co.psf.prepare, or clip it",
                    UserWarning,
                    stacklevel=4,
                )


def apart(A: LinearOperator, dtype: Any) -> tuple[LinearOperator, jax.Array | None]:
    """Take off the masks and weights that come last in A: what is left, and their product, None standing for ones."""
    if isinstance(A, UnknownBoundary):
        return (A, None) if A.keep is None else (replace(A, keep=None), A.keep.astype(dtype))
    last = A.factors[0] if isinstance(A, Composition) else A
    if not isinstance(last, Mask | Diagonal):
        return A, None
    weights = last.keep.astype(dtype) if isinstance(last, Mask) else jnp.abs(last.values).astype(dtype)
    rest = identity(A.in_shape)
    if isinstance(A, Composition):
        rest, *more = A.factors[1:]
        for factor in more:
            rest = compose(rest, factor)
    rest, inner = apart(rest, dtype)
    return rest, weights if inner is None else weights * inner


def over(data: jax.Array, weights: jax.Array | None) -> jax.Array:
    """Data without their weights, zero where these are."""
    return data if weights is None else jnp.where(weights > 0, data / jnp.where(weights > 0, weights, 1), 0)


def divisor(mean: jax.Array) -> jax.Array:
    """The expected counts, to divide by: where an FFT leaves rounding for zero they are that of the brightest."""
    top = jnp.max(mean)
    floor = jnp.maximum(jnp.finfo(mean.dtype).eps * top, jnp.finfo(mean.dtype).tiny)
    return jnp.maximum(mean, jnp.where(top > 0, floor, 1))


def divergence(b: jax.Array, gap: jax.Array, quotient: jax.Array) -> jax.Array:
    """Kullback-Leibler divergence sum(b log(b / m) - b + m), at least 0.

    With gap = m - b and quotient = b / m - 1: in log1p the large terms that cancel do not appear.
    """
    counts = b > 0
    return jnp.sum(gap + jnp.where(counts, b * jnp.log1p(jnp.where(counts, quotient, 0)), 0))
