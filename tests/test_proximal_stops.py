"""At its defaults a proximal method is done when its objective is, also for blurs that remove much."""

import jax.numpy as jnp
import numpy as np
import pytest
from comparing import X64

import convops as co

DTYPE = np.float64 if X64 else np.float32


def test_total_variation_of_a_small_weight():
    """Steps are short long before the end: the run once stopped far above the least objective."""
    scene = np.kron(np.random.default_rng(5).uniform(0, 1, (8, 7)), np.ones((6, 6)))
    kernel = np.outer(np.r_[2, np.ones(8)], np.ones(8)).astype(DTYPE) / 80
    A = co.convolution(kernel, scene.shape, boundary="wrap")
    noise = 1e-3 * np.random.default_rng(0).standard_normal(scene.shape)
    b = jnp.asarray(A @ scene.astype(DTYPE)) + noise.astype(DTYPE)
    penalty = co.TotalVariation(2e-5, boundary="wrap")
    sol = co.fista(A, b, penalty=penalty)
    least = co.admm(A, b, penalty=penalty, rtol=1e-6, max_steps=3000).objective
    np.testing.assert_allclose(sol.objective, least, rtol=1e-3)


def test_a_few_stars():
    rng = np.random.default_rng(0)
    stars = np.zeros((48, 44))
    stars[tuple(rng.integers(4, 40, (2, 9)))] = rng.uniform(0.2, 1, 9)
    A = co.convolution(co.psf.gaussian(2.0)[1:], stars.shape, boundary="zero")
    b = np.asarray(A @ stars)
    b = b + 0.01 * np.sqrt(np.mean(b**2)) * rng.standard_normal(b.shape)
    sol = co.fista(A, b, penalty=co.NonNegative())
    assert bool(sol.converged)
    assert int(sol.num_steps) < 4000
    best = co.fista(A, b, penalty=co.NonNegative(), rtol=0.0, max_steps=5000)
    np.testing.assert_allclose(sol.objective, best.objective, rtol=1e-3)


@pytest.mark.parametrize("solve", [co.fista, co.spg])
def test_well_posed_problems_are_done_at_once(solve):
    """Where the gap is bounded nothing waits for the objective to stand still."""
    sol = solve(co.identity(32), np.linspace(-1, 1, 32), penalty=co.NonNegative())
    assert bool(sol.converged)
    assert int(sol.num_steps) <= 20
