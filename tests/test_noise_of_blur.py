"""The noise level of blurred data, and the weight of total variation that it gives."""

import jax
import numpy as np
import pytest

import convops as co
from convops.solvers.removed import noise_of_blur

SCENE = np.asarray(co.problems.photograph(), np.float64) / 255


def blurred(kernel, sigma, seed=0):
    b = np.asarray(co.convolution(kernel, SCENE.shape, mode="valid") @ SCENE)
    return b + sigma * np.random.default_rng(seed).standard_normal(b.shape)


@pytest.mark.parametrize("sigma", [0.001, 0.02])
@pytest.mark.parametrize(
    "kernel",
    [np.ones((9, 9)) / 81, np.asarray(co.psf.motion(21, angle=30.0)), np.asarray(co.psf.gaussian(2.0))],
    ids=["box", "motion", "gaussian"],
)
def test_it_is_seen_where_the_blur_removes_the_scene(kernel, sigma):
    b = blurred(kernel, sigma)
    for A in (co.unknown_boundary(kernel, b.shape), co.convolution(kernel, b.shape)):
        assert abs(float(noise_of_blur(A, jax.numpy.asarray(b), None)) / sigma - 1) < 0.07
    assert float(co.noise_level(b)) > 0.97 * sigma


@pytest.mark.parametrize(("blur", "most"), [(None, 1.2), (0.4, 1.2), (0.7, 1.15)])
def test_texture_is_no_noise_where_the_blur_removes_nothing(blur, most):
    kernel = np.ones((1, 1)) if blur is None else np.asarray(co.psf.gaussian(blur, (9, 9)))
    for sigma in (0.01, 0.03):
        b = jax.numpy.asarray(blurred(kernel, sigma))
        found = float(noise_of_blur(co.convolution(kernel, b.shape), b, None)) / sigma
        assert 0.95 < found < most
        assert blur == 0.7 or float(co.noise_level(b)) > 1.1 * found * sigma
    slope = jax.grad(lambda b: noise_of_blur(co.convolution(kernel, b.shape), b, None))(b)
    assert np.isfinite(slope).all()


def test_clipped_parts_are_not_taken_for_smooth():
    b = np.maximum(blurred(np.ones((1, 1)), 0.02), 0.1)
    b[:, :60] = 0.5
    found = float(noise_of_blur(co.convolution(np.ones((1, 1)), b.shape), jax.numpy.asarray(b), None))
    assert 0.7 * 0.02 < found < 1.3 * 0.02


def test_it_is_the_same_in_any_unit_and_has_a_derivative_at_zero():
    kernel = np.ones((9, 9)) / 81
    b = blurred(kernel, 0.01).astype("float32")
    A = co.convolution(kernel.astype("float32"), b.shape)
    wanted = noise_of_blur(A, jax.numpy.asarray(b), None)
    for unit in (1e-20, 1e18):
        found = noise_of_blur(A, jax.numpy.asarray(b * np.float32(unit)), None)
        np.testing.assert_allclose(found / unit, wanted, rtol=1e-3)
    slope = jax.grad(lambda b: noise_of_blur(A, b, None))(jax.numpy.zeros(b.shape))
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("solve", [co.dct_deblur, co.plug_and_play])
def test_restorations_take_it_where_no_noise_is_given(solve):
    kernel = np.ones((9, 9)) / 81
    scene = SCENE[:128, :100]
    A = co.convolution(kernel, scene.shape, boundary="wrap")
    b = jax.numpy.asarray(np.asarray(A @ scene) + 0.002 * np.random.default_rng(0).standard_normal(scene.shape))
    options = {} if solve is co.dct_deblur else {"steps": 2}
    found, told = solve(A, b, **options), solve(A, b, noise=noise_of_blur(A, b, None), **options)
    np.testing.assert_allclose(found.x, told.x, atol=1e-6)
    cruder = solve(A, b, noise=co.noise_level(b), **options)
    assert co.problems.psnr(found.x, scene) > co.problems.psnr(cruder.x, scene) + 0.03
    with pytest.raises(ValueError, match="one sample"):
        solve(co.convolution([[1.0]], (1, 1), boundary="wrap"), [[1.0]], **options)


def test_it_falls_back_to_the_finest_details():
    kernel = np.ones((5, 5)) / 25
    b = jax.numpy.asarray(blurred(kernel, 0.01)[:40, :37])
    small = noise_of_blur(co.unknown_boundary(kernel, b.shape), b, None)
    np.testing.assert_allclose(small, co.noise_level(b))
    kept = jax.numpy.asarray(np.random.default_rng(1).random(b.shape) > 0.1)
    masked = noise_of_blur(co.unknown_boundary(kernel, b.shape, mask=kept), b, kept)
    np.testing.assert_allclose(masked, co.noise_level(b, kept=kept))


def test_colours_are_taken_together():
    kernel = np.ones((9, 9)) / 81
    b = np.stack([blurred(kernel, 0.01, 1), 0.3 * blurred(kernel, 0.01, 2) + 0.01 * blurred(kernel, 0, 3)], -1)
    A = co.unknown_boundary(kernel, b.shape, axes=(0, 1))
    found = float(noise_of_blur(A, jax.numpy.asarray(b), None))
    assert 0.003 < found < 0.01


def test_the_weight_between_blur_and_denoising():
    b = blurred(np.ones((9, 9)) / 81, 0.01)
    span = b.max() - b.min()
    wide = co.convolution(np.ones((9, 9)) / 81, b.shape, boundary="wrap")
    np.testing.assert_allclose(co.total_variation_weight(wide, b, 0.01), 1e-4 / (0.14 * span), rtol=1e-5)
    # without blur half the noise level; the probe tells norm_F(A)^2 / n exactly where A is the identity
    np.testing.assert_allclose(co.total_variation_weight(co.identity(b.shape), b, 0.01), 0.005, rtol=1e-5)
    np.testing.assert_allclose(
        co.total_variation_weight(wide, b, 0.01, channels=3), 3**0.5 * 1e-4 / (0.14 * span), rtol=1e-5
    )
