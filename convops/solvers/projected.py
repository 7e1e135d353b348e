"""The small problem of a hybrid method, min norm(M y - beta e1)^2 + weight norm(y)^2, and the weight that suits it.

M, of k + 1 rows and k columns in an array with room for more, has the singular value decomposition P S Q^H; c stands
for the coefficients P^H (beta e1) and a for the weight, so that y = Q [s c / (s^2 + a)]. What is left in the residual
whatever the weight are the coefficients from k on.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..operators.arrays import positive_ratio

POINTS, ROUNDS = 48, 4  # of the search in log weight: a grid, then a grid between the best point's neighbours, ...
SIZES = 32, 128, 512  # in which the singular values are computed: the least that has room for k columns


class Projected(NamedTuple):
    """The decomposition of k columns, padded with zeros."""

    s: jax.Array
    c: jax.Array
    Q: jax.Array
    k: jax.Array

    def solved(self, weight: jax.Array) -> jax.Array:
        """Q [s c / (s^2 + a)]."""
        return jnp.matmul(self.Q, positive_ratio(self.s * self.c[:-1], self.s**2 + weight), precision="highest")

    def residual(self, weight: jax.Array) -> jax.Array:
        """norm(beta e1 - M y)^2."""
        left = positive_ratio(weight, self.s**2 + weight)
        left = jnp.where(self.s > 0, left, 1) * self.c[:-1]
        return jnp.sum(jnp.abs(left) ** 2) + jnp.abs(self.c[-1]) ** 2

    def passed(self, weight: jax.Array) -> jax.Array:
        """How many of the k coefficients y fits: sum s^2 / (s^2 + a)."""
        return jnp.sum(positive_ratio(self.s**2, self.s**2 + weight))


def decomposed(M: jax.Array, beta: jax.Array, k: jax.Array) -> Projected:
    """Decompose the first k columns of M, the rest of which is zero."""
    most = M.shape[1]
    sizes = sorted({min(n, most) for n in (*SIZES, most)})

    def of(n: int) -> Callable[[jax.Array], tuple[jax.Array, ...]]:
        def svd(M: jax.Array) -> tuple[jax.Array, ...]:
            P, s, Qh = jnp.linalg.svd(M[: n + 1, :n], full_matrices=True)
            more = most - n
            Q = jnp.pad(jnp.conj(Qh.T), ((0, more), (0, more)))
            return jnp.pad(s, (0, more)), jnp.pad(jnp.conj(P[0]), (0, more)), Q

        return svd

    which = jnp.searchsorted(jnp.array(sizes), k)
    s, first, Q = jax.lax.switch(jnp.clip(which, 0, len(sizes) - 1), [of(n) for n in sizes], M)
    return Projected(jnp.where(jnp.arange(most) < k, s, 0), beta * first, Q, k)


def weighted_gcv(small: Projected, omega: jax.Array) -> jax.Array:
    """The weight of least GCV, a filter factor counting omega (1: GCV itself)."""

    def criterion(u: jax.Array) -> jax.Array:
        weight = jnp.exp(u)
        return small.residual(weight) / (small.k + 1 - omega * small.passed(weight)) ** 2

    low, high = _range(small)
    for _ in range(ROUNDS):
        points = jnp.linspace(low, high, POINTS)
        best = jnp.argmin(jax.vmap(criterion)(points))
        low, high = points[jnp.maximum(best - 1, 0)], points[jnp.minimum(best + 1, POINTS - 1)]
    return jnp.exp(points[best])


def omega_for(small: Projected) -> jax.Array:
    """The omega for which GCV has a stationary point at a = s_k^2, the square of the smallest singular value.

    With N(a) the residual's square and D = k + 1 - omega p, p = sum s^2 / (s^2 + a), that is N' D = 2 N D'.
    """
    a = small.s[small.k - 1] ** 2
    N, slope = jax.jvp(small.residual, (a,), (jnp.ones_like(a),))
    p, fall = jax.jvp(small.passed, (a,), (jnp.ones_like(a),))
    below = p * slope - 2 * N * fall
    return jnp.clip(positive_ratio((small.k + 1) * slope, below, otherwise=1), 0, 1)


def discrepancy(small: Projected, residual: Callable[[jax.Array], jax.Array], target: jax.Array) -> jax.Array:
    """The weight at which the residual is as long as the target; nearly none where it cannot be as short."""
    low, high = _range(small)
    high = high + jnp.log(jnp.asarray(1e6, high.dtype))
    for _ in range(ROUNDS):
        points = jnp.linspace(low, high, POINTS)
        below = jnp.maximum(jnp.sum(jax.vmap(residual)(jnp.exp(points)) <= target) - 1, 0)
        low, high = points[below], points[jnp.minimum(below + 1, POINTS - 1)]
    return jnp.exp(low)


def _range(small: Projected) -> tuple[jax.Array, jax.Array]:
    most = 2 * jnp.log(jnp.maximum(small.s[0], jnp.finfo(small.s.dtype).tiny ** 0.25))
    return most + 2 * jnp.log(jnp.finfo(small.s.dtype).eps), most
