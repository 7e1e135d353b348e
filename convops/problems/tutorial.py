"""The deblurring tutorial of PyLops."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ..operators.convolution import convolution
from .arguments import image_of
from .problem import Problem
from .scenes import photograph


def pylops_tutorial(image: Any = None) -> Problem:
    """The blur of PyLops' tutorial "Image deblurring": a 15 x 25 Gaussian, zeros around the image, no noise.

    The kernel is the outer product of exp(-0.1 i^2), i = -7 .. 7, and exp(-0.03 j^2), j = -12 .. 12, each divided by
    its integral by the trapezoidal rule: the sum is 1.003, not one. Data and solver share the operator. The tutorial
    counts in `snr`; on its own image, which is not bundled, 14.30 dB for the data, 20.04 after 50 steps of CGLS and
    18.77 for total variation by split Bregman.

    Parameters
    ----------
    image : array, optional
        The truth, two axes. The tutorial's has 126 x 126 pixels; every second pixel of `photograph`, cut to that size,
        unless given.

    Returns
    -------
    Problem
        With ``noise`` zero and the range of the truth.

    Raises
    ------
    ValueError
        For an `image` that is not two axes of finite real numbers.

    Examples
    --------
    >>> from convops import problems
    >>> p = problems.pylops_tutorial()
    >>> p.truth.shape, p.psf.shape, f"{p.psf.sum():.3f}"
    ((126, 126), (15, 25), '1.003')
    """
    truth = photograph()[:252:2, :252:2] if image is None else image_of(image)
    rows, columns = (np.exp(-rate * np.arange(-half, half + 1.0) ** 2) for rate, half in ((0.1, 7), (0.03, 12)))
    kernel = jnp.asarray(np.outer(rows / _integral(rows), columns / _integral(columns)), truth.dtype)
    A = convolution(kernel, truth.shape)
    spread = jnp.max(truth) - jnp.min(truth)
    return Problem(A, A.matvec(truth), truth, jnp.zeros((), truth.dtype), spread, kernel, "PyLops tutorial")


def _integral(values: np.ndarray) -> float:
    """The integral by the trapezoidal rule, at unit distance."""
    return float(np.sum(values) - (values[0] + values[-1]) / 2)
