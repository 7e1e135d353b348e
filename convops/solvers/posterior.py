"""What the data leave uncertain: draws from the Gaussian posterior of a Tikhonov problem, and its pixel variances."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.window import positive
from .checks import data_of, dtype_of, scalar, steps_of, tolerance
from .perturbing import draws, mean_square, precision_of, typed
from .pixels import pixel_variance
from .removed import noise_of
from .roughness import roughness
from .seen import seen
from .tikhonov import tikhonov


def posterior_samples(
    A: LinearOperator,
    b: Any,
    key: Any,
    count: int,
    *,
    L: LinearOperator | str | None = None,
    weight: Any = None,
    noise: Any = None,
    mean: Any = None,
    rtol: Any = None,
    max_steps: int = 2000,
) -> jax.Array:
    """Draw from the posterior N(xhat, noise^2 (A^H A + weight L^H L)^-1), xhat being the solution of `tikhonov`.

    That is what b = A x + n tells of x, with white noise n of variance noise^2 and the prior
    N(mean, noise^2 / weight (L^H L)^-1), flat along what L does not see. The draws are exact, by perturbing and then
    optimising: ``x = xhat + noise (A^H A + weight L^H L)^-1 (A^H n1 + sqrt(weight) L^H n2)``, n1 and n2 white of
    variance 1 (Papandreou & Yuille, NIPS 23 (2010); Bardsley, Solonen, Haario & Laine, SIAM J. Sci. Comput. 36 (2014)
    A1895). Solved in closed form where `tikhonov` has one, else by conjugate gradients. A draw is differentiable with
    respect to data, kernel, weight and noise, the key held fixed.

    Parameters
    ----------
    A : LinearOperator
        With an `unknown_boundary`, data at zeros of the mask say nothing; where the mask holds reciprocal standard
        deviations the data multiplied by it have `noise` 1.
    b : array
        Data of ``A.out_shape``, or flat; finite.
    key : jax.random.key
        Draw i depends on the key and i alone.
    count : int
    L, weight, mean
        As in `tikhonov`: `weight` is a number or a rule, the gradient and ``gcv`` where neither `L` nor `weight` is
        given. The weight a rule chooses is taken as it is: its own uncertainty is left out.
    noise : float, optional
        Standard deviation of the noise; by default seen where the blur removes the scene, or `noise_level`. Where
        the data, A or L are complex the noise is circular, noise^2 being the mean of |n|^2.
    rtol : float, optional
        Of the conjugate gradients for each draw, 1e-6 in single and 1e-10 in double precision unless given. What
        `max_steps` cuts short is returned as it is.
    max_steps : int

    Returns
    -------
    Array
        `count` arrays of ``A.in_shape`` along a first axis, flat ones for flat data. Directions that neither A nor
        L sees stay at the mean.

    Raises
    ------
    ValueError
        For what is no key, and as `tikhonov`.

    Examples
    --------
    >>> import jax, convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 6, boundary="wrap")
    >>> b = A @ [0.0, 0.0, 4.0, 4.0, 0.0, 0.0]
    >>> x = co.posterior_samples(A, b, jax.random.key(0), 1000, weight=0.1, noise=0.05)
    >>> x.shape
    (1000, 6)
    >>> print(x.std(0).round(1))
    [0.1 0.1 0.1 0.1 0.1 0.1]
    """
    key, count = typed(key), positive(count, "count")
    if weight is None:
        L, weight = "gradient" if L is None else L, "gcv"
    data, _ = data_of(A, b)
    L = roughness(A, L)
    sol = tikhonov(A, b, L=L, weight=weight, noise=noise, mean=mean, rtol=rtol, max_steps=max_steps)
    dtype = dtype_of(A, L, data)
    model = precision_of(A, L, jnp.asarray(sol.weight, jnp.finfo(dtype).dtype), dtype)
    kept = seen(A)
    data = data if kept is None else jnp.where(kept, data, 0)
    level = noise_of(noise, A, data, model.basis, kept, "`noise` is not given")
    rtol = tolerance(rtol, dtype, 1e-6, 1e-10)
    apart = draws(model, key, count, dtype, rtol, steps_of(max_steps))
    return sol.x[None] + level * apart.reshape(count, *sol.x.shape)


def posterior_variance(
    A: LinearOperator,
    *,
    L: LinearOperator | str | None = None,
    weight: Any,
    noise: Any,
    key: Any = None,
    count: int = 200,
    rtol: Any = None,
    max_steps: int = 2000,
) -> jax.Array:
    """Return the posterior variance of each pixel, the diagonal of noise^2 (A^H A + weight L^H L)^-1.

    In closed form where `tikhonov` has one: with the eigenvalues s^2 of A^H A and d of L^H L in the basis V it is
    ``noise^2 sum_k |V[i, k]|^2 / (s[k]^2 + weight d[k])``, for the FFT the same everywhere. Elsewhere it is the mean
    square of `count` draws around their known mean (see `posterior_samples`): unbiased, with a standard error of
    sqrt(2 / count) of the variance (complex: sqrt(1 / count)). The estimate of a diagonal by random signs (Bekas,
    Kokiopoulou & Saad, Appl. Numer. Math. 57 (2007) 1214) takes as many solves, and errs by the off-diagonal part of
    the covariance, which is large where the prior is smooth.

    Parameters
    ----------
    A, L
        As in `tikhonov`; the identity is the default L.
    weight, noise : float
        As in `posterior_samples`; numbers.
    key : jax.random.key, optional
        For the draws; ``jax.random.key(0)`` by default.
    count : int
        Of the draws: 200 have a standard error of 10 %.
    rtol, max_steps
        Of the conjugate gradients, as in `posterior_samples`.

    Returns
    -------
    Array
        Real, of ``A.in_shape``; differentiable. In closed form infinite where a pixel has a part in a direction that
        neither A nor L sees; draws leave such directions out.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 4, boundary="wrap")
    >>> print(co.posterior_variance(A, weight=0.25, noise=2.0).round(1))
    [8.8 8.8 8.8 8.8]
    """
    if not isinstance(A, LinearOperator):
        raise ValueError(f"`A` is a {type(A).__name__}; give an operator, e.g. co.convolution(psf, shape)")
    key, count = typed(jax.random.key(0) if key is None else key), positive(count, "count")
    L = roughness(A, L)
    dtype = dtype_of(A, L, A.dtype)
    model = precision_of(A, L, scalar(weight, "weight", dtype), dtype)
    level = scalar(noise, "noise", dtype)
    if model.basis is not None:
        return level**2 * pixel_variance(model)
    rtol = tolerance(rtol, dtype, 1e-6, 1e-10)
    return level**2 * mean_square(model, key, count, dtype, rtol, steps_of(max_steps))
