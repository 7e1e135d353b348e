"""What `deblur` takes, refuses and says: the pictures that nobody thinks of."""

import numpy as np
import pytest

import convops as co
from convops.solvers.posing import task_of

X64 = np.asarray(co.convolution([1.0], 1).kernel).dtype == np.float64
KERNEL = np.asarray(co.psf.gaussian((1.2, 1.7), (7, 9), angle=30.0), np.float32)
SCENE = np.zeros((40, 44), np.float32)
SCENE[8:24, 10:36] = 0.8
SCENE[20:34, 20:40] = 0.4
BLURRED = np.asarray(co.convolution(KERNEL, SCENE.shape, boundary="symmetric") @ SCENE)
BLURRED = BLURRED + np.float32(0.005) * np.random.default_rng(3).standard_normal(SCENE.shape, np.float32)


def blurred(**options):
    return co.deblur(BLURRED, KERNEL, **{"noise": 0.005, "max_steps": 3} | options)


@pytest.mark.parametrize(
    ("method", "kept"),
    [
        ("total_variation", True),
        pytest.param("tikhonov", False, marks=pytest.mark.slow),
        pytest.param("plug_and_play", False, marks=pytest.mark.slow),
    ],
)
def test_what_is_said_of_zero_is_true(method, kept):
    sol = blurred(method=method)
    assert ("kept at or above zero" in sol.report) == kept
    assert (float(sol.x.min()) >= 0) == kept


def test_masked_pixels_may_hold_anything():
    spoilt = BLURRED.copy()
    spoilt[3, 4], spoilt[30, 7] = np.nan, np.inf
    keep = np.isfinite(spoilt)
    zeroed = co.deblur(np.where(keep, spoilt, 0), KERNEL, noise=0.005, max_steps=3, mask=keep)
    np.testing.assert_array_equal(co.deblur(spoilt, KERNEL, noise=0.005, max_steps=3, mask=keep).x, zeroed.x)
    spoilt[3, 4] = np.inf
    over = co.deblur(spoilt, KERNEL, noise=0.005, max_steps=3, saturated=2.0)
    np.testing.assert_array_equal(over.x, zeroed.x)


@pytest.mark.parametrize("level", [0.0, 0.7])
@pytest.mark.parametrize("method", ["poisson", "total_variation"])
def test_nothing_is_found_in_a_constant(level, method):
    sol = co.deblur(np.full((12, 13), level), KERNEL, method=method, noise=0.01)
    np.testing.assert_allclose(sol.x, level, atol=1e-6)
    assert bool(sol.converged)
    assert "maximum" not in sol.report


def test_the_brightest_pixel_of_a_small_picture_is_not_clipped():
    assert "at the maximum" not in co.deblur(BLURRED[:5, :7], KERNEL, noise=0.01, max_steps=1).report


def test_booleans_are_zero_and_one():
    sol = co.deblur(SCENE > 0.6, KERNEL, max_steps=20)
    assert 0 <= float(sol.x.min()) < float(sol.x.max()) <= 1
    assert "noise: 0.289" in sol.report
    assert "clipped to 0 .. 1, the range of bool" in sol.report


def test_the_axis_of_colours_is_told():
    said = lambda image, psf: task_of(image, psf, 0.1, "auto", None, None, None, "auto").said  # noqa: E731
    colours, kernels = np.stack([BLURRED] * 4, -1), np.stack([KERNEL] * 3, -1)
    assert "colours: 4, along the last axis; leave out alpha" in said(colours, KERNEL)
    assert "colours: 3, along the last axis" in said(colours[..., :3], KERNEL)
    assert any("blurred along all axes" in line for line in said(colours[..., :3], kernels))
    assert not any("axis" in line or "axes" in line for line in said(BLURRED, KERNEL))


def test_numpy_integers_limit_the_steps():
    assert int(blurred(max_steps=np.int64(2)).num_steps) == 2


def test_negative_pixels_are_told_of():
    assert "% of the pixels are negative: taken for zero" in blurred(method="richardson_lucy").report


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (BLURRED, {"clip": (1, 0)}, r"`clip` is \(1, 0\); give two numbers, the lower first"),
        (BLURRED, {"clip": 1}, "`clip` is 1;"),
        (BLURRED, {"clip": (None, 1)}, "`clip` is"),
        (BLURRED, {"clip": (0, np.nan)}, "`clip` is"),
        (BLURRED, {"saturated": "high"}, "`saturated` is 'high'"),
        (BLURRED, {"saturated": np.ones(3)}, "`saturated` is"),
        (np.where(SCENE > 0, np.nan, 0), {"saturated": 2.0}, "`image` holds NaN"),
        (BLURRED, {"mask": np.full(BLURRED.shape, np.nan)}, "`mask` holds NaN"),
        (BLURRED, {"method": np.ones(2)}, "`method` is"),
        (BLURRED, {"channel_axis": 0}, "with a `channel_axis` give an image of one axis more"),
        (BLURRED - 1, {"method": "poisson"}, "counts of photons cannot have"),
        (BLURRED - 1, {"noise": "poisson"}, "counts of photons cannot have"),
        (BLURRED.astype(np.float32) * np.float32(1e-38) * np.float32(1e-3), {}, "does not hold; scale"),
    ],
)
def test_refusals(image, options, message):
    with pytest.raises(ValueError, match=message):
        co.deblur(image, KERNEL, **options)


@pytest.mark.parametrize("factor", [1e300, 1e-300])
def test_numbers_at_the_ends_of_double_precision(factor):
    image = factor * BLURRED.astype(np.float64)
    if not X64:
        with pytest.raises(ValueError, match="float32 does not hold; scale"):
            co.deblur(image, KERNEL)
        return
    usual = co.deblur(BLURRED.astype(np.float64), KERNEL, noise=0.005, max_steps=3)
    sol = co.deblur(image, KERNEL, noise=0.005 * factor, max_steps=3)
    np.testing.assert_allclose(np.asarray(sol.x) / factor, usual.x, atol=1e-3)


def test_noise_undone_as_if_it_were_blur_is_told():
    assert "below the picture: noise" in co.deblur(BLURRED, KERNEL, weight=0, method="tikhonov").report
    assert "below the picture" not in blurred(method="tikhonov", max_steps=50).report


def test_a_psf_that_is_off_centre_is_told():
    off = co.deblur(BLURRED, np.pad(KERNEL, ((2, 0), (0, 0))), noise=0.005, max_steps=1).report
    assert "centre of mass lies +1.00, -0.00 pixels" in off or "centre of mass lies +1.00, +0.00 pixels" in off
    assert "centre of mass" not in blurred(max_steps=1).report
