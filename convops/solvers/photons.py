"""Counted data: how many photons a unit of the data stands for, and how far from their mean counts are expected."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .noise import unit_of

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


def photons_per_unit(b: jax.Array, kept: jax.Array | None = None, axes: tuple[int, ...] | None = None) -> jax.Array:
    """Estimate the counts that a unit of the data stands for: mean over variance, from differences of neighbours.

    In a block of two samples along each of the last two axes (or the only one; of `axes` if given) the finest Haar
    detail of a smooth scene has the variance mean / counts, however low the counts are. The sums of both over a tile
    give an estimate, and edges spoil few tiles: the median is taken. Infinite for data without noise, 1 where there are
    no two neighbours.

    >>> import jax, jax.numpy as jnp
    >>> b = jax.random.poisson(jax.random.key(0), 7.0, (400, 300)) / 4.0
    >>> print(f"{photons_per_unit(b):.0f}")
    4
    """
    compared = _compared(b, axes)
    if not compared:
        return jnp.ones((), b.dtype)
    longest = TILE if len(compared) == 2 else TILE**2 // 4
    tiles = _tiles(b, kept, {a: min(longest, b.shape[a] // 2 * 2) for a in compared})
    some = tiles.energy > 0
    ratio = jnp.where(some, tiles.total / jnp.where(some, tiles.energy, 1), jnp.inf)
    middle = jnp.nanmedian(jnp.where(tiles.total > 0, ratio, jnp.nan))
    return jnp.where(jnp.isnan(middle), 1, middle / tiles.unit)


def counts_photons(b: jax.Array, kept: jax.Array | None = None) -> jax.Array:
    """Whether the variance grows with the brightness as that of counts does: the data look like photons.

    Tiles are sorted by their mean; of the darkest and the brightest quarter the ratio of the median variances must be
    that of the means, to a factor of 1.5, and at least 2.5 to tell anything. Never for data below zero.
    """
    axes = _compared(b, None)
    if len(axes) < 2 or min(b.shape[a] for a in axes) < 4 * TILE:
        return jnp.zeros((), bool)
    tiles = _tiles(b, kept, dict.fromkeys(axes, TILE))
    some = tiles.number > 0
    mean, variance = (jnp.where(some, part / jnp.maximum(tiles.number, 1), jnp.nan) for part in tiles[:2])
    dark, bright = mean <= jnp.nanquantile(mean, 0.25), mean >= jnp.nanquantile(mean, 0.75)
    brighter, noisier = (
        jnp.nanmedian(jnp.where(bright, part, jnp.nan))
        / jnp.maximum(jnp.nanmedian(jnp.where(dark, part, jnp.nan)), jnp.finfo(b.dtype).tiny)
        for part in (mean, variance)
    )
    alike = jnp.abs(jnp.log(noisier) - jnp.log(brighter)) < jnp.log(1.5)
    return (jnp.min(b, where=True if kept is None else kept, initial=0) >= 0) & (brighter > 2.5) & alike


class Tiles(NamedTuple):
    """Sums over tiles of blocks of two samples an axis; the data are in units of `unit`."""

    total: jax.Array  # of the blocks' sums
    energy: jax.Array  # of the squares of their finest Haar details
    number: jax.Array  # of the blocks that count whole
    unit: jax.Array


def _compared(b: jax.Array, axes: tuple[int, ...] | None) -> list[int]:
    """The axes along which neighbours are compared: the last two with any."""
    return [a for a in (range(b.ndim) if axes is None else axes) if b.shape[a] > 1][-2:]


def _tiles(b: jax.Array, kept: jax.Array | None, sizes: dict[int, int]) -> Tiles:
    """The sums over tiles of some sizes, of even numbers of samples; what is left over at the ends is left out."""
    good = jnp.ones(b.shape, bool) if kept is None else kept
    b = jnp.where(good, b, 0)
    unit = unit_of(b)
    detail = mean = b / unit
    for axis, size in sizes.items():
        whole = b.shape[axis] // size * size
        (first, second), pair = _pairs(detail, axis, whole), _pairs(mean, axis, whole)
        detail, mean = first - second, pair[0] + pair[1]
        good = jnp.logical_and(*_pairs(good, axis, whole))
    total, energy, number = jnp.where(good, mean, 0), jnp.where(good, detail**2, 0), good.astype(b.dtype)
    for axis, size in sizes.items():
        total, energy, number = (_tiled(part, axis, size // 2) for part in (total, energy, number))
    return Tiles(total, energy, number, unit)


def _pairs(x: jax.Array, axis: int, whole: int) -> tuple[jax.Array, jax.Array]:
    """The first `whole` samples along an axis: those with even numbers, and with odd ones."""
    return jax.lax.slice_in_dim(x, 0, whole, 2, axis), jax.lax.slice_in_dim(x, 1, whole, 2, axis)


def _tiled(x: jax.Array, axis: int, size: int) -> jax.Array:
    """Sums over runs of `size` samples along an axis."""
    shape = (*x.shape[:axis], x.shape[axis] // size, size, *x.shape[axis + 1 :])
    return jnp.sum(x.reshape(shape), axis + 1)
