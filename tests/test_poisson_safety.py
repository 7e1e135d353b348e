"""Richardson-Lucy: never negative, never NaN, under every transformation; what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from counting import PSF, SCENE, SHAPE, TOLERANCE, X64, data, error

import convops as co
from convops.solvers.counted import apart


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

    @jax.jit
    def loss(psf, b, weight):
        A = co.convolution(psf, SHAPE)
        options = {"weight": weight, "max_steps": 4, "stop": None, "rtol": 0.0, "loop": "scan", "background": 1.0}
        return jnp.sum((co.richardson_lucy(A, b, **options).x / 100 - SCENE / 100) ** 2)

    with jax.enable_x64(True):
        b = jnp.asarray(np.asarray(b, float)).at[3:5].set(0.0)
        psf = jnp.asarray(PSF)
        slopes = jax.jit(jax.grad(loss, (0, 1, 2)))(psf, b, 0.01)
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
