"""Penalties: values, proxes of one number, algebra and refusals, against NumPy loops and fine grids."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from differencing import differences

import convops as co

X64 = jnp.zeros(()).dtype == "float64"
TIGHT = 1e-11 if X64 else 2e-5
SHAPE = (4, 5)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_values_against_loops(rng):
    x, mean, w = rng.standard_normal(SHAPE), rng.standard_normal(SHAPE), rng.random(SHAPE)
    dx, dy = (D @ x.ravel() for D in differences(SHAPE, "symmetric"))
    wx, wy = (D @ x.ravel() for D in differences(SHAPE, "wrap"))
    huber = lambda t: sum(a**2 / 0.8 if a <= 0.4 else a - 0.2 for a in t)  # noqa: E731
    wanted = [
        (co.Quadratic(None, 0.7, mean=mean), 0.35 * ((x - mean) ** 2).sum()),
        (co.Quadratic("gradient", 0.7), 0.35 * (dx**2 + dy**2).sum()),
        (co.L1(0.3), 0.3 * sum(abs(v) for v in x.flat)),
        (co.L1(w), sum(a * abs(v) for a, v in zip(w.flat, x.flat, strict=True))),
        (co.L1(0.3, transform="gradient"), 0.3 * (abs(dx) + abs(dy)).sum()),
        (co.GroupL1(0.3), 0.3 * sum(np.sqrt(sum(v**2 for v in column)) for column in x.T)),
        (co.GroupL1(0.3, axis=(0, 1)), 0.3 * np.linalg.norm(x)),
        (co.TotalVariation(0.3), 0.3 * np.sqrt(dx**2 + dy**2).sum()),
        (co.TotalVariation(0.3, boundary="wrap"), 0.3 * np.sqrt(wx**2 + wy**2).sum()),
        (co.TotalVariation(0.3, isotropic=False), 0.3 * (abs(dx) + abs(dy)).sum()),
        (co.TotalVariation(0.3, axes=-1), 0.3 * abs(dy).sum()),
        (co.TotalVariation(0.3, channel_axis=-1), 0.3 * np.sqrt((dx.reshape(SHAPE) ** 2).sum(1)).sum()),
        (co.TotalVariation(w), sum(w.ravel() * np.sqrt(dx**2 + dy**2))),
        (co.Huber(0.3, delta=0.4), 0.3 * huber(abs(x).flat)),
        (co.Huber(0.3, delta=0.4, transform="gradient"), 0.3 * huber(np.sqrt(dx**2 + dy**2))),
        (co.HyperLaplacian(0.3, power=0.6), 0.3 * sum(abs(v) ** 0.6 for v in x.flat)),
        (co.L1(0.3) + 2.0 * co.Quadratic(), 0.3 * abs(x).sum() + (x**2).sum()),
        (co.NonNegative(), np.inf),
        (co.Box(-9.0, 9.0), 0.0),
        (co.Simplex(x.sum()) if x.sum() > 0 else co.Simplex(), np.inf),
    ]
    for penalty, value in wanted:
        np.testing.assert_allclose(penalty(x), value, rtol=max(TIGHT, 1e-12), err_msg=repr(penalty))
    assert co.Simplex(2.5)([0.5, 2.0, 0.0]) == 0
    assert co.L1(2.0)([3 + 4j, 0.0]) == 10


def test_vector_total_variation_is_one_norm_over_colours_and_directions(rng):
    x = rng.standard_normal((3, 4, 2))
    total = 0.0
    for i, j in np.ndindex(3, 4):
        total += np.sqrt(
            sum((x[i + 1, j, c] - x[i, j, c]) ** 2 * (i < 2) if i < 2 else 0.0 for c in range(2))
            + sum((x[i, j + 1, c] - x[i, j, c]) ** 2 if j < 3 else 0.0 for c in range(2))
        )
    np.testing.assert_allclose(co.TotalVariation(channel_axis=2)(x), total, rtol=1e-5)


SCALAR = {
    "L1": co.L1(0.6),
    "Huber": co.Huber(0.6, delta=0.5),
    "quadratic": co.Quadratic(None, 0.6, mean=0.4),
    **{f"power {p:.3f}": co.HyperLaplacian(0.6, power=p) for p in (0.1, 0.3, 0.5, 2 / 3, 0.9)},
    "box": co.Box(-0.5, 1.0),
    "L1 in a box": co.L1(0.6) + co.Box(0.3, 1.0),
    "Huber, non-negative, quadratic": co.Huber(0.6, delta=0.5) + co.NonNegative() + co.Quadratic(None, 0.5, mean=1.0),
    "power, non-negative": co.HyperLaplacian(0.6, power=0.7) + co.NonNegative(),
}


@pytest.mark.parametrize("name", SCALAR)
@pytest.mark.parametrize("step", [0.2, 1.0, 4.0])
def test_scalar_prox_against_a_grid(name, step):
    penalty, x = SCALAR[name], np.array([-4.0, -1.3, -0.4, 0.0, 0.2, 0.9, 1.2, 1.7, 5.0])
    found = np.asarray(penalty.prox(x, step))
    grid = np.sort(np.append(np.linspace(-6, 6, 24001), found))
    values = np.asarray(jax.vmap(lambda u: penalty(u[None]))(jnp.asarray(grid)), np.float64)
    for v, u in zip(x, found, strict=True):
        objective = values + (grid - v) ** 2 / (2 * step)
        best = objective.min()
        assert objective[np.searchsorted(grid, u)] <= best + (1e-12 if X64 else 1e-5)
        assert abs(u - grid[objective <= best + 1e-9]).min() <= 2e-3


def test_hyper_laplacian_jumps_where_both_minima_are_equal():
    step, edge = 0.7, {}
    for power in (0.5, 2 / 3, 0.35):
        x = np.linspace(0, 4, 4001)
        u = np.asarray(co.HyperLaplacian(power=power).prox(x, step))
        edge[power] = x[u > 0][0]
        tau = (2 - power) / (2 * (1 - power)) * (2 * (1 - power) * step) ** (1 / (2 - power))
        assert abs(edge[power] - tau) < 2e-3
    closed = co.HyperLaplacian(power=0.5).prox(x, step)
    newton = co.HyperLaplacian(power=0.5 + 1e-8).prox(x, step)
    np.testing.assert_allclose(closed, newton, atol=1e-6 if X64 else 1e-3)
    np.testing.assert_allclose(
        co.HyperLaplacian(power=2 / 3).prox(x, step),
        co.HyperLaplacian(power=2 / 3 + 1e-8).prox(x, step),
        atol=1e-6 if X64 else 1e-3,
    )
    np.testing.assert_allclose(co.HyperLaplacian(0.0).prox(x), x, rtol=1e-6)


def test_complex_numbers_keep_their_phase(rng):
    z = rng.standard_normal(6) + 1j * rng.standard_normal(6)
    for penalty in (co.L1(0.4), co.Huber(0.4, delta=0.3), co.HyperLaplacian(0.4)):
        wanted = np.asarray(penalty.prox(abs(z))) * z / abs(z)
        np.testing.assert_allclose(penalty.prox(z), wanted, rtol=1e-5, atol=1e-6)


def test_algebra():
    a, b, c = co.L1(0.5), co.NonNegative(), co.TotalVariation(0.2)
    whole = sum([a, b, c])
    assert [type(p) for p in whole.parts] == [co.L1, co.NonNegative, co.TotalVariation]
    assert len((a + (b + c)).terms((3, 4))) == 3
    assert (a + b).exact
    assert not whole.exact
    assert (2.0 * a).weight == (a * 2).weight == (np.float64(2.0) * a).weight == 1.0
    assert (2.0 * (a + c)).parts[1].weight == jnp.asarray(0.4)
    assert isinstance(2.0 * b, co.NonNegative)
    assert repr(a + b) == "L1(weight=0.5) + NonNegative()"
    assert co.Huber(delta=1.0).smooth
    assert (co.Huber(delta=1.0) + co.Quadratic()).smooth
    assert not whole.smooth
    assert not (co.HyperLaplacian() + b).convex
    with pytest.raises(TypeError):
        _ = a + 1


def test_terms_split_the_penalty():
    ((D, f),) = co.TotalVariation(0.3, channel_axis=0).terms((3, 4, 5))
    assert (D.out_shape, f.axis, float(f.weight)) == ((2, 3, 4, 5), (0, 1), pytest.approx(0.3))
    ((K, f),) = co.L1(0.3, transform="gradient").terms(6)
    assert (K.out_shape, type(f)) == ((1, 6), co.L1)
    joint, (first, second) = co.TGV(0.5).lifted((4, 5))
    assert joint == first.operator.in_shape == (3, 4, 5)
    assert (first.operator.out_shape, second.operator.out_shape) == ((2, 4, 5), (3, 4, 5))
    with pytest.raises(ValueError, match="take `lifted`"):
        co.TGV().terms((4, 5))


def test_curvature_bounds():
    assert co.Quadratic(None, 3.0).curvature(5) == 3
    np.testing.assert_allclose(co.Huber(3.0, delta=0.5).curvature(5), 6)
    np.testing.assert_allclose(co.Quadratic("gradient", 2.0).curvature((32, 32)), 16, rtol=1e-2)
    both = co.Quadratic(None, 3.0) + co.Huber(1.0, delta=0.5)
    np.testing.assert_allclose(both.curvature(5), 5)
    with pytest.raises(ValueError, match="not smooth"):
        co.L1().curvature(5)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: co.L1(-1.0), "`weight` is -1; give finite non-negative"),
        (lambda: co.TotalVariation(np.nan), "`weight` is nan"),
        (lambda: co.GroupL1("large"), "`weight` is 'large'"),
        (lambda: co.L1(transform="wavelet"), "`transform` is 'wavelet'; give an operator"),
        (lambda: co.L1(transform=co.identity(3))([1.0, 2.0]), r"maps from \(3,\), but `x` has shape \(2,\)"),
        (lambda: co.L1([1.0, 2.0])([1.0, 2.0, 3.0]), r"`weight` has shape \(2,\)"),
        (lambda: co.L1().prox([1.0], 0.0), "`step` is 0"),
        (lambda: co.L1().prox([1.0], [1.0]), "`step` has shape"),
        (lambda: -1.0 * co.L1(), "`factor` is -1"),
        (lambda: co.Huber(delta=0.0), "`delta` is 0"),
        (lambda: co.HyperLaplacian(power=1.0), "`power` is 1.0"),
        (lambda: co.Box(2.0, 1.0), "no number lies between"),
        (lambda: co.Box(np.nan, 1.0), "`lower` is nan"),
        (lambda: co.Simplex(0.0), "`total` is 0"),
        (lambda: co.NonNegative()([1j]), "takes real arrays"),
        (lambda: co.GroupL1(axis=2)([[1.0]]), "`axis` is"),
        (lambda: co.TotalVariation(boundary="mirror"), "mirror"),
        (lambda: co.TotalVariation(axes=3)([1.0]), "`axes` is 3"),
        (lambda: co.TotalVariation(axes=(0, 1), channel_axis=-1)([[1.0]]), "among `axes`"),
        (lambda: co.TGV().prox(1.0), "no axis is left"),
        (lambda: co.Quadratic(mean=[1j])([1.0]), "`mean` is complex"),
        (lambda: co.TGV(boundary="zero"), "`boundary` is 'zero'"),
        (lambda: co.Quadratic(None, [1.0, 2.0]), "`weight` has shape"),
        (lambda: co.Quadratic(mean=[1.0, 2.0])([1.0]), "`mean` has shape"),
        (lambda: co.HyperLaplacian(transform="gradient").prox([1.0, 2.0]), "no prox is known"),
        (lambda: (co.HyperLaplacian() + co.TotalVariation()).prox([1.0, 2.0]), "no prox is known"),
        (lambda: (co.HyperLaplacian() + co.Box(0.5, 1.0)).prox([1.0, 2.0]), "no prox is known"),
        (lambda: (co.TGV() + co.TGV()).prox([1.0, 2.0]), "at most one TGV"),
        (lambda: co.L1().warm_prox([1.0], 1.0, (), -1), "`steps` is -1"),
    ],
)
def test_errors_are_sentences(make, text):
    with pytest.raises(ValueError, match=text):
        make()
