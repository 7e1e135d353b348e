"""The weight of any penalty, by solves along a path of weights, each begun where the last one ended."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import as_numbers, traced
from ..operators.base import LinearOperator
from ..operators.sums import inner
from .checks import data_of, scalar
from .probing import RULES, bracket, criterion, vertex, whiteness
from .removed import noise_of_blur
from .seen import seen
from .selection import NEED_NOISE, Selection, lowest
from .solution import Solution

NEED_PROBE = ("gcv", "sure")  # the number of parameters fitted, from the derivative along random signs
FEWEST = 3
REFINEMENTS = 3  # parabolas through the best three

Solver = Callable[[jax.Array, jax.Array, jax.Array | None], Solution]


def weight_path(
    solve: Solver, A: LinearOperator, b: Any, weights: Any, *, rule: str = "whiteness", noise: Any = None
) -> Solution:
    """Choose the weight of any penalty: solve from the largest weight to the least, and take the one that a rule likes.

    With r = b - A x, m data and noise of standard deviation sigma, the rules are ::

        whiteness      sum |F r|^4 / (sum |F r|^2)^2            least
        discrepancy    norm(r)^2 / (m sigma^2)                  nearest to 1
        sure           norm(r)^2 / m - sigma^2 + 2 sigma^2 d/m  least
        gcv            m norm(r)^2 / (m - d)^2                  least

    where d, the divergence of A x in b, is ``<e, dA x/db e>`` for one e of random signs, by forward-mode derivatives
    through the solver. Between the weights the minimum is sought by parabolas in log(weight).

    Parameters
    ----------
    solve : callable
        ``solve(b, weight, x0)`` returns a `Solution` for data of ``A.out_shape``; x0 is None at first, then the last x.
        Where its arrays are arguments, as in the example, nothing is compiled anew from weight to weight.
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite. Those that a mask leaves out do not count.
    weights : array
        At least three positive numbers, in the units of the penalty's weight.
    rule : {"whiteness", "discrepancy", "sure", "gcv"}
    noise : float, optional
        Standard deviation of the noise, for ``discrepancy`` and ``sure``; by default seen at frequencies that the blur
        removes, or `noise_level`.

    Returns
    -------
    Solution
        At the weight chosen, with the ``weight`` and the ``selection``: weights and the rule's values along the path.

    Raises
    ------
    ValueError
        For fewer than three weights, one that is not positive, an unknown rule, and data with NaN or of another shape.

    References
    ----------
    Lanza, Pragliola & Sgallari, ETNA 53 (2020) 329; Morozov, Soviet Math. Dokl. 7 (1966) 414; Ramani, Blu & Unser,
    IEEE Trans. Image Process. 17 (2008) 1540, for the divergence of any solver; Deledalle, Vaiter, Fadili & Peyre,
    SIAM J. Imaging Sci. 7 (2014) 2448, for its derivative.

    Examples
    --------
    >>> import numpy as np, convops as co
    >>> scene = np.repeat([0.0, 1.0, 0.5, 0.8, 0.2], 40)
    >>> A = co.convolution([0.25, 0.5, 0.25], 200, boundary="wrap")
    >>> b = np.asarray(A @ scene) + 0.05 * np.random.default_rng(0).standard_normal(200)
    >>> def solve(b, weight, x0):
    ...     return co.admm(A, b, penalty=co.TotalVariation(weight, boundary="wrap"), x0=x0, rtol=1e-3)
    >>> sol = co.weight_path(solve, A, b, np.geomspace(1e-3, 1, 7), rule="discrepancy", noise=0.05)
    >>> print(bool(0.2 < sol.weight < 0.5), sol.selection.weights.shape)
    True (7,)
    """
    if rule not in RULES:
        raise ValueError(f"`rule` is {rule!r}; accepted are {', '.join(map(repr, RULES))}")
    b, flat = data_of(A, b)
    if any(map(traced, (weights, b, *A._inexact_leaves()))):
        raise ValueError("`A`, `b` or `weights` is traced; the path is run step by step, outside of jax.jit")
    path = _path(weights, b.dtype)
    kept = seen(A)
    keep = jnp.ones(b.shape, bool) if kept is None else kept
    sigma = jnp.zeros((), path.dtype)
    if rule in NEED_NOISE:
        sigma = noise_of_blur(A, b, kept) if noise is None else scalar(noise, "noise", b.dtype)

    def looked(weight: jax.Array, x0: Any) -> tuple[Solution, jax.Array]:
        sol, image, fitted = _probed(solve, A, b, weight, x0, keep, rule in NEED_PROBE)
        count = jnp.sum(keep)
        return sol, criterion(rule, jnp.where(keep, b - image, 0), count - fitted, count, sigma)

    found: list[tuple[jax.Array, jax.Array]] = []  # x and the rule's value, from the largest weight down
    for weight in path[::-1]:
        sol, value = looked(weight, found[-1][0] if found else None)
        found.append((sol.x, value))
    heights = jnp.stack([value for _, value in found[::-1]])
    best, at_edge = lowest(heights)
    x, weight = found[::-1][int(best)][0], path[best]
    if not at_edge:
        u, v = jnp.log(path)[best - 1 : best + 2], heights[best - 1 : best + 2]
        for _ in range(REFINEMENTS):
            tried = vertex(u, v)
            sol, value = looked(jnp.exp(tried), x)
            x = sol.x
            u, v = bracket(u, v, tried, value)
        weight = jnp.exp(u[1])
    sol = solve(b, weight, x)
    white = whiteness(b - A.matvec(sol.x), keep)
    x = sol.x.reshape(-1) if flat else sol.x
    return replace(sol, x=x, weight=weight, selection=Selection(path, heights, at_edge, white))


def _path(weights: Any, dtype: Any) -> jax.Array:
    """The weights, rising."""
    numbers = np.unique(np.asarray(as_numbers(weights, "weights"), np.float64))
    if numbers.size < FEWEST or not (np.isfinite(numbers).all() and numbers[0] > 0):
        raise ValueError(
            f"`weights` is {np.asarray(weights).tolist()}; give at least {FEWEST} different positive numbers"
        )
    return jnp.asarray(numbers, jnp.finfo(dtype).dtype)


def _probed(solve: Solver, A: LinearOperator, b: jax.Array, weight, x0: Any, keep, probe: bool):
    """The solution, A x, and the divergence of A x in b along random signs, 0 where it is not asked for."""
    if not probe:
        sol = solve(b, weight, x0)
        return sol, A.matvec(sol.x), jnp.zeros((), jnp.finfo(b.dtype).dtype)

    def image_of(data: jax.Array) -> tuple[jax.Array, Solution]:
        sol = solve(data, weight, x0)
        return A.matvec(sol.x), sol

    signs = jax.random.rademacher(jax.random.key(0), b.shape, jnp.finfo(b.dtype).dtype) * keep
    image, change, sol = jax.jvp(image_of, (b,), (signs.astype(b.dtype),), has_aux=True)
    return sol, image, inner(signs, change)
