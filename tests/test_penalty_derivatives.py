"""Warm starts of proxes, and their derivatives, against differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import convops as co
from convops.penalties import dual

X64 = jnp.zeros(()).dtype == "float64"
SHAPE = (4, 5)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_warm_start_goes_on(rng):
    x = rng.standard_normal((12, 13))
    tv = co.TotalVariation(0.5)
    wanted = tv.prox(x)
    dual, errors = tv.dual_start(x), []
    for _ in range(5):
        u, dual = tv.warm_prox(x, 1.0, dual, steps=10)
        errors.append(float(jnp.linalg.norm(u - wanted)))
    assert errors[-1] < errors[0] / 5
    u, _ = tv.warm_prox(x + 1e-3, 1.1, dual, 10)
    cold, _ = tv.warm_prox(x + 1e-3, 1.1, tv.dual_start(x), 10)
    wanted = tv.prox(x + 1e-3, 1.1)
    assert jnp.linalg.norm(u - wanted) < jnp.linalg.norm(cold - wanted) / 3
    assert co.L1().dual_start(x) == ()


@pytest.mark.parametrize(
    "make",
    [co.L1, lambda w: co.Huber(w, delta=0.3), co.HyperLaplacian, co.GroupL1, lambda w: co.Quadratic("gradient", w)],
    ids=["L1", "Huber", "power", "group", "quadratic"],
)
def test_derivative_of_the_prox_in_the_weight(rng, make):
    x = rng.standard_normal(SHAPE)
    f = lambda w: jnp.sum(jnp.sin(make(w).prox(x, 0.6)))  # noqa: E731
    h = 1e-5 if X64 else 1e-2
    np.testing.assert_allclose(jax.grad(f)(0.31), (f(0.31 + h) - f(0.31 - h)) / (2 * h), rtol=1e-5 if X64 else 5e-2)


def test_derivative_through_warm_steps(rng):
    x = rng.standard_normal((4, 5))
    tv = co.TotalVariation(0.3) + co.NonNegative()
    f = lambda w, x: jnp.sum((w * tv).warm_prox(x, 0.6, tv.dual_start(x), 20)[0] ** 2)  # noqa: E731
    h = 1e-6 if X64 else 1e-2
    slope = jax.grad(f)(1.0, x)
    np.testing.assert_allclose(slope, (f(1 + h, x) - f(1 - h, x)) / (2 * h), rtol=1e-4 if X64 else 5e-2)
    assert np.isfinite(jax.grad(f, 1)(1.0, np.zeros(SHAPE))).all()  # at a constant image too


@pytest.mark.parametrize(
    "make",
    [
        co.TotalVariation,
        lambda w: co.L1(w, transform=co.laplacian(SHAPE)),
        lambda w: co.TotalVariation(w) + co.NonNegative(),
        co.TGV,
    ],
    ids=["variation", "analysis", "constrained", "TGV"],
)
def test_derivative_of_an_iterated_prox(rng, make):
    x, c = rng.standard_normal(SHAPE), rng.standard_normal(SHAPE)
    f = lambda w, x, step: jnp.sum(c * make(w).prox(x, step))  # noqa: E731
    point = (0.21, x, 0.6)
    slopes = jax.grad(f, (0, 1, 2))(*point)
    directions = [(1.0, 0 * x, 0.0), (0.0, rng.standard_normal(SHAPE), 0.0), (0.0, 0 * x, 1.0)]
    for index, direction in enumerate(directions):
        h = 1e-4 if X64 else 1e-2
        ends = [f(*(a + s * h * d for a, d in zip(point, direction, strict=True))) for s in (1, -1)]
        found = float(jnp.sum(slopes[index] * direction[index]))
        np.testing.assert_allclose(
            found, (ends[0] - ends[1]) / (2 * h), rtol=1e-3 if X64 else 0.1, atol=1e-3 if X64 else 0.05
        )
    if X64:
        forward = jax.jvp(f, point, (1.0, 0 * x, 0.0))[1]
        np.testing.assert_allclose(forward, slopes[0], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(not X64, reason="differences need double precision")
def test_derivative_of_a_prox_with_large_flat_regions(monkeypatch):
    """Within 1e-3 of the norm, of a prox that its tolerance leaves far from the solution for such differences."""
    rng = np.random.default_rng(2)
    x = np.kron(rng.uniform(0, 1, (3, 4)), np.ones((24, 20))) + 0.1 * rng.standard_normal((72, 80))
    c = rng.standard_normal(x.shape)
    prox = lambda w: co.TotalVariation(w).prox(x)  # noqa: E731
    slope = jax.jvp(prox, (0.2,), (1.0,))[1]
    backward = jax.grad(lambda w: jnp.sum(c * prox(w)))(0.2)
    monkeypatch.setattr(dual, "MOST", 50_000)
    monkeypatch.setattr(dual, "TOLERANCE", {64: 1e-13})
    jax.clear_caches()
    wanted = jnp.sum(c * (prox(0.2001) - prox(0.1999))) / 2e-4
    jax.clear_caches()
    for found in (backward, jnp.sum(c * slope)):
        assert abs(found - wanted) <= 1e-3 * jnp.linalg.norm(slope) * jnp.linalg.norm(c)


def test_weights_under_vmap_are_a_loop(rng):
    x, weights = rng.standard_normal(SHAPE), np.array([0.1, 0.4, 0.9])
    both = jax.vmap(lambda w: co.TotalVariation(w).prox(x))(weights)
    for u, w in zip(both, weights, strict=True):
        np.testing.assert_allclose(u, co.TotalVariation(w).prox(x), atol=1e-5)
    values = jax.vmap(lambda p: p(x))(co.L1(weights))
    np.testing.assert_allclose(values, weights * abs(x).sum(), rtol=1e-5)
