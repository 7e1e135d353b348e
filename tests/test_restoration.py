"""Published and earlier figures of whole restorations, on the bundled photograph of 256 x 256."""

import jax
import numpy as np
import pytest
from comparing import X64, needs_x64

import convops as co

PHOTOGRAPH = np.asarray(co.problems.photograph(), np.float64) / 255


@needs_x64
def test_objectives_of_the_fista_paper():
    """Beck & Teboulle's experiment: 9x9 Gaussian of 4 px, symmetric, 1e-3 noise, norm(Ax-b)^2 + 2e-5 norm(Wx)_1."""
    g = np.exp(-(np.arange(-4, 5) ** 2) / 32)
    A = co.convolution(np.outer(g, g) / g.sum() ** 2, PHOTOGRAPH.shape, boundary="symmetric")
    b = np.asarray(A @ PHOTOGRAPH) + 1e-3 * np.random.default_rng(0).standard_normal(PHOTOGRAPH.shape)
    penalty = co.L1(1e-5, transform=co.wavelet(PHOTOGRAPH.shape, "haar", levels=2))
    options = {"penalty": penalty, "x0": b, "step": 1.0, "restart": False, "rtol": 0.0, "max_steps": 200}
    for accelerate, wanted in (
        (False, (7.70036, 1.81341, 0.49414, 0.34947)),
        (True, (7.70036, 1.2134, 0.24865, 0.23891)),
    ):
        objective = 2 * np.asarray(co.fista(A, b, accelerate=accelerate, **options).history["objective"])
        np.testing.assert_allclose(objective[[1, 10, 100, 200]], wanted, rtol=1e-4)


@needs_x64
def test_minimum_of_the_ftvd_problem():
    """15x15 box, periodic, noise 1e-3, sum |Dx| + 5e4/2 norm(Ax-b)^2: 3482.76; FTVd's settings stop in 13 steps."""
    mu = 5e4
    A = co.convolution(np.ones((15, 15)) / 225, PHOTOGRAPH.shape, boundary="wrap")
    b = np.asarray(A @ PHOTOGRAPH) + 1e-3 * np.random.default_rng(0).standard_normal(PHOTOGRAPH.shape)
    penalty = co.TotalVariation(1 / mu, boundary="wrap")
    sol = co.admm(A, b, penalty=penalty, x0=b, rho=10 / mu, dual_step=1.618, change=1e-3, rtol=0.0, max_steps=50)
    assert bool(sol.converged)
    assert int(sol.num_steps) <= 20
    np.testing.assert_allclose(mu * co.admm(A, b, penalty=penalty).objective, 3482.76, rtol=1e-5)


@pytest.mark.slow
@needs_x64
def test_minimum_of_the_ftvd_problem_by_other_methods():
    mu = 5e4
    A = co.convolution(np.ones((15, 15)) / 225, PHOTOGRAPH.shape, boundary="wrap")
    b = np.asarray(A @ PHOTOGRAPH) + 1e-3 * np.random.default_rng(0).standard_normal(PHOTOGRAPH.shape)
    penalty = co.TotalVariation(1 / mu, boundary="wrap")
    np.testing.assert_allclose(mu * co.pdhg(A, b, penalty=penalty, max_steps=1200).objective, 3482.76, rtol=1e-5)
    np.testing.assert_allclose(mu * co.fista(A, b, penalty=penalty, rtol=0.0).objective, 3482.76, rtol=1e-4)


@needs_x64
def test_fifty_steps_on_the_siemens_star():
    """SCICO's example: weight 2e-2, 50 steps. Published: 22.05 dB, star and noise by other programs."""
    penalty, found = co.TotalVariation(2e-2, boundary="wrap"), []
    for seed in range(5):
        p = co.problems.siemens_star(seed=seed)
        sol = co.admm(p.A, p.b, penalty=penalty, rtol=0.0, max_steps=50)
        assert sol.num_steps == 50
        found.append(p.psnr(sol.x))
    assert abs(np.mean(found) - 22.05) < 0.1
    assert abs(np.mean(found) - 22.138) < 0.005


@pytest.mark.parametrize(("number", "least"), [pytest.param(3, 6.9, marks=pytest.mark.slow), (6, 2.5)])
def test_total_variation_in_the_classical_experiments(number, least):
    problem = co.problems.classical(number, image=co.problems.photograph(), seed=0)
    sol = co.total_variation(problem.A, problem.b, noise=problem.noise)
    assert bool(sol.converged)
    assert float(co.problems.isnr(sol.x, problem.b, problem.truth)) >= least - 0.1


