"""Edge tapering against its formula written out in NumPy."""

import numpy as np
import pytest
import scipy.ndimage
from comparing import X64

import convops as co

RNG = np.random.default_rng(3)


def tapered(b, psf):
    """The weights by explicit circular sums, the blur by ndimage."""
    alpha = np.ones(b.shape)
    for axis, n in enumerate(b.shape):
        p = psf.sum(tuple(a for a in range(b.ndim) if a != axis))
        period = max(n - 1, 1)
        r = [
            sum(p[i] * p[j] for i in range(len(p)) for j in range(len(p)) if (i - j - lag) % period == 0)
            for lag in range(period)
        ]
        weights = 1 - np.array([r[i % period] for i in range(n)]) / r[0]
        alpha = alpha * weights.reshape([-1 if a == axis else 1 for a in range(b.ndim)])
    return alpha * b + (1 - alpha) * scipy.ndimage.convolve(b, psf, mode="wrap")


@pytest.mark.parametrize(("shape", "kernel"), [((9,), (4,)), ((5,), (5,)), ((8, 11), (3, 4)), ((5, 4, 6), (2, 3, 1))])
def test_it_is_the_formula(shape, kernel):
    b, psf = RNG.random(shape), RNG.random(kernel)
    psf /= psf.sum()
    np.testing.assert_allclose(co.edgetaper(b, psf), tapered(b, psf), atol=1e-12 if X64 else 1e-5)


def test_the_middle_stays_and_opposite_edges_meet():
    b = np.add.outer(np.arange(40.0), 3 * np.arange(51.0))
    out = np.asarray(co.edgetaper(b, np.ones((5, 7)) / 35))
    np.testing.assert_allclose(out[6:-6, 8:-8], b[6:-6, 8:-8], rtol=1e-5)
    assert abs(out[20, 0] - out[20, -1]) < 0.3 * abs(b[20, 0] - b[20, -1])


@pytest.mark.parametrize(
    ("b", "psf", "message"),
    [
        (np.ones((4, 4)), np.ones(3), "as many axes"),
        (np.ones(4), np.ones(5), "none longer"),
        (np.ones(4), 1j * np.ones(2), "real kernel"),
        (np.full(4, np.nan), np.ones(2), "`b` holds NaN"),
    ],
)
def test_refusals(b, psf, message):
    with pytest.raises(ValueError, match=message):
        co.edgetaper(b, psf)
