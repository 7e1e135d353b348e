"""Choosing the weight: a function of log(weight) for each rule, and where it is least.

In the coefficients of `spectral`, ``t = weight d / (s^2 + weight d)`` is the part of beta that the residual keeps, m
the number of data, sigma the standard deviation of their noise. Sums run over all coefficients.

- ``gcv``: m sum t^2 |beta|^2 / (sum t)^2 (Golub, Heath, Wahba, Technometrics 21 (1979) 215).
- ``sure``: sum t^2 |beta|^2 - m sigma^2 + 2 sigma^2 sum (1 - t), unbiased for the error of A x (Stein 1981).
- ``reml``: (m - q) log sum t |beta|^2 - sum' log t, q of the d being zero, sum' over the others (Wahba 1985).
- ``whiteness``: sum t^4 |beta|^4 / (sum t^2 |beta|^2)^2 (Lanza et al., ETNA 53 (2020) 329).
- ``lcurve``: minus the curvature of (log norm(A x - b), log norm(L x)) (Hansen, O'Leary, SISC 14 (1993) 1487).
- ``discrepancy``: log(sum t^2 |beta|^2 / (m sigma^2))^2, zero where the residual is as long as the noise (Morozov).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import ratio
from .spectral import Coefficients, residual_factor

NEED_NOISE = ("discrepancy", "sure")
GRID = 64  # weights that are looked at before the best is refined
RANGE = 1e-10, 1e3  # of the weights, relative to max s^2 / max d
BISECTIONS = {4: 24, 8: 48}  # of the last interval, by the bytes of a number
WHITE = 3.0  # whiteness is 2 for noise; above this there is more in the residual

Criterion = Callable[[jax.Array], jax.Array]  # a function of log(weight)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Selection:
    """How a weight was chosen; a pytree.

    Attributes
    ----------
    weights, values : Array
        The weights that were looked at, rising, and the rule's value at each.
    at_edge : Array of bool
        Whether the rule has no minimum inside that range (the discrepancy: no root); the best end was taken.
    whiteness : Array
        W of the residual by what t alone (without a closed form: a random probe) would make it: 2 on average where the
        data's part in the residual is white noise, more where structure is left in it.
    """

    weights: jax.Array
    values: jax.Array
    at_edge: jax.Array
    whiteness: jax.Array

    @property
    def warnings(self) -> list[str]:
        """What to be wary of, in words (of concrete results)."""
        found = []
        if np.any(np.asarray(self.at_edge)):
            found.append("the rule has no minimum within the weights looked at, and the best end was taken")
        if np.any(np.asarray(self.whiteness) > WHITE):
            found.append("the residual is not white: the kernel, the boundary or the weight does not fit the data")
        return found


@partial(jax.jit, static_argnames=("rule", "iterations"))
def choose(problem: Coefficients, rule: str, noise: jax.Array, iterations: int = 1) -> tuple[jax.Array, Selection]:
    """Return the weight and how it was chosen; the weight has derivatives, by the implicit function theorem."""
    span = jnp.max(problem.square) / jnp.max(problem.rough)
    span = jnp.where(jnp.isfinite(span) & (span > 0), span, 1)
    grid = jnp.log(jax.lax.stop_gradient(span)) + jnp.linspace(
        np.log(RANGE[0]), np.log(RANGE[1]), GRID, dtype=span.dtype
    )
    criterion = partial(CRITERIA[rule], problem, noise, iterations)
    u, values, at_edge = minimised(criterion, grid)
    weight = jnp.exp(u)
    white = relative_whiteness(problem, residual_factor(problem, weight, iterations))
    return weight, Selection(jnp.exp(grid), values, at_edge, white)


def minimised(criterion: Criterion, grid: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The `lowest` minimum on a grid, refined; the values on the grid; whether there was none inside."""
    values = jax.lax.stop_gradient(jax.lax.map(criterion, grid))
    best, at_edge = lowest(values)

    def slope(u: jax.Array) -> jax.Array:
        return jax.jvp(criterion, (u,), (jnp.ones_like(u),))[1]

    low, high = grid[jnp.maximum(best - 1, 0)], grid[jnp.minimum(best + 1, len(grid) - 1)]

    def stationary(u: jax.Array) -> jax.Array:
        return jnp.where(at_edge, u - grid[best], slope(u))

    def halved(f: Criterion, start: jax.Array) -> jax.Array:
        del start

        def step(_: int, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            middle = (ends[0] + ends[1]) / 2
            down = f(middle) < 0
            return jnp.where(down, middle, ends[0]), jnp.where(down, ends[1], middle)

        ends = jax.lax.fori_loop(0, BISECTIONS[grid.dtype.itemsize], step, (low, high))
        return (ends[0] + ends[1]) / 2

    u = jax.lax.custom_root(stationary, grid[best], halved, lambda g, y: ratio(y, g(jnp.ones_like(y))))
    return jnp.where(at_edge, grid[best], u), values, at_edge


def lowest(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Where the least of the minima inside a grid is, or the best end where there is none; and whether there is none.

    A minimum at an end is none: there, where hardly a coefficient is (or all are) left in the residual, the criteria
    are ratios of next to nothing.
    """
    finite = jnp.where(jnp.isfinite(values), values, jnp.inf)
    inside = (finite[1:-1] <= finite[:-2]) & (finite[1:-1] <= finite[2:])
    dips = jnp.pad(inside, 1) & jnp.isfinite(values)
    at_edge = ~jnp.any(dips)
    return jnp.argmin(jnp.where(dips | at_edge, finite, jnp.inf)), at_edge


def data_size(problem: Coefficients) -> jax.Array:
    """The number m of data."""
    return jnp.sum(problem.count * jnp.ones_like(problem.power)) + problem.beyond


def energy(problem: Coefficients, t: jax.Array) -> jax.Array:
    """norm(A x - b)^2."""
    return jnp.sum(problem.count * t**2 * problem.power) + problem.outside


def whiteness_of(problem: Coefficients, t: jax.Array) -> jax.Array:
    """The residual's sum of fourth powers by the square of its sum of squares; t is scaled to keep its powers apart."""
    left = problem.power * ratio(t, jnp.max(t)) ** 2
    return ratio(jnp.sum(problem.count * left**2), jnp.sum(problem.count * left) ** 2)


def relative_whiteness(problem: Coefficients, t: jax.Array) -> jax.Array:
    """The same by what t alone would make it: 2 on average where the data's part in the residual is white noise."""
    expected = whiteness_of(problem._replace(power=jnp.ones_like(problem.power)), t) * (1 if problem.complex else 1.5)
    return ratio(whiteness_of(problem, t), expected)


def _gcv(problem: Coefficients, noise: jax.Array, iterations: int, u: jax.Array) -> jax.Array:
    del noise
    t = residual_factor(problem, jnp.exp(u), iterations)
    left = jnp.sum(problem.count * t) + problem.beyond
    return jnp.log(energy(problem, t)) - 2 * jnp.log(left / data_size(problem))


def _sure(problem: Coefficients, noise: jax.Array, iterations: int, u: jax.Array) -> jax.Array:
    t = residual_factor(problem, jnp.exp(u), iterations)
    fitted = jnp.sum(problem.count * (1 - t))
    return energy(problem, t) / data_size(problem) + noise**2 * (2 * fitted / data_size(problem) - 1)


def _reml(problem: Coefficients, noise: jax.Array, iterations: int, u: jax.Array) -> jax.Array:
    del noise, iterations
    t = residual_factor(problem, jnp.exp(u))
    proper = t > 0
    logs = jnp.where(proper, jnp.log(jnp.where(proper, t, 1)), 0)
    number = jnp.sum(problem.count * proper) + problem.beyond
    rest = jnp.sum(problem.count * t * problem.power) + problem.outside
    return jnp.log(rest) - jnp.sum(problem.count * logs) / number


def _whiteness(problem: Coefficients, noise: jax.Array, iterations: int, u: jax.Array) -> jax.Array:
    del noise
    return jnp.log(whiteness_of(problem, residual_factor(problem, jnp.exp(u), iterations)))


def _lcurve(problem: Coefficients, noise: jax.Array, iterations: int, u: jax.Array) -> jax.Array:
    del noise

    def corner(u: jax.Array) -> jax.Array:
        t = residual_factor(problem, jnp.exp(u), iterations)
        seen = problem.square > 0
        size = jnp.where(seen, (1 - t) ** 2 * problem.power / jnp.where(seen, problem.square, 1), 0)
        rough = jnp.sum(problem.count * problem.rough * size)
        return jnp.stack([jnp.log(energy(problem, t)), jnp.log(rough)]) / 2

    first = jax.jacfwd(corner)
    x, y = first(u)
    xx, yy = jax.jacfwd(first)(u)
    return ratio(xx * y - x * yy, (x**2 + y**2) ** 1.5)


def _discrepancy(problem: Coefficients, noise: jax.Array, iterations: int, u: jax.Array) -> jax.Array:
    t = residual_factor(problem, jnp.exp(u), iterations)
    apart = jnp.log(energy(problem, t) / (data_size(problem) * noise**2))
    return apart**2


CRITERIA: dict[str, Any] = {
    "gcv": _gcv,
    "discrepancy": _discrepancy,
    "whiteness": _whiteness,
    "sure": _sure,
    "reml": _reml,
    "lcurve": _lcurve,
}