def recorded(kernel, bsnr):
    b = np.asarray(co.convolution(kernel, PHOTOGRAPH.shape, mode="valid") @ PHOTOGRAPH)
    sigma = np.sqrt(b.var() / 10 ** (bsnr / 10))
    start = [n - 1 - n // 2 for n in kernel.shape]
    truth = PHOTOGRAPH[tuple(slice(s, s + n) for s, n in zip(start, b.shape, strict=True))]
    return b + sigma * np.random.default_rng(0).standard_normal(b.shape), truth, sigma


@pytest.mark.parametrize(
    ("kernel", "least"),
    [
        (np.ones((9, 9)) / 81, 27.8),
        pytest.param(np.asarray(co.psf.motion(21, angle=20.0)), 28.5, marks=pytest.mark.slow),
    ],
)
def test_deblur_chooses_well(kernel, least):
    b, truth, sigma = recorded(kernel, 40)
    sol = co.deblur(b.astype(np.float32), kernel)
    assert sol.x.shape == truth.shape
    assert bool(sol.converged)
    assert float(co.problems.psnr(sol.x, truth)) >= least
    told = float(sol.report.splitlines()[0].split()[1].rstrip(","))
    assert abs(told / sigma - 1) < 0.1
    assert "method: total_variation" in sol.report


@pytest.mark.slow
def test_deblur_keeps_range_colours_and_masks():
    kernel = np.asarray(co.psf.motion(7, angle=30.0))
    b, truth, _ = recorded(kernel, 30)
    b, truth = b[:90, :83], truth[:90, :83]
    colours = np.stack([b, 0.5 * b, b**2], -1)
    whole = np.clip(np.round(255 * colours), 0, 255).astype(np.uint8)
    sol = co.deblur(whole, kernel, clip=(0, 255))
    assert sol.x.shape == whole.shape
    assert 0 <= float(sol.x.min()) < float(sol.x.max()) <= 255
    assert float(co.problems.psnr(sol.x[..., 0] / 255, truth)) > float(co.problems.psnr(b, truth)) + 2
    spoilt = np.array(b, np.float32)
    spoilt[::9, ::7] = 5.0
    masked = co.deblur(spoilt, kernel, saturated=2.0)
    assert float(co.problems.psnr(masked.x, truth)) > float(co.problems.psnr(b, truth)) + 2
    assert "left out: 120 pixels" in masked.report


@pytest.mark.parametrize("method", ["tikhonov", "richardson_lucy", "plug_and_play"])
@pytest.mark.slow
def test_deblur_by_other_methods(method):
    kernel = np.asarray(co.psf.gaussian(1.5))
    b, truth, _ = recorded(kernel, 30)
    b, truth = b[100:164, 60:130].astype(np.float32), truth[100:164, 60:130]
    sol = co.deblur(b, kernel, method=method)
    assert f"method: {method}" in sol.report
    assert float(co.problems.psnr(sol.x, truth)) > float(co.problems.psnr(b, truth)) + 0.5


@pytest.mark.slow
def test_photons_are_recognised():
    kernel = np.asarray(co.psf.gaussian(2.0))
    b, truth, _ = recorded(kernel, 60)
    counts = np.random.default_rng(4).poisson(200 * np.maximum(b, 0))
    sol = co.deblur(counts, kernel)
    assert "of photons" in sol.report
    assert "method: poisson" in sol.report
    assert float(co.problems.psnr(sol.x / 200, truth)) > float(co.problems.psnr(counts / 200, truth)) + 1.5
    assert float(sol.x.min()) >= 0
    plain = co.deblur(b + 0.03 * np.random.default_rng(5).standard_normal(b.shape) + 0.1, kernel)
    assert "of photons" not in plain.report


@pytest.mark.slow
def test_volumes():
    rng = np.random.default_rng(6)
    scene = np.zeros((14, 20, 22), np.float32)
    scene[3:8, 5:14, 4:17] = 1
    kernel = np.asarray(co.psf.gaussian(1.0, (3, 5, 5)), np.float32)
    b = np.asarray(co.convolution(kernel, scene.shape, mode="valid") @ scene)
    b = b + 0.01 * rng.standard_normal(b.shape).astype(np.float32)
    sol = co.deblur(b, kernel)
    truth = scene[1:-1, 2:-2, 2:-2]
    assert float(co.problems.psnr(sol.x, truth)) > float(co.problems.psnr(b, truth)) + 4


@pytest.mark.parametrize(
    ("image", "psf", "options", "message"),
    [
        (np.ones((5, 6)), np.ones(3), {"channel_axis": None, "boundary": "mirror"}, "`boundary` is 'mirror'"),
        (np.ones((5, 6)), np.ones((3, 3)), {"method": "best"}, "`method` is 'best'"),
        (np.ones((5, 6)), np.ones((3, 3)), {"noise": "gaussian"}, "`noise` is 'gaussian'"),
        (np.ones((5, 6)), np.ones((3, 3, 3)), {}, "`image` has shape"),
        (np.full((5, 6), np.nan), np.ones((3, 3)), {}, "NaN"),
        (np.ones((5, 6)), np.ones((3, 3)), {"saturated": 0.5}, "leave no pixel"),
        (np.ones((5, 6)) * 1j, np.ones((3, 3)), {}, "complex"),
        (np.ones((1, 1)), np.ones((1, 1)), {}, "one pixel"),
    ],
)
def test_refusals(image, psf, options, message):
    with pytest.raises(ValueError, match=message):
        co.deblur(image, psf, **options)


@pytest.mark.slow
def test_the_picture_does_not_depend_on_units():
    kernel = np.asarray(co.psf.gaussian(1.2), np.float32)
    b, _, _ = recorded(kernel, 30)
    b = b[100:164, 60:130].astype(np.float32)
    usual = np.asarray(co.deblur(b, kernel, noise=0.01).x)
    for factor in (1e-20, 1e18):
        sol = co.deblur(np.float32(factor) * b, kernel, noise=0.01 * factor)
        np.testing.assert_allclose(np.asarray(sol.x, np.float64) / factor, usual, atol=2e-3)
    sol = co.deblur(b, 300 * kernel, noise=0.01)
    assert "the PSF sums to 300" in sol.report
    np.testing.assert_allclose(300 * np.asarray(sol.x), usual, atol=2e-3)
    np.testing.assert_allclose((np.asarray(co.deblur(2 * b - 1, kernel, noise=0.02).x) + 1) / 2, usual, atol=2e-3)
    weights = co.deblur(b, kernel, noise=0.01, mask=np.full(b.shape, 255, np.uint8))
    np.testing.assert_allclose(weights.x, usual, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "powers"), [("total_variation", (1, 1)), ("tikhonov", (0, 2))])
