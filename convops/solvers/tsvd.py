"""The truncated singular value decomposition: small singular values are left out."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..operators.arrays import positive_ratio, ratio
from ..operators.base import LinearOperator
from ..operators.elementary import identity
from . import spectral
from .checks import data_of, dtype_of, scalar
from .removed import noise_of
from .selection import Selection, data_size, relative_whiteness
from .solution import Solution
from .units import proportional

RULES = "gcv", "discrepancy"
LEFT = 8  # data that the residual keeps at least, for GCV: of fewer their mean square says nothing


@proportional()
def tsvd(A: LinearOperator, b: Any, *, threshold: Any = "gcv", noise: Any = None) -> Solution:
    """Solve A x = b by the truncated singular value decomposition: ``x = sum of v_i u_i^H b / s_i over s_i >= t``.

    The singular values come from the transform that diagonalises A: the FFT for periodic boundaries, the DCT-II for
    ``symmetric`` and concrete symmetric kernels, the SVDs of the factors for Kronecker products (a concrete separable
    kernel, any boundary).

    Parameters
    ----------
    A : LinearOperator
        A `vstack` for several observations of one scene.
    b : array
        Data of ``A.out_shape``, or flat; finite.
    threshold : float or {"gcv", "discrepancy"}
        The least singular value t that is kept. ``gcv``: the one with the least ``m norm(A x - b)^2 / (m - k)^2``, of m
        data and k values kept; ``discrepancy``: the largest with ``norm(A x - b)^2 <= m noise^2``.
    noise : float, optional
        Standard deviation of the noise, for ``discrepancy``; by default seen where the blur removes the scene, or
        `noise_level`.

    Returns
    -------
    Solution
        ``weight`` is the threshold and ``selection`` tells how it was chosen. Differentiable in the data and the
        kernel, the threshold being a constant.

    Raises
    ------
    ValueError
        For data with NaN or of the wrong shape, a negative threshold, an unknown rule, or where no such decomposition
        of A is known.

    References
    ----------
    Hansen, Nagy & O'Leary, Deblurring Images (SIAM 2006), chapters 5 and 6.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 6, boundary="symmetric")
    >>> b = A @ [0.0, 0.0, 4.0, 4.0, 0.0, 0.0]
    >>> print(co.tsvd(A, b, threshold=1e-3).x.round(1) + 0.0)
    [0. 0. 4. 4. 0. 0.]
    """
    b, flat = data_of(A, b)
    rule = threshold if isinstance(threshold, str) else None
    if rule is not None and rule not in RULES:
        raise ValueError(f"`threshold` is {rule!r}; give a number or {', '.join(map(repr, RULES))}")
    least = scalar(0.0 if rule else threshold, "threshold", b.dtype)
    L = identity(A.in_shape)
    basis = spectral.shared(A, L, dtype_of(A, L, b))
    if basis is None:
        raise ValueError(
            f"`A` is {A!r}, of which no singular value decomposition is known: give a boundary 'wrap', or 'symmetric' "
            "with a concrete symmetric kernel, or a concrete separable kernel; or use lsqr"
        )
    level = noise_of(noise, A, b, basis, None, f"`threshold` is {rule!r}", needed=rule == "discrepancy")
    problem, chosen = spectral.coefficients(A, L, b, basis), None
    if rule is not None:
        least, chosen = _chosen(jax.lax.stop_gradient(problem), rule, level)
    x = _solved(problem, least, basis)
    return replace(spectral.told(A, b, x, flat), weight=least, selection=chosen)


def _kept(problem: spectral.Coefficients, least: jax.Array) -> jax.Array:
    rounding = 1 + 4 * jnp.finfo(problem.square.dtype).eps
    return (problem.square > 0) & (problem.square * rounding >= least**2)


@jax.jit
def _solved(problem: spectral.Coefficients, least: jax.Array, basis: Any) -> jax.Array:
    return basis.backward(jnp.where(_kept(problem, least), problem.rhs, 0) * positive_ratio(1, problem.square))


@partial(jax.jit, static_argnames="rule")
def _chosen(problem: spectral.Coefficients, rule: str, noise: jax.Array) -> tuple[jax.Array, Selection]:
    """The threshold, from sums over the coefficients in the order of their singular values."""
    m = data_size(problem)
    parts = jnp.broadcast_arrays(problem.square, problem.count, problem.power)
    order = jnp.argsort(parts[0].ravel())
    square, count, power = (part.ravel()[order] for part in parts)
    below = _sums(count * power) + problem.outside  # the residual where this value is the least that is kept
    left = _sums(count) + problem.beyond
    first = square > jnp.concatenate([jnp.zeros(1, square.dtype), square[:-1]])  # of equal ones, and not zero
    if rule == "gcv":
        values = jnp.log(m * below / jnp.maximum(left, 1) ** 2)
        allowed = first & (left >= jnp.minimum(LEFT, m / 2))
        best = jnp.argmin(jnp.where(allowed, values, jnp.inf))
    else:
        values = jnp.log(ratio(below, m * noise**2)) ** 2
        allowed = first & (below <= m * noise**2)
        best = square.size - 1 - jnp.argmax(allowed[::-1])
    best = jnp.where(jnp.any(allowed), best, jnp.argmax(first))
    least = jnp.sqrt(square[best])
    t = jnp.where(_kept(problem, least), 0, 1).astype(square.dtype)
    return least, Selection(jnp.sqrt(square), values, ~jnp.any(allowed), relative_whiteness(problem, t))


def _sums(x: jax.Array) -> jax.Array:
    """Of what comes before each entry."""
    return jnp.pad(jnp.cumsum(x)[:-1], (1, 0))
