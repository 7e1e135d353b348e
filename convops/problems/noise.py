"""Noise: Gaussian by level, deviation or BSNR; Poisson by counts; impulses by fraction."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.arrays import traced
from .arguments import number, real_array
from .drawing import normal, poisson, uniform


def gaussian_noise(b: Any, *, level: Any = None, sigma: Any = None, bsnr: Any = None, seed: Any = 0) -> jax.Array:
    """Data with white Gaussian noise e added, its size given in exactly one of three ways.

    Parameters
    ----------
    b : array
        Real data of any shape; integers become the default float.
    level : float, optional
        ``norm(e) / norm(b)``, met exactly by the noise drawn (as in IR Tools).
    sigma : float, optional
        Standard deviation, in the units of `b`.
    bsnr : float, optional
        Blurred signal-to-noise ratio in decibels: ``sigma^2 = var(b) 10^(-bsnr / 10)``.
    seed : int or jax key
        For an integer, NumPy's ``default_rng(seed).standard_normal``; for a key, `jax.random.normal`.

    Returns
    -------
    Array
        Of the shape of `b`.

    Raises
    ------
    ValueError
        Unless exactly one of `level`, `sigma` and `bsnr` is given; for negative ones, and NaN or infinite data.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from convops import problems
    >>> b = jnp.arange(1.0, 5.0)
    >>> print(problems.gaussian_noise(b, sigma=0.1, seed=1).round(2))
    [1.03 2.08 3.03 3.87]
    >>> noisy = problems.gaussian_noise(b, level=0.01)
    >>> print(f"{jnp.linalg.norm(noisy - b) / jnp.linalg.norm(b):.4f}")
    0.0100
    """
    return with_gaussian_noise(b, level=level, sigma=sigma, bsnr=bsnr, seed=seed)[0]


def with_gaussian_noise(
    b: Any, *, level: Any = None, sigma: Any = None, bsnr: Any = None, seed: Any = 0
) -> tuple[jax.Array, jax.Array]:
    """Return the noisy data and the standard deviation; a `level` is met by the noise drawn, not on average."""
    b = real_array(b, "b")
    given = {"level": level, "sigma": sigma, "bsnr": bsnr}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise ValueError(f"exactly one of `level`, `sigma` and `bsnr` sets the noise; {len(named)} were given")
    noise = normal(seed, b.shape, b.dtype)
    if level is not None:
        deviation = number(level, "level") * jnp.sqrt(jnp.mean(jnp.square(b)))
        noise = noise / jnp.sqrt(jnp.mean(jnp.square(noise)))
    elif sigma is not None:
        deviation = number(sigma, "sigma")
    else:
        deviation = jnp.std(b) * 10 ** (-number(bsnr, "bsnr", low=-np.inf) / 20)
    deviation = jnp.asarray(deviation, b.dtype)
    return b + deviation * noise, deviation


def poisson_noise(b: Any, *, peak: Any, seed: Any = 0) -> jax.Array:
    """Data counted as photons: ``Poisson(c b) / c`` with ``c = peak / max(b)``.

    Parameters
    ----------
    b : array
        Non-negative data of any shape, not all zero.
    peak : float
        Expected count at the largest of `b`; the fewer, the noisier. With ``peak = max(b)`` the result are counts.
    seed : int or jax key
        An integer (NumPy draws) needs concrete data; under jit, vmap and grad give a ``jax.random.key``.

    Returns
    -------
    Array
        Of the shape and in the units of `b`. Not differentiable.

    Raises
    ------
    ValueError
        For negative, NaN or infinite data or none above zero, or a `peak` that is not positive.

    Examples
    --------
    >>> from convops import problems
    >>> print(problems.poisson_noise([0.0, 20.0, 100.0], peak=100, seed=3))
    [  0.  12. 110.]
    """
    b = real_array(b, "b")
    peak = number(peak, "peak", strict=True)
    if not traced(b) and not (np.min(b) >= 0 and np.max(b) > 0):
        raise ValueError(
            "`b` has negative entries or none above zero; photons are counted where intensities are: shift it"
        )
    counts = peak / jnp.max(b)
    return poisson(seed, b * counts) / counts


def salt_and_pepper_noise(b: Any, fraction: Any, *, low: Any = None, high: Any = None, seed: Any = 0) -> jax.Array:
    """Replace a fraction of the data, each independently with that probability, by `low` or `high` in equal shares.

    Parameters
    ----------
    b : array
        Real data of any shape.
    fraction : float
        Probability of an impulse, between 0 and 1.
    low, high : float, optional
        Pepper and salt; the least and the largest of `b` unless given.
    seed : int or jax key

    Returns
    -------
    Array
        Of the shape of `b`.

    Raises
    ------
    ValueError
        For a `fraction` outside 0 to 1, and NaN or infinite data.

    Examples
    --------
    >>> from convops import problems
    >>> print(problems.salt_and_pepper_noise([3.0] * 8, 0.5, low=0, high=9, seed=2))
    [9. 9. 3. 0. 3. 3. 0. 0.]
    """
    b = real_array(b, "b")
    chance = uniform(seed, b.shape, b.dtype)
    fraction = number(fraction, "fraction", high=1)
    low, high = _ends(b, low, high)
    return jnp.where(chance < fraction / 2, low, jnp.where(chance < fraction, high, b))


def random_valued_noise(b: Any, fraction: Any, *, low: Any = None, high: Any = None, seed: Any = 0) -> jax.Array:
    """Replace a fraction of the data, each independently with that probability, by values uniform in [low, high].

    Parameters
    ----------
    b : array
        Real data of any shape.
    fraction : float
        Probability of an impulse, between 0 and 1.
    low, high : float, optional
        Ends of the values; the least and the largest of `b` unless given.
    seed : int or jax key

    Returns
    -------
    Array
        Of the shape of `b`.

    Raises
    ------
    ValueError
        For a `fraction` outside 0 to 1, and NaN or infinite data.

    Examples
    --------
    >>> from convops import problems
    >>> print(problems.random_valued_noise([3.0] * 6, 0.5, low=0, high=9, seed=2).round(1))
    [1.7 0.5 3.  5.9 3.  3. ]
    """
    b = real_array(b, "b")
    chance, values = uniform(seed, (2, *b.shape), b.dtype)
    fraction = number(fraction, "fraction", high=1)
    low, high = _ends(b, low, high)
    return jnp.where(chance < fraction, low + (high - low) * values, b)


def _ends(b: jax.Array, low: Any, high: Any) -> tuple[jax.Array, jax.Array]:
    low = jnp.min(b) if low is None else number(low, "low", low=-np.inf)
    high = jnp.max(b) if high is None else number(high, "high", low=-np.inf)
    return jnp.asarray(low, b.dtype), jnp.asarray(high, b.dtype)
