"""The evidence of a weight: the density of the data with the scene integrated out."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.base import LinearOperator
from . import spectral
from .checks import data_of, dtype_of, scalar, start_of
from .roughness import roughness


def log_evidence(
    A: LinearOperator,
    b: Any,
    *,
    L: LinearOperator | str | None = None,
    weight: Any,
    noise: Any = None,
    mean: Any = None,
) -> jax.Array:
    """Return log p(b | weight, noise), x integrated out, where a transform diagonalises A and L.

    For the model of `posterior_samples` the data are N(A mean, noise^2 (I + A (L^H L)^-1 A^H / weight)). In the
    coefficients beta of b - A mean, with t = weight d / (s^2 + weight d) as in the rules for the weight::

        -1/2 [(m - q) log(2 pi noise^2) - sum' log t + sum' t |beta|^2 / noise^2]

    The prior is flat along the q directions that L does not see; where A sees them they are left out of b (the sums
    with a dash): the restricted likelihood (Patterson & Thompson, Biometrika 58 (1971) 545). Its greatest value over
    weight and noise is at the weight of the rule ``reml``. For complex data the noise is circular, and the density is
    -[(m - q) log(pi noise^2) - ...], without the half.

    Parameters
    ----------
    A, b, L, mean
        As in `tikhonov`; the identity is the default L.
    weight : float
    noise : float, optional
        Standard deviation of the noise; by default the one that makes the evidence greatest,
        noise^2 = sum' t |beta|^2 / (m - q).

    Returns
    -------
    Array
        A scalar, differentiable with respect to data, kernel, weight and noise. Comparable between weights, noises
        and kernels, for the same data and the same null space of L.

    Raises
    ------
    ValueError
        Where no transform is known to diagonalise A and L (the DCT-II and the SVDs take concrete kernels).

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 6, boundary="wrap")
    >>> b = A @ [0.0, 0.0, 4.0, 4.0, 0.0, 0.0]
    >>> for weight in (1e-4, 1e-2, 1.0):
    ...     print(f"{weight:g}: {co.log_evidence(A, b, L='gradient', weight=weight, noise=0.1):.0f}")
    0.0001: -7
    0.01: -12
    1: -298
    """
    b, _ = data_of(A, b)
    L = roughness(A, L)
    weight = scalar(weight, "weight", b.dtype)
    data = b if mean is None else b - A.matvec(start_of(A, mean, b.dtype, "mean"))
    dtype = dtype_of(A, L, b)
    basis = spectral.shared(A, L, dtype)
    if basis is None:
        raise ValueError(
            f"`A` is {A!r}, and no transform is known to diagonalise it and L = {L!r} (the DCT-II and the SVDs take "
            "concrete kernels): there is no closed form of the evidence; choose the weight by a rule of tikhonov"
        )
    problem = spectral.coefficients(A, L, data, basis)
    noise = None if noise is None else scalar(noise, "noise", b.dtype)
    return _density(problem, weight, noise, circular=jnp.issubdtype(dtype, jnp.complexfloating))


@partial(jax.jit, static_argnames="circular")
def _density(problem: spectral.Coefficients, weight: jax.Array, noise: Any, circular: bool) -> jax.Array:
    t = spectral.residual_factor(problem, weight)
    proper = (problem.rough > 0) | (problem.square == 0)
    t = jnp.where(proper, t, 0)
    logs = jnp.sum(jnp.where(proper, problem.count * jnp.log(jnp.where(proper, t, 1)), 0))
    number = jnp.sum(problem.count * proper * jnp.ones_like(t)) + problem.beyond
    misfit = jnp.sum(problem.count * t * problem.power) + problem.outside
    variance = misfit / number if noise is None else noise**2
    if circular:
        return logs - number * jnp.log(np.pi * variance) - misfit / variance
    return (logs - number * jnp.log(2 * np.pi * variance) - misfit / variance) / 2