def test_weights_and_curves_are_in_the_units_of_the_data(method, powers):
    """1/2 norm(A x - b)^2 + weight R(x), for the kernel and the image as they came."""
    kernel = np.asarray(co.psf.gaussian(1.2), np.float32)
    b = recorded(kernel, 30)[0][100:148, 60:110].astype(np.float32)
    unit, total = 2.0**40, 4.0
    usual, sol = (co.deblur(u * b, s * kernel, noise=0.01 * u, method=method) for u, s in ((1, 1), (unit, total)))
    factor = unit ** powers[0] * total ** powers[1]
    np.testing.assert_allclose(sol.weight, factor * usual.weight, rtol=1e-3)
    np.testing.assert_allclose(sol.objective, unit**2 * usual.objective, rtol=1e-3)
    for name, power in (("residual_norm", 1), ("objective", 2)):
        if name in sol.history:
            last = int(sol.num_steps)
            np.testing.assert_allclose(sol.history[name][last], unit**power * usual.history[name][last], rtol=1e-2)
    again = co.deblur(unit * b, total * kernel, noise=0.01 * unit, method=method, weight=sol.weight)
    np.testing.assert_allclose(np.asarray(again.x) / unit, np.asarray(sol.x) / unit, atol=1e-3)
    if method == "tikhonov":
        assert sol.selection.weights[0] < sol.weight < sol.selection.weights[-1]


@pytest.mark.slow
def test_masked_pixels_are_not_looked_at():
    kernel = np.asarray(co.psf.gaussian(1.2), np.float32)
    b, _, _ = recorded(kernel, 30)
    b = b[100:164, 60:130].astype(np.float32)
    keep = np.ones(b.shape, bool)
    keep[10, 11] = keep[40, 3] = False
    wrong = b.copy()
    wrong[~keep] = 65535, -9999
    left, right = (co.deblur(data, kernel, mask=keep) for data in (b, wrong))
    np.testing.assert_allclose(left.x, right.x, atol=1e-5)
    np.testing.assert_allclose(left.weight, right.weight, rtol=1e-5)


def test_it_is_refused_under_jit():
    with pytest.raises(ValueError, match="inside of them use"):
        jax.jit(lambda image: co.deblur(image, np.ones((3, 3)) / 9).x)(np.ones((20, 20)))


@pytest.mark.slow
def test_precision():
    sol = co.deblur(PHOTOGRAPH[:40, :50].astype(np.float32), np.ones((3, 3)) / 9)
    assert sol.x.dtype == np.float32
    sol = co.deblur(PHOTOGRAPH[:40, :50], np.ones((3, 3)) / 9)
    assert sol.x.dtype == (np.float64 if X64 else np.float32)
