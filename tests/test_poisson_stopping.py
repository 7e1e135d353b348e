"""Acceleration and stopping of Richardson-Lucy on a photograph, and the photons that its rule counts."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from counting import PLAIN

import convops as co
from convops.solvers.photons import counts_photons, expected_deviance, photons_per_unit


def photograph():
    image = np.asarray(co.problems.photograph(), float) * 200 / 255
    A = co.convolution(co.psf.gaussian(2.5), image.shape, boundary="wrap")
    b = np.random.default_rng(0).poisson(np.maximum(np.asarray(A @ image, float), 0)).astype(float)
    return image, A, b


def test_twenty_accelerated_steps_do_what_eighty_plain_ones_do():
    _, A, b = photograph()
    b = jnp.asarray(b)
    quick = co.richardson_lucy(A, b, stop=None, max_steps=20, rtol=0.0)
    slow = co.richardson_lucy(A, b, max_steps=80, **PLAIN)
    assert float(quick.objective) <= float(slow.objective)
    assert float(slow.history["divergence"][22]) >= float(quick.history["divergence"][10])
    assert float(quick.x.min()) >= 0


@pytest.mark.slow
def test_the_rule_stops_near_the_best_step_on_any_scale():
    image, A, b = photograph()
    best = max(float(co.problems.psnr(x, image, data_range=200)) for x in steps_of(A, b, range(6, 18, 2)))
    sol = co.richardson_lucy(A, b)
    assert bool(sol.converged)
    found = float(co.problems.psnr(sol.x, image, data_range=200))
    assert found > best - 0.2
    assert found > float(co.problems.psnr(co.richardson_lucy(A, b, stop=None).x, image, data_range=200)) + 1
    scaled = co.richardson_lucy(A, b / 200)  # a picture between 0 and 1
    assert abs(int(scaled.num_steps) - int(sol.num_steps)) <= 1
    told = co.richardson_lucy(A, b, counts=1.0)
    assert abs(int(told.num_steps) - int(sol.num_steps)) <= 1
    excess = np.asarray(told.history["excess"])
    assert excess[int(told.num_steps)] <= 0 < excess[int(told.num_steps) - 1]


def steps_of(A, b, numbers):
    return [co.richardson_lucy(A, b, stop=None, max_steps=n).x for n in numbers]


@pytest.mark.parametrize("level", [0.02, 0.3, 1.0, 8.0, 300.0])
def test_photons_are_counted_and_their_deviance_foreseen(level):
    counts = np.random.default_rng(0).poisson(level, (160, 130)).astype(float)
    assert float(photons_per_unit(jnp.asarray(counts / 7))) == pytest.approx(7, rel=0.08)
    n = np.arange(int(level + 12 * np.sqrt(level) + 30))
    chance = scipy.stats.poisson.pmf(n, level)
    wanted = 2 * np.sum(chance * (np.where(n > 0, n * np.log(np.maximum(n, 1) / level), 0) - n + level))
    assert float(expected_deviance(jnp.asarray(level))) == pytest.approx(wanted, abs=0.014)
    kept = np.random.default_rng(1).random(counts.shape) > 0.05
    spoilt = jnp.asarray(np.where(kept, counts, 1e6))
    assert float(photons_per_unit(spoilt, jnp.asarray(kept))) == pytest.approx(1, rel=0.08)


def test_photons_of_a_line_and_of_one_sample():
    counts = np.random.default_rng(0).poisson(20.0, 900).astype(float) / 3
    assert float(photons_per_unit(jnp.asarray(counts))) == pytest.approx(3, rel=0.15)
    assert float(photons_per_unit(jnp.ones((1, 1)))) == 1
    assert float(photons_per_unit(jnp.ones((4, 5)))) == math.inf


def test_photons_in_any_unit_and_beside_a_large_mask():
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.linspace(1, 40, 160) * np.ones((140, 1))).astype("float32")
    kept = np.ones(counts.shape, bool)
    kept[:50] = False
    for unit in (1e-25, 1.0, 1e25):
        b = jnp.asarray(counts * np.float32(unit))
        assert float(photons_per_unit(b)) * unit == pytest.approx(1, rel=0.1)
        assert bool(counts_photons(b))
        assert bool(counts_photons(b, jnp.asarray(kept)))
    assert not bool(counts_photons(jnp.asarray(100 + rng.standard_normal(counts.shape), jnp.float32)))
