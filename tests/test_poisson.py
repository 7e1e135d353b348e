"""Methods for Poisson data against loops of the formulas in NumPy, and what they must never do."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
import scipy.stats

import convops as co
from convops.solvers.counted import apart
from convops.solvers.photons import counts_photons, expected_deviance, photons_per_unit

X64 = jax.config.jax_enable_x64
TOLERANCE = 1e-10 if X64 else 2e-5
SHAPE = (24, 31)
RNG = np.random.default_rng(5)
PSF = RNG.random((5, 3)) + 0.05
PSF /= PSF.sum()
EVEN = RNG.random((4, 6)) + 0.05
EVEN /= EVEN.sum()
SCENE = np.zeros(SHAPE)
SCENE[3:20, 5:20] = 60.0
SCENE[10:14, 22:29] = 200.0
SCENE[0, 30] = 150.0
PLAIN = {"accelerate": False, "stop": None, "rtol": 0.0}


def data(A, background=0.0, seed=0):
    mean = np.asarray(A @ SCENE, float) + background
    return np.random.default_rng(seed).poisson(np.maximum(mean, 0)).astype(float)


def dense(A):
    return np.asarray(A.as_matrix(), float)


def kl(b, mean):
    return float(np.sum(mean - b + np.where(b > 0, b * np.log(np.where(b > 0, b, 1) / mean), 0)))


def plain(M, b, x, steps, background=0.0, kept=1.0):
    """Richardson-Lucy with matrices."""
    sensitivity = M.T @ (kept * np.ones(len(M)))
    for _ in range(steps):
        x = x * (M.T @ (kept * b / (M @ x + background))) / sensitivity
    return x


def error(got, wanted):
    return np.abs(np.ravel(got) - np.ravel(wanted)).max() / np.abs(wanted).max()


# ---------------------------------------------------------------- the formula


@pytest.mark.parametrize("psf", [PSF, EVEN], ids=["odd", "even"])
@pytest.mark.parametrize("boundary", ["zero", "wrap", "symmetric"])
@pytest.mark.parametrize("method", ["stencil", "fourier"])
def test_steps_equal_the_formula_with_matrices(psf, boundary, method):
    A = co.convolution(psf, SHAPE, boundary=boundary, method=method)
    b = data(A, 3.0)
    sol = co.richardson_lucy(A, b, background=3.0, x0=np.full(SHAPE, 40.0), max_steps=12, **PLAIN)
    wanted = plain(dense(A), b.ravel(), np.full(b.size, 40.0), 12, 3.0)
    assert error(sol.x, wanted) < TOLERANCE
    mean = dense(A) @ wanted + 3.0
    assert math.isclose(sol.objective, kl(b.ravel(), mean), rel_tol=1e-4 if not X64 else 1e-10)
    assert math.isclose(sol.residual_norm, np.linalg.norm(mean - b.ravel()), rel_tol=1e-4)
    assert sol.history["objective"].shape == (13,)
    assert int(sol.num_steps) == 12
    assert not bool(sol.converged)
    assert (np.diff(sol.history["objective"]) < 0).all()


@pytest.mark.parametrize("shape", [(5, 3), (7, 7)])
def test_without_normalisation_it_is_the_usual_algorithm_of_image_libraries(shape):
    psf = np.random.default_rng(1).random(shape)
    psf /= psf.sum()
    image = data(co.convolution(psf, SHAPE)) / 200
    wanted = np.full(SHAPE, 0.5)
    for _ in range(15):
        blurred = scipy.signal.convolve(wanted, psf, mode="same") + 1e-12
        wanted = wanted * scipy.signal.convolve(image / blurred, psf[::-1, ::-1], mode="same")
    sol = co.richardson_lucy(
        co.convolution(psf, SHAPE), image, normalize=False, x0=np.full(SHAPE, 0.5), max_steps=15, **PLAIN
    )
    assert error(sol.x, wanted) < (1e-9 if X64 else 1e-5)
    fair = co.richardson_lucy(co.convolution(psf, SHAPE), image, x0=np.full(SHAPE, 0.5), max_steps=15, **PLAIN)
    assert error(fair.x, wanted) > 0.01  # beside the edge


def test_acceleration_equals_the_formula_with_matrices():
    A = co.convolution(PSF, SHAPE)
    M, b = dense(A), data(A, 2.0).ravel()
    x = np.full(b.size, 40.0)
    sensitivity = M.T @ np.ones(b.size)
    before, change, point = x, None, x
    for _ in range(9):
        after = point * (M.T @ (b / (M @ point + 2))) / sensitivity
        new = after - point
        ahead = 0.0 if change is None else np.clip(new @ change / (change @ change), 0, 1)
        point, before, change = np.maximum(after + ahead * (after - before), 0.1 * after), after, new
    sol = co.richardson_lucy(A, b, background=2.0, x0=np.full(b.size, 40.0), stop=None, max_steps=9, rtol=0.0)
    assert sol.x.shape == b.shape
    assert error(sol.x, point) < 10 * TOLERANCE
    assert math.isclose(sol.objective, kl(b, M @ point + 2), rel_tol=1e-3)


@pytest.mark.slow
def test_total_variation_equals_the_formula_and_lowers_the_objective():
    A = co.convolution(PSF, SHAPE)
    M, b = dense(A), data(A, 2.0).ravel()
    n = (M.T @ np.ones(b.size)).reshape(SHAPE)
    level = (b.sum() - 2 * b.size) / n.sum()
    weight, smooth = 0.05, 0.01 * level

    def slopes(x):
        down = np.vstack([np.diff(x, axis=0), np.zeros((1, SHAPE[1]))])
        right = np.hstack([np.diff(x, axis=1), np.zeros((SHAPE[0], 1))])
        return down, right, np.sqrt(down**2 + right**2 + smooth**2)

    x = np.random.default_rng(2).random(SHAPE) * 30 + 40
    first = x
    for _ in range(6):
        down, right, size = slopes(x)
        p, q = n * down / size, n * right / size
        div = p + q
        div[1:] -= p[:-1]
        div[:, 1:] -= q[:, :-1]
        ratio = (M.T @ (b / (M @ x.ravel() + 2))).reshape(SHAPE)
        x = x * ratio / np.maximum(n - weight * div, 0.1 * n)
    sol = co.richardson_lucy(A, b.reshape(SHAPE), background=2.0, weight=weight, x0=first, max_steps=6, **PLAIN)
    assert error(sol.x, x) < 10 * TOLERANCE
    value = kl(b, M @ x.ravel() + 2) + weight * np.sum(n * (slopes(x)[2] - smooth))
    assert math.isclose(sol.objective, value, rel_tol=1e-4)
    assert float(sol.weight) == pytest.approx(weight)
    rough = co.richardson_lucy(A, b.reshape(SHAPE), background=2.0, max_steps=100, **PLAIN)
    flat = co.richardson_lucy(A, b.reshape(SHAPE), background=2.0, weight=weight, max_steps=100, **PLAIN)
    assert np.linalg.norm(flat.x - SCENE) < 0.95 * np.linalg.norm(rough.x - SCENE)
    assert float(flat.objective) < float(flat.history["objective"][20])


# ---------------------------------------------------------------- masks and unknown surroundings


def test_masked_data_do_not_count_even_where_they_are_garbage():
    A = co.convolution(PSF, SHAPE)
    b = data(A, 2.0)
    keep = np.random.default_rng(3).random(SHAPE) > 0.2
    options = {"x0": np.full(SHAPE, 30.0), "background": 2.0, "max_steps": 10, **PLAIN}
    wanted = plain(dense(A), b.ravel(), np.full(b.size, 30.0), 10, 2.0, keep.ravel().astype(float))
    spoilt = np.where(keep, b, -1e6)
    for operator, mask in ((A, keep), (co.mask(keep) @ A, None)):
        assert error(co.richardson_lucy(operator, spoilt, mask=mask, **options).x, wanted) < TOLERANCE


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.slow
def test_unknown_surroundings_and_weights(weighted):
    A = co.unknown_boundary(PSF, SHAPE)
    rng = np.random.default_rng(4)
    scene = np.asarray(jnp.zeros(A.in_shape).at[: SHAPE[0], : SHAPE[1]].set(SCENE + 5), float)
    b = rng.poisson(np.maximum(np.asarray(A @ scene, float), 0)).astype(float)
    keep = (rng.random(SHAPE) > 0.1) * (rng.random(SHAPE) + 0.5 if weighted else 1.0)
    M = dense(A)
    known = (M.T @ np.ones(b.size) > 1e-6) & (M.T @ keep.ravel() > 1e-3)
    x = np.full(M.shape[1], 20.0)
    for _ in range(8):
        ratio = np.ones_like(x)
        ratio[known] = (M.T @ (keep.ravel() * b.ravel() / (M @ x)))[known] / (M.T @ keep.ravel())[known]
        x = x * ratio
    seen = co.unknown_boundary(PSF, SHAPE, mask=keep)
    spoilt = np.where(keep > 0, b * keep, -3.0)
    sol = co.richardson_lucy(seen, spoilt, x0=np.full(A.in_shape, 20.0), max_steps=8, **PLAIN)
    assert error(np.asarray(sol.x).ravel()[known], x[known]) < (1e-9 if X64 else 1e-4)
    unseen = M.T @ keep.ravel() < 1e-9
    assert unseen.any()
    assert np.allclose(np.asarray(sol.x).ravel()[unseen], 20.0)
    assert 0.5 < 2 * float(sol.objective) / keep.sum() < 3
    stopped = co.richardson_lucy(seen, spoilt, max_steps=100)
    assert bool(stopped.converged)
    assert 1 < int(stopped.num_steps) < 60
    assert "as closely as their noise" in stopped.status


# ---------------------------------------------------------------- acceleration and stopping, on a photograph


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


def test_colours_are_not_compared_with_one_another():
    """Neither by the variation nor where photons are counted: each is deblurred as it would be alone."""
    A = co.convolution(PSF, (*SHAPE, 2), axes=(0, 1))
    alone = co.convolution(PSF, SHAPE)
    b = data(alone, 2.0)
    both = np.stack([b, 0.05 * b], -1)
    first = np.full((*SHAPE, 2), 30.0)
    options = {"weight": 0.05, "max_steps": 6, "background": 0.5, **PLAIN}
    sol = co.richardson_lucy(A, np.stack([b, b], -1), x0=first, **options)
    # what is rounded off of the gradient is a share of the mean, the same for both
    wanted = co.richardson_lucy(alone, b, x0=first[..., 0], **options)
    assert error(sol.x[..., 1], np.asarray(wanted.x)) < 10 * TOLERANCE
    assert math.isclose(sol.objective, 2 * wanted.objective, rel_tol=1e-4)
    rough = co.richardson_lucy(A, both, weight=0.0, x0=first, **{k: v for k, v in options.items() if k != "weight"})
    smooth = co.richardson_lucy(A, both, x0=first, **options)
    assert np.abs(np.diff(np.mean(np.asarray(smooth.x), (0, 1)))) > 0.9 * np.abs(
        np.diff(np.mean(np.asarray(rough.x), (0, 1)))
    )
    assert float(photons_per_unit(jnp.asarray(both * 4), axes=(0, 1))) > float(photons_per_unit(jnp.asarray(both * 4)))


@pytest.mark.parametrize("unit", [1e-20, 1e18])
def test_any_unit_in_single_precision(unit):
    A = co.convolution(PSF.astype("float32"), SHAPE)
    b = data(A, 2.0).astype("float32")
    wanted = co.richardson_lucy(A, b, background=2.0, weight=0.01)
    scale = np.float32(unit)
    sol = co.richardson_lucy(A, b * scale, background=2.0 * scale, weight=0.01)
    assert int(sol.num_steps) == int(wanted.num_steps)
    assert bool(sol.converged)
    assert error(np.asarray(sol.x) / scale, np.asarray(wanted.x)) < 1e-4
    assert float(sol.residual_norm) / unit == pytest.approx(float(wanted.residual_norm), rel=1e-3)


def test_derivatives_without_light():
    A = co.convolution(PSF, SHAPE)

    def told(b, weight):
        sol = co.richardson_lucy(A, b, weight=weight, max_steps=4, loop="scan")
        return jnp.sum(sol.x**2) + sol.residual_norm + sol.objective

    for b in (jnp.zeros(SHAPE), jnp.ones(SHAPE)):
        for slope in jax.grad(told, (0, 1))(b, 0.01):
            assert np.isfinite(np.asarray(slope)).all()


def test_masks_and_weights_are_one():
    A = co.unknown_boundary(PSF, SHAPE)
    rng = np.random.default_rng(4)
    weights, keep = rng.random(SHAPE) + 0.5, rng.random(SHAPE) > 0.2
    weights[3, 4:6] = 0
    b = rng.poisson(20.0, SHAPE) * weights
    once = co.unknown_boundary(PSF, SHAPE, mask=weights * keep)
    wanted = co.richardson_lucy(once, b, max_steps=6, rtol=0.0)
    weighted = co.unknown_boundary(PSF, SHAPE, mask=weights)
    for model in (weighted, co.diagonal(weights) @ A):
        spoilt = np.where(keep & (weights > 0), b, -1.0)
        sol = co.richardson_lucy(model, spoilt, mask=keep, max_steps=6, rtol=0.0)
        assert error(sol.x, np.asarray(wanted.x)) < 10 * TOLERANCE
        np.testing.assert_allclose(sol.history["excess"], wanted.history["excess"], rtol=1e-3, atol=1e-4)
    left, product = apart(co.mask(keep) @ co.diagonal(weights) @ A, float)
    assert left is A or left.keep is None
    np.testing.assert_allclose(product, weights * keep, rtol=1e-6)
    left, product = apart(co.mask(keep) @ weighted, float)
    assert left.keep is None
    np.testing.assert_allclose(product, weights * keep, rtol=1e-6)
    left, product = apart(co.mask(keep), float)
    assert left.in_shape == SHAPE
    np.testing.assert_allclose(product, keep)


def test_photons_of_a_line_and_of_one_sample():
    counts = np.random.default_rng(0).poisson(20.0, 900).astype(float) / 3
    assert float(photons_per_unit(jnp.asarray(counts))) == pytest.approx(3, rel=0.15)
    assert float(photons_per_unit(jnp.ones((1, 1)))) == 1
    assert float(photons_per_unit(jnp.ones((4, 5)))) == math.inf


# ---------------------------------------------------------------- never negative, never NaN


@pytest.mark.parametrize("method", ["fourier", "stencil"])
@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stars_on_nothing_stay_finite_and_positive(method, accelerate, dtype):
    """Spikes of 1e4 and a sky of 1e-6: the blur by FFT is negative in thousands of pixels."""
    if dtype == "float64" and not X64:
        pytest.skip("needs 64 bits")
    rng = np.random.default_rng(0)
    scene = np.full((64, 65), 1e-6)
    scene[rng.integers(0, 64, 20), rng.integers(0, 65, 20)] = 1e4
    A = co.convolution(np.asarray(co.psf.gaussian(2.0), dtype)[3:-3, 3:-3], scene.shape, boundary="wrap", method=method)
    b = rng.poisson(np.maximum(np.asarray(A @ scene, float), 0)).astype(dtype)
    for background in (0.0, 1e-3):
        sol = co.richardson_lucy(A, b, accelerate=accelerate, background=background, stop=None, max_steps=200, rtol=0.0)
        assert sol.x.dtype == dtype
        x = np.asarray(sol.x)
        assert np.isfinite(x).all()
        assert (x >= 0).all()
        assert np.isfinite(np.asarray(sol.history["objective"])).all()
        assert float(sol.objective) >= 0
        assert x.sum() == pytest.approx(b.sum(), rel=0.02)


@pytest.mark.slow
def test_no_light_gives_no_scene():
    A = co.convolution(PSF, SHAPE)
    for options in ({}, {"x0": np.ones(SHAPE)}, {"background": 1.0}, {"accelerate": False}, {"weight": 0.01}):
        sol = co.richardson_lucy(A, np.zeros(SHAPE), **options)
        assert np.abs(np.asarray(sol.x)).max() < 1e-6
        assert np.isfinite(np.asarray(sol.history["objective"])).all()
        assert float(sol.objective) >= 0
        assert bool(sol.converged)


def test_a_flat_scene_stays_flat():
    A = co.convolution(PSF, SHAPE)
    sol = co.richardson_lucy(A, A @ np.full(SHAPE, 7.0), weight=0.01, max_steps=20)
    assert np.allclose(sol.x, 7.0, rtol=1e-4)
    assert bool(sol.converged)


def test_zero_pixels_and_data_below_the_background():
    A = co.convolution(PSF, SHAPE)
    b = data(A)
    b[::3] = 0
    sol = co.richardson_lucy(A, b, background=20.0, max_steps=60, stop=None)
    assert np.isfinite(np.asarray(sol.x)).all()
    assert float(sol.x.min()) >= 0
    dark = co.richardson_lucy(A, np.ones(SHAPE), background=5.0, max_steps=100, stop=None)
    assert float(dark.x.max()) < 1e-2


def test_overflow_ends_at_a_finite_scene():
    if X64:
        pytest.skip("float32 overflows")
    A = co.convolution(PSF * 1e-30, SHAPE)
    sol = co.richardson_lucy(A, data(co.convolution(PSF, SHAPE)) * 1e12, stop=None, max_steps=5)
    assert np.isfinite(np.asarray(sol.x)).all()
    assert not bool(sol.converged)


# ---------------------------------------------------------------- transformations


@pytest.mark.slow
def test_loops_jit_vmap_and_gradients():
    A = co.convolution(PSF, SHAPE)
    b = jnp.asarray(data(A, 1.0))
    sol = co.richardson_lucy(A, b, background=1.0, max_steps=15)
    for loop in ("scan", "chunked"):
        other = co.richardson_lucy(A, b, background=1.0, max_steps=15, loop=loop)
        assert error(other.x, np.asarray(sol.x)) < TOLERANCE
        assert int(other.num_steps) == int(sol.num_steps)
    jitted = jax.jit(lambda A, b, dark: co.richardson_lucy(A, b, background=dark, max_steps=15))
    assert error(jitted(A, b, 1.0).x, np.asarray(sol.x)) < 10 * TOLERANCE
    many = jax.vmap(lambda b: co.richardson_lucy(A, b, background=1.0, max_steps=15))(jnp.stack([b, 0 * b, 2 * b]))
    assert error(many.x[0], np.asarray(sol.x)) < 10 * TOLERANCE
    assert float(jnp.abs(many.x[1]).max()) < 1e-6

    def loss(psf, b, weight):
        A = co.convolution(psf, SHAPE)
        options = {"weight": weight, "max_steps": 4, "stop": None, "rtol": 0.0, "loop": "scan", "background": 1.0}
        return jnp.sum((co.richardson_lucy(A, b, **options).x / 100 - SCENE / 100) ** 2)

    with jax.enable_x64(True):
        b = jnp.asarray(np.asarray(b, float)).at[3:5].set(0.0)
        psf = jnp.asarray(PSF)
        slopes = jax.grad(loss, (0, 1, 2))(psf, b, 0.01)
        direction = np.random.default_rng(0).standard_normal(PSF.shape)
        h = 1e-6
        numeric = (loss(psf + h * direction, b, 0.01) - loss(psf - h * direction, b, 0.01)) / (2 * h)
        assert float(jnp.sum(slopes[0] * direction)) == pytest.approx(float(numeric), rel=1e-4)
        numeric = (loss(psf, b, 0.01 + h) - loss(psf, b, 0.01 - h)) / (2 * h)
        assert float(slopes[2]) == pytest.approx(float(numeric), rel=1e-4)
        assert np.isfinite(np.asarray(slopes[1])).all()


def test_new_numbers_do_not_compile_anew():
    A = co.convolution(PSF, SHAPE)
    traces = []

    @jax.jit
    def run(A, b, background, weight):
        traces.append(1)
        return co.richardson_lucy(A, b, background=background, weight=weight, max_steps=3).x

    run(A, jnp.asarray(data(A)), 1.0, 0.01)
    run(co.convolution(PSF[::-1], SHAPE), jnp.asarray(data(A, seed=1)), 2.0, 0.02)
    assert len(traces) == 1


def test_nan_inside_jit_gives_a_finite_scene_and_says_so():
    A = co.convolution(PSF, SHAPE)
    sol = jax.jit(lambda A, b: co.richardson_lucy(A, b))(A, jnp.full(SHAPE, jnp.nan))
    assert np.isfinite(np.asarray(sol.x)).all()
    assert not bool(sol.converged)
    assert "finite" in sol.status


def test_a_callback_stops_it():
    A = co.convolution(PSF, SHAPE)
    sol = co.richardson_lucy(A, data(A), stop=None, callback=lambda told: told.step >= 10)
    assert int(sol.num_steps) == 10
    assert "callback" in sol.status


# ---------------------------------------------------------------- refusals


def test_refusals():
    A = co.convolution(PSF, SHAPE)
    b = data(A)
    wrong = [
        (lambda: co.richardson_lucy(A, -b), "negative"),
        (lambda: co.richardson_lucy(A, b + 1j), "complex"),
        (lambda: co.richardson_lucy(A, b[:3]), "shape"),
        (lambda: co.richardson_lucy(A, np.where(b > 5, np.nan, b)), "NaN"),
        (lambda: co.richardson_lucy(A, b, background=-1.0), "negative"),
        (lambda: co.richardson_lucy(A, b, background=np.ones(3)), "background"),
        (lambda: co.richardson_lucy(A, b, x0=-np.ones(SHAPE)), "x0"),
        (lambda: co.richardson_lucy(A, b, weight=-1.0), "weight"),
        (lambda: co.richardson_lucy(A, b, counts=-1.0), "counts"),
        (lambda: co.richardson_lucy(A, b, stop="early"), "stop"),
        (lambda: co.richardson_lucy(A, b, mask=np.ones(4)), "mask"),
        (lambda: co.richardson_lucy(b, b), "operator"),
    ]
    for call, text in wrong:
        with pytest.raises(ValueError, match=text):
            call()


def test_negative_kernels_are_warned_of_and_survived():
    sharp = PSF.copy()
    sharp[0, 0] = -0.05
    A = co.convolution(sharp, SHAPE)
    with pytest.warns(UserWarning, match="negative in places"):
        sol = co.richardson_lucy(A, data(co.convolution(PSF, SHAPE)), stop=None, max_steps=100)
    assert np.isfinite(np.asarray(sol.x)).all()
    assert float(sol.x.min()) >= 0
