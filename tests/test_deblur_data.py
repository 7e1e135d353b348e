"""What `deblur` does with levels, integers and kernels that are no point-spread functions."""

import numpy as np
import pytest

import convops as co

KERNEL = np.ones((9, 9)) / 81
SCENE = np.asarray(co.problems.photograph(), np.float64)[60:132, 60:132] / 255
TRUTH = SCENE[4:-4, 4:-4]
NOISE = 0.005
BLURRED = np.asarray(co.convolution(KERNEL, SCENE.shape, mode="valid") @ SCENE)
BLURRED = BLURRED + NOISE * np.random.default_rng(0).standard_normal(BLURRED.shape)


def gain(x, level=0.0, scale=1.0):
    restored = (np.asarray(x, np.float64) - level) / scale
    return float(co.problems.psnr(restored, TRUTH) - co.problems.psnr(BLURRED, TRUTH))


@pytest.mark.parametrize(
    "method",
    [
        "total_variation",
        pytest.param("plug_and_play", marks=pytest.mark.slow),
        pytest.param("tikhonov", marks=pytest.mark.slow),
        pytest.param("poisson", marks=pytest.mark.slow),
        pytest.param("richardson_lucy", marks=pytest.mark.slow),
    ],
)
def test_a_level_changes_nothing(method):
    usual = gain(co.deblur(BLURRED, KERNEL, noise=NOISE, method=method).x)
    assert usual > (2 if method == "richardson_lucy" else 4)
    raised = co.deblur(BLURRED + 100, 2 * KERNEL, noise=NOISE, method=method)
    assert abs(gain(raised.x, 50, 0.5) - usual) < 0.8  # for photons it moves zero, else nothing
    if method == "total_variation":
        assert abs(gain(raised.x, 50, 0.5) - usual) < 0.05
        steep = np.round(6550 + 655 * BLURRED).astype(np.uint16)
        assert gain(co.deblur(steep, KERNEL, noise=655 * NOISE).x, 6550, 655) > usual - 0.1


@pytest.mark.slow
def test_every_colour_has_a_level_and_zero_keeps_its_meaning():
    colours = np.stack([BLURRED, BLURRED + 500], -1)
    keep = np.ones(colours.shape, bool)
    keep[7, 9] = False
    colours[7, 9] = 1e6
    sol = co.deblur(colours, KERNEL, noise=NOISE, mask=keep)
    assert min(gain(sol.x[..., 0]), gain(sol.x[..., 1], 500)) > 5
    dark = np.where(BLURRED > 0.6, BLURRED, 0)
    sol = co.deblur(dark, KERNEL, noise=NOISE)
    assert "kept at or above zero" in sol.report
    assert float(sol.x.min()) >= 0


def test_integers_keep_their_range():
    bright = np.clip(np.round(900 * (BLURRED - 0.4)), 0, 255).astype(np.uint8)
    sol = co.deblur(bright, KERNEL, noise=2.0, max_steps=30)
    assert 0 <= float(sol.x.min()) <= 1
    assert 254 <= float(sol.x.max()) <= 255
    assert "clipped to 0 .. 255, the range of uint8" in sol.report
    wider = co.deblur(bright, KERNEL, noise=2.0, max_steps=30, clip=(-1000, 1000))
    assert float(wider.x.max()) > 260
    most = np.array([2**32 - 1], np.uint32)[0]
    tall = co.deblur(np.where(bright > 99, most, 0).astype(np.uint32), KERNEL, noise=1e6, max_steps=5)
    assert float(tall.x.max()) <= most


@pytest.mark.parametrize(
    "kernel",
    [0 * KERNEL, -KERNEL, [[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]], KERNEL - KERNEL.mean()],
    ids=["zeros", "negative", "laplacian", "rounding"],
)
def test_kernels_without_light_are_refused(kernel):
    with pytest.raises(ValueError, match="a point-spread function has a positive sum"):
        co.deblur(BLURRED, kernel)


def test_clipped_pictures_are_mentioned():
    low = np.quantile(BLURRED, 0.7)
    sol = co.deblur(np.minimum(BLURRED, low), np.ones((1, 1)))
    assert "30% of the pixels are at the maximum" in sol.report
    assert "`saturated`" in sol.report
    assert "saturated" not in co.deblur(BLURRED, np.ones((1, 1))).report


def test_a_point_undoes_nothing():
    sol = co.deblur(BLURRED + 7, 2 * np.ones((1, 1)))
    np.testing.assert_allclose(sol.x, (BLURRED + 7) / 2, rtol=1e-6)
    assert "nothing is to be undone: the PSF is a point" in sol.report
    assert bool(sol.converged)
