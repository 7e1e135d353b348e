"""When the splitting methods stop, and what they balance: small weights, large levels and constant images."""

import jax.numpy as jnp
import numpy as np
import pytest
from comparing import X64

import convops as co

SHAPE = (64, 60)
BLUR = np.outer([1, 3, 4, 2, 2], [2, 1, 3, 3]) / 108  # neither symmetric nor odd
TV = co.TotalVariation(2e-5, boundary="wrap")
DTYPE = np.float64 if X64 else np.float32


def photographed(noise=1e-3):
    """A blurred photograph of range one, whose penalty has a small weight."""
    scene = np.asarray(co.problems.photograph(), np.float64)[64 : 64 + SHAPE[0], 64 : 64 + SHAPE[1]]
    scene = (scene - scene.min()) / np.ptp(scene)
    A = co.convolution(BLUR.astype(DTYPE), SHAPE, boundary="wrap")
    b = np.asarray(A @ scene.astype(DTYPE)) + noise * np.random.default_rng(0).standard_normal(scene.shape)
    return A, jnp.asarray(b, DTYPE)


def test_a_small_weight_is_balanced_as_it_should_be():
    """In single precision the duals once counted as vanished, and the step shrank a thousandfold."""
    A, b = photographed()
    options = {"penalty": TV, "rtol": 1e-7, "max_steps": 1000}
    balanced, fixed = co.pdhg(A, b, **options), co.pdhg(A, b, balance=False, **options)
    other = co.admm(A, b, penalty=TV, rtol=1e-5)
    np.testing.assert_allclose(balanced.objective, other.objective, rtol=1e-4)
    np.testing.assert_allclose(fixed.objective, other.objective, rtol=1e-3)
    first, last = np.asarray(balanced.history["step"])[[0, -1]]
    assert 0.02 < last / first < 50
    np.testing.assert_allclose(co.pdhg(A, b, penalty=TV).objective, other.objective, rtol=1e-3)


@pytest.mark.parametrize("solve", [co.admm, co.pdhg])
def test_a_level_makes_no_difference(solve):
    """The same scene brighter by a constant, which the data's norm and that of x then consist of."""
    level = 1e3 if X64 else 10.0
    A, b = photographed()
    penalty = TV + co.Box(-1e4, 1e4)  # a term that sees the level
    dim, bright = solve(A, b, penalty=penalty), solve(A, b + level, penalty=penalty)
    np.testing.assert_allclose(bright.objective, dim.objective, rtol=1e-4 if X64 else 2e-3)
    assert int(bright.num_steps) >= int(dim.num_steps) / 2


@pytest.mark.parametrize("noise", [0.0, 1e-3])
@pytest.mark.parametrize("solve", [co.admm, co.pdhg])
def test_constant_images_converge(solve, noise):
    """K x vanishes there, and so did what residuals were measured by."""
    A = co.convolution(BLUR, SHAPE, boundary="wrap")
    b = 0.5 + noise * np.random.default_rng(0).standard_normal(SHAPE)
    sol = solve(A, b, penalty=co.TotalVariation(2e-3, boundary="wrap"))
    assert bool(sol.converged)
    np.testing.assert_allclose(sol.x, 0.5, atol=1e-4)
