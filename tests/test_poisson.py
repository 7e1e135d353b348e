"""Richardson-Lucy against loops of the formulas in NumPy, masks and unknown surroundings included."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from counting import EVEN, PLAIN, PSF, SCENE, SHAPE, TOLERANCE, X64, data, dense, error, kl, plain

import convops as co
from convops.solvers.photons import photons_per_unit


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
