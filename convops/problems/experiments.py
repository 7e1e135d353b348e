"""The six experiments that deblurring methods have been compared on since BM3D-DEB."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import psf
from ..operators.convolution import convolution
from .arguments import image_of, one_of
from .noise import with_gaussian_noise
from .problem import Problem
from .scenes import photograph

_NOISE: dict[int, dict[str, float]] = {
    1: {"sigma": 2**0.5},
    2: {"sigma": 8**0.5},
    3: {"bsnr": 40.0},
    4: {"sigma": 7.0},
    5: {"sigma": 2.0},
    6: {"sigma": 8.0},
}


def classical(experiment: int, image: Any = None, *, seed: Any = 0) -> Problem:
    """One of the six classical deblurring experiments: periodic blur, white noise, grey levels 0 to 255.

    | experiment | kernel | variance of the noise |
    | --- | --- | --- |
    | 1, 2 | 15 x 15, 1 / (1 + i^2 + j^2), i, j = -7 .. 7 | 2, 8 |
    | 3 | 9 x 9 box | BSNR 40 dB |
    | 4 | 5 x 5, outer product of (1, 4, 6, 4, 1) / 16 | 49 |
    | 5 | 25 x 25 Gaussian, standard deviation 1.6 | 4 |
    | 6 | 25 x 25 Gaussian, standard deviation 0.4 | 64 |

    Dabov, Foi, Katkovnik & Egiazarian, Proc. SPIE 6812 (2008) 681207, table 1; Danielyan, Katkovnik & Egiazarian,
    IEEE Trans. Image Process. 21 (2012) 1715. Nothing is clipped or rounded; PSNRs are over the whole image with peak
    255, and published figures are improvements over the data (`isnr`), often means over several seeds.

    Parameters
    ----------
    experiment : {1, 2, 3, 4, 5, 6}
    image : array, optional
        The truth, two axes, grey levels 0 to 255; `photograph` unless given.
    seed : int or jax key
        As in `gaussian_noise`.

    Returns
    -------
    Problem
        With ``data_range`` 255.

    Raises
    ------
    ValueError
        For another number, or an `image` that is not two axes of finite real numbers.

    Examples
    --------
    >>> from convops import problems
    >>> p = problems.classical(3)
    >>> p.A.in_shape, p.psf.shape, f"noise {p.noise:.2f}, blurred {p.psnr(p.b):.2f} dB"
    ((256, 256), (9, 9), 'noise 0.69, blurred 21.30 dB')
    """
    number = one_of(experiment, "experiment", tuple(_NOISE))
    truth = photograph() if image is None else image_of(image)
    kernel = _kernel(number).astype(truth.dtype)
    A = convolution(kernel, truth.shape, boundary="wrap")
    b, noise = with_gaussian_noise(A.matvec(truth), seed=seed, **_NOISE[number])
    return Problem(A, b, truth, noise, jnp.asarray(255, truth.dtype), kernel, f"classical {number}")


def _kernel(experiment: int) -> jax.Array:
    if experiment in (1, 2):
        squares = np.arange(-7, 8) ** 2
        weights = 1 / (1 + squares[:, None] + squares)
        return jnp.asarray(weights / weights.sum(), jnp.result_type(float))
    if experiment == 3:
        return psf.box(9)
    if experiment == 4:
        return jnp.outer(row := jnp.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16, row)
    return psf.gaussian({5: 1.6, 6: 0.4}[experiment], (25, 25))
