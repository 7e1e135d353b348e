"""Counted data: how many photons a unit of the data stands for, and how far from their mean counts are expected."""

import math

import jax
import jax.numpy as jnp

TILE = 16  # samples along an axis of a tile that is looked at as a whole, 64 where there is one axis alone
SHARE = 0.08161, 13.0045, -7.33200, 13.6061  # of sqrt(mean): numerator of the expected deviance,
REST = 3.84243, 4.52102, -5.99556  # and what its denominator has beside 1 and the last of them


def expected_deviance(mean: jax.Array) -> jax.Array:
    """E[2 (n log(n / mean) - n + mean)] of Poisson counts n, within 0.014: 1 for many, 1.15 at 1, 0 for none.

    A rational function of the root of the mean, fitted to the sum over n; it is what a deviance is to be compared with
    where counts are low, for which the usual 1 a datum would be far too many.
    """
    root = jnp.sqrt(jnp.where(mean > 0, mean, 0) + jnp.finfo(mean.dtype).tiny)
    last = SHARE[3] * root
    above = root * (SHARE[0] + root * (SHARE[1] + root * (SHARE[2] + last)))
    return above / (1 + root * (REST[0] + root * (REST[1] + root * (REST[2] + last))))


def photons_per_unit(b: jax.Array, kept: jax.Array | None = None) -> jax.Array:
    """Estimate the counts that a unit of the data stands for: mean over variance, from differences of neighbours.

    In a block of two samples along each of the last two axes (or the only one) the finest Haar detail of a smooth scene
    has the variance mean / counts, however low the counts are. The sums of both over a tile give an estimate, and
    edges spoil few tiles: the median is taken. Infinite for data without noise, 1 where there are no two neighbours.

    >>> import jax, jax.numpy as jnp
    >>> b = jax.random.poisson(jax.random.key(0), 7.0, (400, 300)) / 4.0
    >>> print(f"{photons_per_unit(b):.0f}")
    4
    """
    axes = [a for a in range(b.ndim) if b.shape[a] > 1][-2:]
    if not axes:
        return jnp.ones((), b.dtype)
    good = jnp.ones(b.shape, bool) if kept is None else kept
    longest = TILE if len(axes) == 2 else TILE**2 // 4
    tile = {a: min(longest, b.shape[a] // 2 * 2) for a in axes}
    detail = mean = b
    for axis in axes:
        whole = b.shape[axis] // tile[axis] * tile[axis]
        (first, second), pair = _pairs(detail, axis, whole), _pairs(mean, axis, whole)
        detail, mean = first - second, pair[0] + pair[1]
        good = jnp.logical_and(*_pairs(good, axis, whole))
    energy = jnp.where(good, detail**2, 0)
    total = jnp.where(good, mean, 0)
    for axis in axes:
        energy, total = (_tiled(part, axis, tile[axis] // 2) for part in (energy, total))
    ratio = jnp.where(energy > 0, total / jnp.where(energy > 0, energy, 1), jnp.inf)
    known = jnp.where(total > 0, ratio, jnp.nan)
    middle = jnp.nanmedian(known)
    return jnp.where(jnp.isnan(middle), 1, middle)


def _pairs(x: jax.Array, axis: int, whole: int) -> tuple[jax.Array, jax.Array]:
    """The first `whole` samples along an axis: those with even numbers, and with odd ones."""
    return jax.lax.slice_in_dim(x, 0, whole, 2, axis), jax.lax.slice_in_dim(x, 1, whole, 2, axis)


def _tiled(x: jax.Array, axis: int, size: int) -> jax.Array:
    """Sums over runs of `size` samples along an axis."""
    shape = (*x.shape[:axis], x.shape[axis] // size, size, *x.shape[axis + 1 :])
    assert math.prod(shape) == x.size
    return jnp.sum(x.reshape(shape), axis + 1)


def counts_photons(b: jax.Array, kept: jax.Array | None = None) -> jax.Array:
    """Whether the variance grows with the brightness as that of counts does: the data look like photons.

    Tiles are sorted by their mean; of the darkest and the brightest quarter the ratio of the median variances must be
    that of the means, to a factor of 1.5, and at least 2.5 to tell anything. Never for data below zero.
    """
    axes = [a for a in range(b.ndim) if b.shape[a] > 1][-2:]
    if len(axes) < 2 or min(b.shape[a] for a in axes) < 4 * TILE:
        return jnp.zeros((), bool)
    detail = mean = b
    good = jnp.ones(b.shape, bool) if kept is None else kept
    for axis in axes:
        whole = b.shape[axis] // TILE * TILE
        (first, second), pair = _pairs(detail, axis, whole), _pairs(mean, axis, whole)
        detail, mean = first - second, pair[0] + pair[1]
        good = jnp.logical_and(*_pairs(good, axis, whole))
    total, energy, number = mean, detail**2, good.astype(b.dtype)
    total, energy = jnp.where(good, total, 0), jnp.where(good, energy, 0)
    for axis in axes:
        total, energy, number = (_tiled(part, axis, TILE // 2) for part in (total, energy, number))
    number = jnp.maximum(number, 1).ravel()
    total, energy = total.ravel() / number, energy.ravel() / number
    order = jnp.argsort(total)
    quarter = order.size // 4
    dark, bright = order[:quarter], order[-quarter:]
    brighter = jnp.median(total[bright]) / jnp.maximum(jnp.median(total[dark]), jnp.finfo(b.dtype).tiny)
    noisier = jnp.median(energy[bright]) / jnp.maximum(jnp.median(energy[dark]), jnp.finfo(b.dtype).tiny)
    alike = jnp.abs(jnp.log(noisier) - jnp.log(brighter)) < jnp.log(1.5)
    return (jnp.min(b, where=True if kept is None else kept, initial=0) >= 0) & (brighter > 2.5) & alike
