"""An image, and blur and decibels of it in NumPy and SciPy, to compare the test problems with."""

import numpy as np
import scipy.ndimage
from comparing import X64

FLOAT = np.float64 if X64 else np.float32
TOL = 1e-10 if X64 else 2e-5
RNG = np.random.default_rng(11)
IMAGE = RNG.uniform(0, 255, (29, 38))


def near(got, wanted, tol=TOL):
    assert got.shape == np.shape(wanted)
    assert got.dtype == FLOAT
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tol * np.max(np.abs(wanted)))


def decibels(x, truth, peak):
    return 10 * np.log10(peak**2 / np.mean((np.asarray(x, float) - np.asarray(truth, float)) ** 2))


def zero_blur(scene, kernel):
    """Convolution with zeros beyond the scene, kernel centre at n // 2."""
    return scipy.ndimage.convolve(scene, kernel, mode="constant", origin=0)
