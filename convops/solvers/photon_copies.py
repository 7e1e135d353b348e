"""What splitting methods for Poisson data share: the likelihood's prox, and x from all its linear images."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.blocks import vstack
from ..operators.elementary import identity
from ..operators.sums import length
from ..operators.unknown_boundary import UnknownBoundary
from .counted import Counted, apart, divergence, divisor, over
from .krylov import System
from .normal import by_cg
from .spectral import Transform, coefficients, shared

CLOSER = 1e-2  # what conjugate gradients leave of the residual: they go on from the last x
TURNS = 30  # of conjugate gradients, at most


class Bare(NamedTuple):
    """The data of an operator without the mask, crop or weights that came last: zero weight where nothing is known."""

    B: LinearOperator
    y: jax.Array
    background: jax.Array
    weights: jax.Array | None

    def prox(self, v: jax.Array, penalty: jax.Array) -> jax.Array:
        """argmin_u w (u - y log(u + background)) + penalty/2 (u - v)^2, the root of a quadratic equation.

        With t = u + background: t^2 - (v + background - w / penalty) t - w y / penalty = 0, t >= 0.
        """
        share = 1 / penalty if self.weights is None else self.weights / penalty
        shifted = v + self.background
        middle = (shifted - share) / 2
        under = middle**2 + share * self.y
        root = jnp.where(under > 0, jnp.sqrt(jnp.where(under > 0, under, 1)), 0)
        # of the two terms of the sum one may cancel the other: then the other form of the root
        small = root - middle
        safe = jnp.where(small > 0, small, 1)
        t = jnp.where(middle > 0, middle + root, jnp.where(small > 0, share * self.y / safe, 0))
        t = t if self.weights is None else jnp.where(self.weights > 0, t, shifted)
        return t - self.background

    def misfit(self, image: jax.Array) -> tuple[jax.Array, jax.Array]:
        """KL and the residual norm (weighted both) of an image A x before the background is added."""
        mean = jnp.maximum(image + self.background, 0)
        gap = mean - self.y
        gap = gap if self.weights is None else jnp.where(self.weights > 0, gap, 0) * self.weights
        y = self.y if self.weights is None else self.y * self.weights
        mean = mean if self.weights is None else mean * self.weights
        return divergence(y, gap, -gap / divisor(mean)), length(gap)


def bare(model: Counted) -> Bare:
    """Take off what comes last in A and acts datum by datum, so that a periodic blur is seen to be one."""
    B, weights = apart(model.A, model.b.dtype)
    if weights is None and not isinstance(B, UnknownBoundary):
        return Bare(B, model.b, model.background, None)
    weights = jnp.ones_like(model.b) if weights is None else weights
    parts = over(model.b, weights), over(model.background, weights), weights
    return Bare(B.blur, *map(B.padded, parts)) if isinstance(B, UnknownBoundary) else Bare(B, *parts)


class Solver(NamedTuple):
    """Solves (B^H B + scale (sum K^H K + 1)) x = rhs: in a transform's basis where there is one, else by CG."""

    filter: Callable[[jax.Array], jax.Array] | None
    B: LinearOperator
    others: tuple[LinearOperator, ...]
    scale: jax.Array

    def __call__(self, rhs: jax.Array, x: jax.Array) -> jax.Array:
        """The solution; `x` is near it."""
        if self.filter is not None:
            return self.filter(rhs)
        matvec = jax.tree_util.Partial(normal, self.B, self.others, self.scale)
        correction = rhs - matvec(x)
        atol = 4 * jnp.finfo(rhs.dtype).eps * length(rhs)
        system = System(matvec, correction, atol)
        return x + by_cg(system, jnp.asarray(CLOSER, rhs.dtype), atol, TURNS)[0]


def normal(B: LinearOperator, others: tuple[LinearOperator, ...], scale: jax.Array, x: jax.Array) -> jax.Array:
    """(B^H B + scale (sum K^H K + 1)) x."""
    rest = x
    for K in others:
        rest = rest + K._rmatvec(K._matvec(x))
    return B._rmatvec(B._matvec(x)) + scale * rest


def solver(B: LinearOperator, others: tuple[LinearOperator, ...], scale: jax.Array, dtype: Any) -> Solver:
    """Find out what diagonalises the system; eager, because the DCT is found by looking at the kernel."""
    stack = vstack([*others, identity(B.in_shape)])
    basis = shared(B, stack, dtype) if B.in_shape == B.out_shape else None
    if not isinstance(basis, Transform):
        return Solver(None, B, others, scale)
    found = coefficients(B, stack, jnp.zeros(B.out_shape, dtype), basis)
    return Solver(basis.filter(1 / (found.square + scale * found.rough).astype(dtype)), B, others, scale)
