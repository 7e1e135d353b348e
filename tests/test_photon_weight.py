"""The weight for photon counts, lowered where it flattens the scene."""

import jax.numpy as jnp
import numpy as np

import convops as co
from convops.solvers.photon_weight import excess, fitting_weight
from convops.solvers.solution import CONVERGED, Solution

PSF = np.asarray(co.psf.gaussian((2.0, 3.0), (17, 16), angle=30.0), np.float32)  # neither square nor even about an axis


def counts(scene, **how):
    A = co.convolution(PSF, scene.shape, **how or {"mode": "valid"})
    return A, np.random.default_rng(0).poisson(np.maximum(np.asarray(A @ scene), 0)).astype(np.float32)


def dots():
    scene = np.full((80, 91), 1.0, np.float32)
    for i in range(12, 15):
        scene[i::17, 12::19] = scene[i::17, 13::19] = 1000
    return scene


def test_small_things_are_not_flattened():
    scene = dots()
    _, b = counts(scene)
    sol = co.deblur(b, PSF, noise="poisson")
    first = 1 / (0.14 * b.max())
    assert "weight lowered" in sol.report
    assert sol.weight < first / 2
    truth = scene[8:-8, 7:-8]
    plain = co.deblur(b, PSF, noise="poisson", weight=first)
    assert "lowered" not in plain.report
    assert co.problems.psnr(sol.x, truth) > co.problems.psnr(plain.x, truth) + 0.5


def test_broad_things_keep_their_weight():
    scene = np.full((80, 91), 20.0, np.float32)
    scene[20:50, 15:60] = 200
    _, b = counts(scene)
    assert "lowered" not in co.deblur(b, PSF, noise="poisson").report


def test_a_run_that_is_stopped_is_not_repeated():
    _, b = counts(dots())
    assert "lowered" not in co.deblur(b, PSF, noise="poisson", max_steps=3).report


def test_the_excess_of_the_scene_itself_is_one_on_average():
    A = co.convolution(PSF, dots().shape, boundary="wrap")
    mean = np.maximum(np.asarray(A @ dots()), 0)
    whole, masked = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        b, keep = jnp.asarray(rng.poisson(mean).astype(np.float32)), rng.random(mean.shape) > 0.3
        whole.append(excess(A, b, jnp.asarray(dots())))
        masked.append(excess(co.mask(keep) @ A, jnp.where(keep, b, 1e6), jnp.asarray(dots())))
    assert abs(np.mean(whole) - 1) < 0.15
    assert abs(np.mean(masked) - 1) < 0.15


def test_where_no_weight_helps_it_stays():
    A, b = counts(dots(), boundary="wrap")
    tried = []

    def solve(weight, x0):
        tried.append(float(weight))
        flat = jnp.full(b.shape, float(b.mean()), jnp.float32)
        return Solution(
            x=flat,
            converged=jnp.asarray(True),
            num_steps=1,
            residual_norm=0.0,
            objective=0.0,
            history={},
            code=CONVERGED,
        )

    _, weight = fitting_weight(solve, A, jnp.asarray(b), jnp.asarray(0.5))
    assert weight == 0.5
    assert len(tried) == 2
