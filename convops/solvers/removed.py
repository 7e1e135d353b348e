"""The noise level of blurred data, seen where the blur has removed the scene.

At frequencies where |H|^2 |f|^-2, what a blur H leaves of a natural scene, is least, the power of the data is that of
the noise: exponentially distributed about sigma^2 for white noise, so that its quantile q is -sigma^2 log(1 - q). A
Hann window keeps the edges of the picture from leaking there. A blur of less than a pixel removes nothing: there the
level is also that of the `smoothest` parts of a picture, and of what the `quietest` filter lets through.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.base import LinearOperator
from ..operators.sums import root
from ..operators.unknown_boundary import UnknownBoundary
from ..operators.windowed import Convolution
from .checks import scalar
from .noise import noise_level, unit_of
from .spectral import Transform
from .weak_texture import quietest, smoothest

SHARE = 0.1  # of the frequencies that are taken
QUANTILE = 0.8  # of their powers: the one that tells the mean of exponentially distributed numbers best
REACH = 2  # neighbours that the window mixes
COARSE = 0.05  # of |f|^2, below which the scene is too strong
FEWEST = 2000  # data for which this is worth trying
LITTLE = 2e-3  # of |H|^2 where it is least: a blur that leaves more removes nothing


def noise_of_blur(A: LinearOperator, b: jax.Array, kept: Any, axes: tuple[int, ...] | None = None) -> jax.Array:
    """The lesser of the level at removed frequencies, for a blur of known kernel, and that of the finest details.

    Details are looked at along the axes given, by default all, or those of a blur of known kernel.
    """
    axes = tuple(a for a in range(b.ndim) if b.shape[a] > 1) if axes is None else axes
    if not axes:
        raise ValueError("`noise` is to be estimated, and one sample tells nothing of its noise: give `noise`")
    blur = A.blur if isinstance(A, UnknownBoundary) else A
    if isinstance(blur, Convolution) and not blur.channels and set(blur.window.step) == {1}:
        axes = tuple(a for a in blur.axes if b.shape[a] > 1) or axes
        fits = all(n >= 2 * k for n, k in zip((b.shape[a] for a in blur.axes), blur.kernel.shape, strict=True))
        if kept is None and fits and int(np.prod([b.shape[a] for a in blur.axes])) >= FEWEST:
            return jnp.minimum(noise_level(b, axes), _removed(blur.kernel, b, blur.axes))
    return noise_level(b, axes, kept=kept)


def noise_of(
    noise: Any, A: LinearOperator, b: jax.Array, basis: Any, kept: Any, purpose: str, needed: bool = True
) -> jax.Array:
    """The noise level given, or `noise_of_blur` along the axes that are transformed (all where none is known to be).

    `purpose` begins the sentence that is raised where one sample is all there is. Where nothing needs the level it is
    checked all the same, and zero.
    """
    given = None if noise is None else scalar(noise, "noise", b.dtype)
    if not needed:
        return jnp.zeros((), jnp.finfo(b.dtype).dtype)
    if given is not None:
        return given
    axes = range(b.ndim)
    if isinstance(basis, Transform):
        axes = [a + b.ndim - len(basis.shape) for a in basis.axes]
    axes = tuple(a for a in axes if b.shape[a] > 1)
    if not axes:
        raise ValueError(f"{purpose} and one sample tells nothing of its noise: give `noise`")
    return noise_of_blur(A, b, kept, axes)


@partial(jax.jit, static_argnames="axes")
def _removed(kernel: jax.Array, b: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """The level at the frequencies that the kernel removes, of all arrays along the other axes together."""
    unit = unit_of(b)
    last = tuple(range(-len(axes), 0))
    b = jnp.moveaxis(b / unit, axes, last)
    sizes = tuple(b.shape[a] for a in last)
    power, square = _spectrum(b, last)
    kernel = kernel / jnp.maximum(jnp.abs(jnp.sum(kernel)), jnp.finfo(kernel.dtype).tiny)
    H = jnp.abs(jnp.fft.fftn(kernel.astype(jnp.result_type(kernel, power)), sizes)) ** 2
    seen = H / jnp.maximum(square, 1e-12)
    for axis in range(len(sizes)):
        seen = jnp.max(jnp.stack([jnp.roll(seen, shift, axis) for shift in range(-REACH, REACH + 1)]), 0)
    order = jnp.argsort(jnp.where(square < COARSE, jnp.inf, seen).ravel())
    order = order[: max(int(SHARE * order.size), 1)]
    chosen = power.reshape(*power.shape[: -len(sizes)], -1)[..., order]
    level = root(jnp.quantile(chosen, QUANTILE) / -np.log1p(-QUANTILE))
    if len(sizes) == 2:
        finest = jnp.minimum(quietest(power, square >= COARSE), smoothest(b))
        level = jnp.where(jnp.max(H.ravel()[order]) > LITTLE, jnp.minimum(level, finest), level)
    return unit * level


def _spectrum(b: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """The power of the data in a Hann window, sigma^2 for white noise; and |f|^2."""
    sizes = tuple(b.shape[a] for a in axes)
    window, square = jnp.ones((), jnp.finfo(b.dtype).dtype), jnp.zeros(())
    for axis, n in enumerate(sizes):
        place = [-1 if a == axis else 1 for a in range(len(sizes))]
        window = window * jnp.sin(jnp.pi * (jnp.arange(n) + 0.5) / n).reshape(place) ** 2
        square = square + (2 - 2 * jnp.cos(2 * jnp.pi * jnp.arange(n) / n)).reshape(place)
    window = jnp.broadcast_to(window, sizes).astype(jnp.finfo(b.dtype).dtype)
    wide = jnp.broadcast_to(window, b.shape)
    mean = jnp.sum(wide * b, axes, keepdims=True) / jnp.sum(window)
    return jnp.abs(jnp.fft.fftn(wide * (b - mean), axes=axes)) ** 2 / jnp.sum(window**2), square
