"""A PSF's formula evaluated element by element in NumPy, to compare with."""

import jax
import numpy as np

X64 = jax.config.jax_enable_x64
FLOAT = np.dtype(np.float64 if X64 else np.float32)
TOL = 1e-13 if X64 else 2e-6


def points(shape):
    """Offsets from the centre n // 2, one row an element."""
    return np.array([[i - n // 2 for i, n in zip(at, shape, strict=True)] for at in np.ndindex(*shape)])


def sampled(shape, weight):
    """The formula `weight` of the offset, one element after the other, sum 1."""
    values = np.array([weight(r) for r in points(shape)]).reshape(shape)
    return values / values.sum()


def near(actual, expected, tol=TOL):
    assert isinstance(actual, jax.Array)
    assert actual.dtype == FLOAT
    assert actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tol)
