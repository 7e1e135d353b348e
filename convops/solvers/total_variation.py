"""Total variation with the weight that the noise asks for."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.base import LinearOperator
from ..operators.convolution import normal_axes
from ..operators.spectral import gram_symbol
from ..operators.sums import inner
from ..operators.unknown_boundary import UnknownBoundary
from ..penalties.constraints import NonNegative
from ..penalties.sparsity import TotalVariation
from ..penalties.sums import Sum
from .admm import admm
from .checks import data_of, scalar
from .progress import Callbacks
from .removed import noise_of_blur
from .seen import seen
from .solution import Solution
from .splitting import span_of
from .units import proportional
from .weight_path import weight_path

RELAXATION = 1.7
PATH = np.geomspace(0.03, 30, 11)  # weights that a rule looks at, by the one that the noise asks for
BLURRED, PLAIN = 0.14, 0.5  # weight = sigma^2 / (0.14 range) for blur, 0.5 sigma mean(|h|^2) where there is about none


def total_variation_weight(A: LinearOperator, b: Any, noise: Any = None, *, channels: int = 1) -> jax.Array:
    """Return a weight for `TotalVariation`: max(sigma^2 / (0.14 range), 0.5 sigma norm_F(A)^2 / n) for norm(A) = 1.

    Sigma is the noise level; for other norms s the two are s sigma^2 / (0.14 range) and 0.5 sigma norm_F(A)^2 / (s n),
    so that x is the same but for its scale. The first is for blur, with the range of the data. It is too little for a
    blur of less than a pixel, next to denoising, whose weight goes with sigma itself: norm_F(A)^2 / n, about
    sum |h|^2 of a point-spread function h, is 1 there and 0.1 and less for blurs of a pixel and more.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    noise : float, optional
        Standard deviation of the noise; by default seen at frequencies that the blur removes, or `noise_level`.
    channels : int
        How many colours the 2-norms of a joint variation go over; the weight grows with the root of it.

    Returns
    -------
    Array
        A scalar, in the units of `b`.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([0.25, 0.5, 0.25], 100, boundary="wrap")
    >>> print(co.total_variation_weight(A, A @ ([0.0] * 50 + [1.0] * 50), noise=0.1).round(4))
    0.0714
    """
    b, _ = data_of(A, b)
    kept = seen(A)
    sigma = noise_of_blur(A, b, kept) if noise is None else scalar(noise, "noise", b.dtype)
    return _weight(A, b, kept, sigma, A.norm()) * math.sqrt(channels)


@jax.jit
def _weight(A: LinearOperator, b: jax.Array, kept: jax.Array | None, sigma: jax.Array, norm: jax.Array) -> jax.Array:
    real = jnp.finfo(b.dtype).dtype
    span = span_of(b, kept)
    count = b.size if kept is None else jnp.sum(jnp.broadcast_to(kept, b.shape))
    energy = row_energy(A, count, b.dtype).astype(real)
    norm = jnp.where(norm > 0, norm, 1).astype(real)
    least = jnp.finfo(real).eps * span * norm  # of data without noise
    return jnp.maximum(jnp.maximum(norm * sigma**2 / (BLURRED * span), PLAIN * sigma * energy / norm), least)


def row_energy(A: LinearOperator, count: Any, dtype: Any) -> jax.Array:
    """norm_F(A)^2 / n: the mean of |H|^2 where the FFT diagonalises the blur, one random image's energy elsewhere."""
    found = gram_symbol(A.blur if isinstance(A, UnknownBoundary) else A)
    if found is not None:
        return jnp.mean(jnp.real(found.values))
    signs = jax.random.rademacher(jax.random.key(0), A.in_shape, jnp.int8)
    image = A._matvec(signs.astype(dtype))
    return inner(image, image) / jnp.maximum(count, 1)


