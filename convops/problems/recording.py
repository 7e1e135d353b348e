"""A picture as a camera records it: part of a larger scene."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators.convolution import convolution
from ..operators.unknown_boundary import unknown_boundary
from .arguments import image_of, number
from .drawing import generator, is_key, uniform
from .noise import with_gaussian_noise
from .problem import Problem
from .scenes import photograph


def recorded(
    psf: Any,
    image: Any = None,
    *,
    bsnr: Any = None,
    sigma: Any = None,
    level: Any = None,
    missing: Any = 0.0,
    mask: Any = None,
    seed: Any = 0,
) -> Problem:
    """The part of a scene's blur that depends on the scene alone, with noise, and pixels missing if asked for.

    The data are the ``valid`` convolution of the scene, the operator is `convops.unknown_boundary`: nothing is
    assumed of what lies beyond the data, and no inverse crime is committed at the edge. The truth is the part of the
    scene under the data; compare with it by ``problem.psnr(x)`` or ``problem.visible(x)``.

    Parameters
    ----------
    psf : array
        Two axes, no longer than the scene's.
    image : array, optional
        The scene, two axes, any size; `photograph` unless given.
    bsnr, sigma, level : float, optional
        The noise, as in `gaussian_noise`; at most one. A BSNR of 40 dB unless given.
    missing : float
        Probability that a pixel is missing.
    mask : array, optional
        Instead of `missing`: zero where data are missing, one elsewhere, or weights; of the shape of the data.
    seed : int or jax key
        For the noise as in `gaussian_noise`; what is missing is drawn from it too, independently.

    Returns
    -------
    Problem
        ``b`` is zero where pixels are missing; ``noise`` is the deviation before a weight.

    Raises
    ------
    ValueError
        For a `psf` longer than the scene, several noise levels, both `missing` and `mask`, a `mask` of another shape,
        or negative, NaN or infinite numbers.

    Examples
    --------
    >>> from convops import problems, psf
    >>> p = problems.recorded(psf.motion(9, 30), missing=0.1)
    >>> p.A.in_shape, p.b.shape, p.truth.shape, f"{(p.b == 0).mean():.2f}"
    ((256, 256), (252, 248), (252, 248), '0.10')
    """
    kernel = image_of(psf, "psf")
    scene = photograph() if image is None else image_of(image)
    if any(k > n for k, n in zip(kernel.shape, scene.shape, strict=True)):
        raise ValueError(
            f"`psf` has shape {kernel.shape}, longer than the scene's {scene.shape}; give a larger `image`"
        )
    kernel = kernel.astype(scene.dtype)
    clean = convolution(kernel, scene.shape, mode="valid").matvec(scene)
    if bsnr is None and sigma is None and level is None:
        bsnr = 40.0
    b, noise = with_gaussian_noise(clean, level=level, sigma=sigma, bsnr=bsnr, seed=seed)
    keep = _kept(b, missing, mask, seed)
    A = unknown_boundary(kernel, b.shape, mask=keep)
    first = [k - 1 - k // 2 for k in kernel.shape]  # a datum is centred on this pixel of the scene
    truth = scene[tuple(slice(s, s + m) for s, m in zip(first, b.shape, strict=True))]
    return Problem(A, A.weighted(b), truth, noise, jnp.max(truth) - jnp.min(truth), kernel, "recorded")


def _kept(b: Any, missing: Any, mask: Any, seed: Any) -> Any:
    """The mask: as given, drawn, or none."""
    fraction = number(missing, "missing", high=1)
    if mask is not None and fraction:
        raise ValueError("both `missing` and `mask` are given; give the fraction to draw, or the mask itself")
    if mask is not None or not fraction:
        return mask
    if is_key(seed):
        return (uniform(jax.random.fold_in(seed, 1), b.shape, b.dtype) >= fraction).astype(b.dtype)
    rng = generator(seed).spawn(1)[0]
    return jnp.asarray(rng.random(b.shape) >= fraction, b.dtype)
