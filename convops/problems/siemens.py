"""The Siemens star of SCICO's deconvolution examples."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from .. import psf
from ..operators.convolution import convolution
from .arguments import one_of, whole
from .noise import with_gaussian_noise
from .problem import Problem

_RASTER = 9  # points an axis in each pixel
_XDESIGN_RANGE = 113 / 81


def siemens_star(mode: str = "circular", *, size: int = 256, sectors: int = 64, seed: Any = 0) -> Problem:
    """The Siemens star under a 5 x 5 box and noise of standard deviation 20 / 255.

    Every second of `sectors` triangles around the centre is one, the rest zero; a pixel is the share of 9 x 9 points
    in it that a triangle covers. A border of 8 pixels (size / 32) is zero. SCICO's examples ``deconv_circ_tv_admm``
    and ``deconv_tv_admm`` have it from xdesign's ``SiemensStar``.

    Parameters
    ----------
    mode : {"circular", "full"}
        ``circular``: periodic, the kernel's first element on the output sample as in SCICO's ``CircularConvolve``, so
        that the data are moved by 2 pixels; ``full``: zeros around, all ``size + 4`` outputs.
    size : int
        Pixels along each axis, at least 16.
    sectors : int
        Even, at least 4.
    seed : int or jax key
        As in `gaussian_noise`.

    Returns
    -------
    Problem
        ``data_range`` is 113 / 81 for the default star: xdesign's rasterisation exceeds 1 where triangles meet, and the
        published PSNRs (12.55 dB before and 22.05 dB after total variation for ``circular``, 17.23 and 22.33 dB for
        ``full``) count by its largest minus its least value, 2.9 dB above those for a range of 1. Else it is 1.

    Raises
    ------
    ValueError
        For another mode, a `size` below 16, or `sectors` that are odd or below 4.

    Examples
    --------
    >>> from convops import problems
    >>> p = problems.siemens_star()
    >>> print(f"{p.psnr(p.b):.1f} dB")
    12.5 dB
    >>> p = problems.siemens_star("full")
    >>> p.b.shape, f"{p.psnr(p.blurred):.1f} dB"
    ((260, 260), '17.2 dB')
    """
    mode = one_of(mode, "mode", ("circular", "full"))
    size, sectors = whole(size, "size", 16), whole(sectors, "sectors", 4)
    if sectors % 2:
        raise ValueError(f"`sectors` is {sectors}; give an even number, half of which are bright")
    truth = jnp.asarray(_star(size, sectors), jnp.result_type(float))
    kernel = psf.box(5)
    if mode == "full":
        A = convolution(kernel, truth.shape, mode="full")
    else:
        A = convolution(kernel, truth.shape, boundary="wrap", origin=0)
    b, noise = with_gaussian_noise(A.matvec(truth), sigma=20 / 255, seed=seed)
    counted = _XDESIGN_RANGE if (size, sectors) == (256, 64) else 1
    return Problem(A, b, truth, noise, jnp.asarray(counted, truth.dtype), kernel, f"Siemens star, {mode}")


def _star(size: int, sectors: int) -> np.ndarray:
    """Triangles from the centre to the chords of a circle as wide as the picture without its border."""
    border = size // 32
    inner = size - 2 * border
    width = 2 * np.pi / sectors
    points = (np.arange(inner * _RASTER) + 0.5) / (inner * _RASTER) - 0.5
    star = np.zeros((inner, inner))
    for i in range(_RASTER):
        rows = points[i::_RASTER, None]
        angle = np.arctan2(rows, points) % (2 * np.pi)
        sector = np.floor(angle / width)
        reach = np.hypot(rows, points) * np.cos(angle - (sector + 0.5) * width)
        bright = (sector % 2 == 0) & (reach <= 0.5 * np.cos(width / 2))
        star += bright.reshape(inner, inner, _RASTER).sum(axis=2)
    return np.pad(star / _RASTER**2, border)