def _weighted(A: LinearOperator, options: dict[str, Any], first: Any, b: jax.Array, weight: jax.Array, x0: Any):
    """One of the solves of a path."""
    return total_variation(A, b, weight=weight, x0=first if x0 is None else x0, **options)


@proportional("weight")
def total_variation(
    A: LinearOperator,
    b: Any,
    *,
    weight: Any = None,
    noise: Any = None,
    boundary: Any = "wrap",
    channel_axis: int | None = None,
    nonnegative: bool = False,
    x0: Any = None,
    rtol: Any = 1e-3,
    max_steps: int = 1000,
    callback: Callbacks = None,
    checkpoint: Any = None,
) -> Solution:
    """Minimise 1/2 norm(A x - b)^2 + weight TV(x) by `admm`, the weight chosen from the noise level.

    Parameters
    ----------
    A : LinearOperator
    b : array
        Data of ``A.out_shape``, or flat; finite.
    weight : float or {"whiteness", "discrepancy", "sure", "gcv"}, optional
        `total_variation_weight` of the noise by default; a name is the rule of `weight_path`, on eleven weights about
        that one.
    noise : float, optional
        Standard deviation of the noise; by default seen at frequencies that the blur removes, or `noise_level`.
    boundary : str or tuple of str
        Of the differences: ``wrap`` suits periodic blurs and `unknown_boundary`, ``symmetric`` mirrored ones.
    channel_axis : int, optional
        The axis of the colours of one image, whose variation is taken jointly.
    nonnegative : bool
        Whether x is kept at or above zero.
    x0, rtol, max_steps, callback, checkpoint
        As in `admm`.

    Returns
    -------
    Solution
        As of `admm`, with the ``weight``.

    Raises
    ------
    ValueError
        As `admm`, and for a negative weight or noise level, or an unknown rule.

    References
    ----------
    Rudin, Osher & Fatemi, Physica D 60 (1992) 259.

    Examples
    --------
    >>> import numpy as np, convops as co
    >>> scene = np.repeat([0.0, 1.0, 0.5], 20)
    >>> A = co.convolution([0.25, 0.5, 0.25], 60, boundary="wrap")
    >>> sol = co.total_variation(A, A @ scene, noise=0.01)
    >>> print(bool(sol.converged), f"{float(sol.weight):.4f}", bool(abs(sol.x - scene).max() < 0.05))
    True 0.0019 True
    """
    b, flat = data_of(A, b)
    if channel_axis is not None:
        (channel_axis,) = normal_axes(channel_axis, 1, len(A.in_shape))
    channels = 1 if channel_axis is None else A.in_shape[channel_axis]
    if weight is None or isinstance(weight, str):
        noise = noise_of_blur(A, b, seen(A)) if noise is None else noise
        chosen = total_variation_weight(A, b, noise, channels=channels)
        if isinstance(weight, str):
            if callback is not None or checkpoint is not None:
                raise ValueError(f"`weight` is {weight!r}, for many solves: leave out `callback` and `checkpoint`")
            options = {"boundary": boundary, "channel_axis": channel_axis, "nonnegative": nonnegative}
            solve = partial(_weighted, A, options | {"rtol": rtol, "max_steps": max_steps}, x0)
            return weight_path(solve, A, b.reshape(-1) if flat else b, chosen * PATH, rule=weight, noise=noise)
        weight = chosen
    weight = scalar(weight, "weight", b.dtype)
    axes = None
    if channel_axis is not None:
        axes = tuple(a for a in range(len(A.in_shape)) if a != channel_axis)
    penalty = TotalVariation(weight, axes=axes, channel_axis=channel_axis, boundary=boundary)
    sol = admm(
        A,
        b.reshape(-1) if flat else b,
        penalty=Sum((penalty, NonNegative())) if nonnegative else penalty,
        x0=x0,
        relaxation=RELAXATION,
        rtol=rtol,
        max_steps=max_steps,
        callback=callback,
        checkpoint=checkpoint,
    )
    return replace(sol, weight=weight)
