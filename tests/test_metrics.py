"""Figures of merit and noise against their formulas in NumPy and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from comparing import X64

from convops import problems

RNG = np.random.default_rng(7)
TRUTH = RNG.uniform(10, 200, (23, 31))
NOISY = TRUTH + 9 * RNG.standard_normal(TRUTH.shape)
BLURRED = TRUTH + 20 * RNG.standard_normal(TRUTH.shape)
RTOL = 1e-12 if X64 else 2e-6


def close(got, wanted, rtol=RTOL):
    assert got.shape == ()
    assert got.dtype == (np.float64 if X64 else np.float32)
    np.testing.assert_allclose(got, wanted, rtol=rtol)


def mse(a, b):
    return np.mean((a - b) ** 2)


def reference_ssim(x, y, peak):
    """Wang et al. (2004), window by window."""

    def mean(a):
        taps = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
        for axis in range(a.ndim):
            a = scipy.ndimage.correlate1d(a, taps / taps.sum(), axis)
        return a[(slice(5, -5),) * a.ndim]

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    return np.mean((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))


# ---------------------------------------------------------------- metrics


def test_psnr():
    spread = TRUTH.max() - TRUTH.min()
    close(problems.psnr(NOISY, TRUTH), 10 * np.log10(spread**2 / mse(NOISY, TRUTH)))
    close(problems.psnr(NOISY, TRUTH, data_range=255), 10 * np.log10(255**2 / mse(NOISY, TRUTH)))
    inner = (slice(3, -3), slice(3, -3))
    close(problems.psnr(NOISY, TRUTH, crop=3), 10 * np.log10(spread**2 / mse(NOISY[inner], TRUTH[inner])))
    assert problems.psnr(TRUTH, TRUTH) == np.inf


def test_the_other_ratios():
    close(problems.isnr(NOISY, BLURRED, TRUTH), 10 * np.log10(mse(BLURRED, TRUTH) / mse(NOISY, TRUTH)))
    close(problems.bsnr(BLURRED, 3), 10 * np.log10(BLURRED.var() / 9))
    close(problems.snr(NOISY, TRUTH), 10 * np.log10(np.mean(TRUTH**2) / mse(NOISY, TRUTH)))
    close(problems.relative_error(NOISY, TRUTH), np.linalg.norm(NOISY - TRUTH) / np.linalg.norm(TRUTH))
    gain = problems.psnr(NOISY, TRUTH) - problems.psnr(BLURRED, TRUTH)
    close(problems.isnr(NOISY, BLURRED, TRUTH), gain, 10 * RTOL)


@pytest.mark.parametrize("peak", [None, 255.0, 3.0])
@pytest.mark.parametrize("part", [np.s_[:, :], np.s_[:11, 3:], np.s_[:, 5]])
def test_ssim(part, peak):
    x, y = NOISY[part], TRUTH[part]
    wanted = reference_ssim(x, y, np.ptp(y) if peak is None else peak)
    np.testing.assert_allclose(problems.ssim(x, y, data_range=peak), wanted, rtol=1e-10 if X64 else 1e-5, atol=1e-7)


def test_ssim_as_scikit_image_has_it():
    """scikit-image 0.26, structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)."""
    x = problems.photograph()[::3, ::5]
    noisy = problems.gaussian_noise(x, sigma=20, seed=4)
    for peak, theirs in ((255, 0.6068440436696357), (None, 0.6062563811276916)):
        np.testing.assert_allclose(problems.ssim(noisy, x, data_range=peak), theirs, rtol=1e-6)


@pytest.mark.parametrize("metric", [problems.psnr, problems.ssim, problems.snr, problems.relative_error])
def test_metrics_go_through_jit_vmap_and_grad(metric):
    batch = jnp.stack([jnp.asarray(NOISY), jnp.asarray(BLURRED)])
    truth = jnp.asarray(TRUTH)
    found = jax.jit(jax.vmap(lambda x: metric(x, truth)))(batch)
    np.testing.assert_allclose(found, [metric(NOISY, TRUTH), metric(BLURRED, TRUTH)], rtol=10 * RTOL)
    slope = jax.grad(lambda x: metric(x, truth))(batch[0])
    step = 1e-2 * RNG.standard_normal(TRUTH.shape)
    if X64:
        change = metric(NOISY + step / 100, TRUTH) - metric(NOISY - step / 100, TRUTH)
        np.testing.assert_allclose(50 * change, np.sum(slope * step), rtol=1e-5)
    assert np.isfinite(slope).all()


def test_relative_error_has_a_slope_at_the_truth():
    slope = jax.grad(lambda x: problems.relative_error(x, jnp.asarray(TRUTH)))(jnp.asarray(TRUTH))
    assert (slope == 0).all()


def test_metrics_take_integers_and_half_precision():
    x, y = np.arange(12, dtype=np.uint8).reshape(3, 4), np.full((3, 4), 5, np.uint8)
    close(problems.psnr(y, x), 10 * np.log10(11**2 / mse(y.astype(float), x.astype(float))))
    assert problems.psnr(jnp.asarray(x, jnp.float16), jnp.asarray(y, jnp.float16), data_range=1).dtype == np.float32


NAN = np.array([1.0, np.nan])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: problems.psnr([1.0, 2.0], [1.0]), r"`x` has shape \(2,\) and `truth` \(1,\)"),
        (lambda: problems.isnr([1.0], [1.0, 2.0], [1.0]), "`blurred` has shape"),
        (lambda: problems.psnr(NAN, NAN), "`x` holds NaN"),
        (lambda: problems.snr([1.0, 2.0], NAN), "`truth` holds NaN"),
        (lambda: problems.psnr([1j], [1.0]), "`x` is complex"),
        (lambda: problems.psnr([], []), "`x` is empty"),
        (lambda: problems.psnr([1.0], [1.0], data_range=0), "`data_range` is 0"),
        (lambda: problems.psnr([1.0, 2.0], [1.0, 2.0], crop=1), "`crop` is 1"),
        (lambda: problems.psnr([1.0], [1.0], crop=0.5), "`crop` is 0.5"),
        (lambda: problems.bsnr([1.0, 2.0], -1), "`noise` is -1"),
        (lambda: problems.ssim(np.ones((30, 10)), np.ones((30, 10))), "at least 11 samples"),
    ],
)
def test_metrics_refuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# ---------------------------------------------------------------- noise


def test_gaussian_noise_is_numpys_and_has_its_size():
    draw = np.random.default_rng(5).standard_normal(TRUTH.shape)
    rtol = 1e-12 if X64 else 1e-6
    np.testing.assert_allclose(problems.gaussian_noise(TRUTH, sigma=3, seed=5), TRUTH + 3 * draw, rtol=rtol)
    noisy = np.asarray(problems.gaussian_noise(TRUTH, level=0.05, seed=5), float)
    np.testing.assert_allclose(np.linalg.norm(noisy - TRUTH) / np.linalg.norm(TRUTH), 0.05, rtol=1e-10 if X64 else 1e-4)
    noisy = problems.gaussian_noise(TRUTH, bsnr=30, seed=5)
    sigma = np.sqrt(TRUTH.var() / 10**3)
    np.testing.assert_allclose(noisy, TRUTH + sigma * draw, rtol=rtol)
    close(problems.bsnr(TRUTH, sigma), 30)


def test_poisson_noise_has_the_variance_of_counts():
    b = np.repeat([[0.0], [0.5], [2.0]], 40_000, axis=1)
    with_key = jax.jit(lambda key: problems.poisson_noise(b, peak=50, seed=key))
    for found in (problems.poisson_noise(b, peak=50, seed=1), with_key(jax.random.key(1))):
        noisy = np.asarray(found, float)
        np.testing.assert_allclose(noisy.mean(1), [0, 0.5, 2], rtol=0.01)
        np.testing.assert_allclose(noisy.var(1), np.array([0, 0.5, 2]) * 2 / 50, rtol=0.05)  # mean / counts a unit
        counts = noisy * 25
        np.testing.assert_allclose(counts, np.round(counts), atol=1e-4)


@pytest.mark.parametrize("seed", [3, jax.random.key(3)])
def test_impulses(seed):
    b = np.full((300, 200), 0.5)
    salted = np.asarray(problems.salt_and_pepper_noise(b, 0.2, low=-1, high=2, seed=seed))
    shares = [np.mean(salted == v) for v in (-1, 0.5, 2)]
    np.testing.assert_allclose(shares, [0.1, 0.8, 0.1], atol=0.01)
    random = np.asarray(problems.random_valued_noise(b, 0.2, low=-1, high=2, seed=seed))
    hit = random != 0.5
    np.testing.assert_allclose(np.mean(hit), 0.2, atol=0.01)
    assert random.min() >= -1
    assert random.max() <= 2
    np.testing.assert_allclose([random[hit].mean(), random[hit].var()], [0.5, 9 / 12], atol=0.04)
    ends = np.asarray(problems.salt_and_pepper_noise([3.0, 4.0, 7.0] * 50, 1.0, seed=seed))
    assert set(ends.tolist()) == {3.0, 7.0}


def test_noise_goes_through_jit_and_vmap_with_keys():
    keys = jax.random.split(jax.random.key(2), 3)
    b = jnp.asarray(TRUTH)
    for add in (
        lambda b, k: problems.gaussian_noise(b, bsnr=20, seed=k),
        lambda b, k: problems.random_valued_noise(b, 0.1, seed=k),
    ):
        found = jax.jit(jax.vmap(add, (None, 0)))(b, keys)
        assert found.shape == (3, *b.shape)
        np.testing.assert_allclose(found[1], add(b, keys[1]), rtol=1e-5)
        assert (found[0] != found[1]).any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: problems.gaussian_noise([1.0]), "exactly one of `level`, `sigma` and `bsnr`"),
        (lambda: problems.gaussian_noise([1.0], sigma=1, bsnr=2), "2 were given"),
        (lambda: problems.gaussian_noise([1.0], sigma=-1), "`sigma` is -1"),
        (lambda: problems.gaussian_noise([1.0], level="1"), "`level` is '1'"),
        (lambda: problems.gaussian_noise(NAN, sigma=1), "`b` holds NaN"),
        (lambda: problems.gaussian_noise([1.0], sigma=1, seed=-2), "`seed` is -2"),
        (lambda: problems.gaussian_noise([1.0], sigma=1, seed=None), "`seed` is None"),
        (lambda: problems.poisson_noise([1.0, -1.0], peak=3), "`b` has negative entries"),
        (lambda: problems.poisson_noise([0.0], peak=3), "none above zero"),
        (lambda: problems.poisson_noise([1.0], peak=0), "`peak` is 0"),
        (lambda: jax.jit(lambda b: problems.poisson_noise(b, peak=3))(jnp.ones(2)), "jax.random.key"),
        (lambda: problems.salt_and_pepper_noise([1.0], 1.5), "`fraction` is 1.5"),
        (lambda: problems.random_valued_noise([1.0], -0.5), "`fraction` is -0.5"),
    ],
)
def test_noise_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()
