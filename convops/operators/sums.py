"""Sums of products, side by side: added up one after the other, each would wait for the one before it."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

STRANDS = 8  # sums side by side: what one instruction of a CPU adds
FEW = 2048  # up to so many numbers are added as they come


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """The inner product sum(conj(a) b)."""
    return total(jnp.conj(a) * b)


def inner(a: jax.Array, b: jax.Array) -> jax.Array:
    """Real part of the inner product."""
    return total(jnp.real(jnp.conj(a) * b))


def square(a: jax.Array) -> jax.Array:
    """The squared norm sum(|a|^2)."""
    return inner(a, a)


def root(square: jax.Array) -> jax.Array:
    """The square root, with a finite derivative at zero."""
    return jnp.where(square == 0, 0, jnp.sqrt(jnp.where(square == 0, 1, square)))


def length(a: jax.Array) -> jax.Array:
    """The 2-norm, with a finite gradient at zero."""
    return root(square(a))


def pairwise(parts: list[jax.Array]) -> jax.Array:
    """Sum in a tree: a chain of additions would wait for each one, and round more."""
    while len(parts) > 1:
        pairs = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[len(parts) - len(parts) % 2 :]
    return parts[0]


@jax.custom_jvp
def total(values: jax.Array) -> jax.Array:
    """The sum of all entries, of what costs no more than a product: XLA computes it along with the sum."""
    if values.size <= FEW or jax.default_backend() != "cpu":
        return jnp.sum(values)
    axis = int(np.argmax(values.shape))
    whole = values.shape[axis] // STRANDS * STRANDS
    parts = jnp.split(lax.slice_in_dim(values, 0, whole, axis=axis), STRANDS, axis)
    return jnp.sum(pairwise(parts)) + jnp.sum(lax.slice_in_dim(values, whole, None, axis=axis))


@total.defjvp
def _total_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """The transpose of a plain sum repeats a number; that of strands would put them together again."""
    return total(*primals), jnp.sum(*tangents)
