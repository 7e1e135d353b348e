"""Choosing the weight where no transform diagonalises the problem: by solves at a few weights, and a random probe.

With R b the solution for data b, the number of coefficients left to the residual is tr(I - A R), estimated as
m - <e, A R e> for one e of random signs, the same for every weight (Hutchinson 1989; Girard 1989). Data that a mask
leaves out count neither in m nor in e.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import ratio
from ..operators.base import LinearOperator
from ..operators.spectral import gram_symbol
from ..operators.sums import inner, length
from . import normal
from .checks import dtype_of
from .seen import seen
from .selection import Selection, lowest

RULES = ("gcv", "discrepancy", "sure", "whiteness")
RANGE = 1e-7, 1e1  # of the weights, relative to norm(A)^2 / norm(L)^2
GRID = 17
REFINEMENTS = 3  # parabolas through the best three
RTOL, MAX_STEPS = 1e-5, 300  # of the solves, relative to A^H b; at 1e-3 the minimum moves to weights 20 times too large


def choose(
    A: LinearOperator, L: LinearOperator, b: jax.Array, rule: str, noise: jax.Array
) -> tuple[jax.Array, jax.Array, Selection]:
    """Return the weight, the solution at it (to a few digits), and how it was chosen. The weight is a constant."""
    if rule not in RULES:
        raise ValueError(
            f"`weight` is {rule!r}, which needs a transform that diagonalises A and L, and none is known for {A!r} and "
            f"L = {L!r}: give a number or {', '.join(map(repr, RULES))}"
        )
    return _chosen(A, L, jax.lax.stop_gradient(b), rule, jax.lax.stop_gradient(noise))


@partial(jax.jit, static_argnames="rule")
def _chosen(A: Any, L: Any, b: jax.Array, rule: str, noise: jax.Array) -> tuple[jax.Array, jax.Array, Selection]:
    A, L = jax.lax.stop_gradient((A, L))
    keep = seen(A)
    keep = jnp.ones(b.shape, bool) if keep is None else keep
    signs = jax.random.rademacher(jax.random.key(0), b.shape, jnp.finfo(b.dtype).dtype) * keep
    real = jnp.finfo(b.dtype).dtype
    scale = (A.norm() / _size(L)) ** 2
    scale = jnp.where(jnp.isfinite(scale) & (scale > 0), scale, 1)
    grid = jnp.log(scale.astype(real)) + jnp.linspace(np.log(RANGE[1]), np.log(RANGE[0]), GRID, dtype=real)
    start = jnp.zeros((2, *A.in_shape), dtype_of(A, L, b))

    def at(u: jax.Array, last: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The criterion at a weight, and the two solutions, begun at those of another weight."""
        both = [_solved(A, L, data, jnp.exp(u), x) for data, x in zip((b, signs), last, strict=True)]
        rest = b - A._matvec(both[0])
        left = jnp.sum(keep) - inner(signs, A._matvec(both[1]))
        return criterion(rule, rest, left, jnp.sum(keep), noise), jnp.stack(both)

    def along(last: jax.Array, u: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        value, both = at(u, last)
        return both, (value, u)

    both, (values, _) = jax.lax.scan(along, start, grid)
    u, values_seen, weights_seen, at_edge = _least(at, grid, values, both)
    value, both = at(u, both)
    del value
    alike = whiteness(signs - A._matvec(both[1]), keep)  # of a residual that is the same filter of white noise
    white = 2 * ratio(whiteness(b - A._matvec(both[0]), keep), alike)
    order = jnp.argsort(weights_seen)
    chosen = Selection(jnp.exp(weights_seen[order]), values_seen[order], at_edge, white)
    return jnp.exp(u), both[0], chosen


def _least(at: Any, grid: jax.Array, values: jax.Array, both: jax.Array) -> tuple[jax.Array, ...]:
    """The lowest minimum inside the grid, by parabolas through it and its neighbours."""
    best, at_edge = lowest(values)
    around = jnp.clip(best + jnp.arange(-1, 2), 0, len(grid) - 1)
    values = jnp.where(jnp.isfinite(values), values, jnp.inf)
    points, heights = grid[around], values[around]
    seen_u, seen_v = grid, values
    for _ in range(REFINEMENTS):
        u = jnp.where(at_edge, points[1], vertex(points, heights))
        value, both = at(u, both)
        value = jnp.where(jnp.isfinite(value), value, jnp.inf)
        seen_u, seen_v = jnp.append(seen_u, u), jnp.append(seen_v, value)
        points, heights = bracket(points, heights, u, value)
    return points[1], seen_v, seen_u, at_edge


def vertex(u: jax.Array, v: jax.Array) -> jax.Array:
    """Where the parabola through three points is least; inside, and not on the middle one."""
    left, right = u[1] - u[0], u[1] - u[2]
    p, q = left * (v[1] - v[2]), right * (v[1] - v[0])
    below = 2 * (p - q)
    step = ratio(left * p - right * q, below)
    step = jnp.where((below == 0) | ~jnp.isfinite(step), 0, step)
    found = u[1] - step
    near = jnp.abs(found - u[1]) < 1e-2 * jnp.abs(u[2] - u[0])
    wider = jnp.where(jnp.abs(u[2] - u[1]) > jnp.abs(u[0] - u[1]), u[2], u[0])
    return jnp.where(near, u[1] + 0.1 * (wider - u[1]), found)


def bracket(u: jax.Array, v: jax.Array, new: jax.Array, value: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Three points with the lowest in the middle, out of three and a new one between the outer two."""
    u, v = jnp.append(u, new), jnp.append(v, value)
    order = jnp.argsort(u)
    u, v = u[order], v[order]
    middle = jnp.clip(jnp.argmin(v), 1, 2)
    return jax.lax.dynamic_slice(u, (middle - 1,), (3,)), jax.lax.dynamic_slice(v, (middle - 1,), (3,))


def _solved(A: Any, L: Any, b: jax.Array, weight: jax.Array, first: jax.Array) -> jax.Array:
    b = b.astype(first.dtype)
    threshold = RTOL * length(A._rmatvec(b))
    return normal.implicit(A, L, b, weight, first, jnp.zeros_like(threshold), threshold, MAX_STEPS)[0]


def criterion(rule: str, rest: jax.Array, left: jax.Array, m: jax.Array, noise: jax.Array) -> jax.Array:
    """A rule's value, of b - A x, the number of coefficients left to it, and the number of data."""
    square = inner(rest, rest)
    if rule == "gcv":
        return jnp.log(square / m) - 2 * jnp.log(left / m)
    if rule == "sure":
        return square / m + noise**2 * (1 - 2 * left / m)
    if rule == "discrepancy":
        return jnp.log(square / (m * noise**2)) ** 2
    return jnp.log(whiteness(rest, jnp.ones_like(rest, bool)))


def whiteness(rest: jax.Array, keep: jax.Array) -> jax.Array:
    """W times the number of data, of a residual: 2 on average where it is white noise."""
    power = jnp.abs(jnp.fft.fftn(jnp.where(keep, rest, 0))) ** 2
    return rest.size * jnp.sum(power**2) / jnp.maximum(jnp.sum(power) ** 2, jnp.finfo(power.dtype).tiny)


def _size(L: LinearOperator) -> jax.Array:
    rough = gram_symbol(L)
    return L._norm() if rough is None else jnp.sqrt(jnp.max(jnp.real(rough.values)))
