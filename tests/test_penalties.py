"""Penalties against NumPy loops, fine grids, dense solves and SciPy's optimisers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import convops as co
from convops.penalties import lifting

X64 = jnp.zeros(()).dtype == "float64"
TIGHT, LOOSE = (1e-11, 1e-6) if X64 else (2e-5, 2e-4)
SHAPE = (4, 5)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def differences(shape, boundary, axes=None, backward=False):
    """Dense forward (or backward) differences along each axis, built by loops."""
    found = []
    for axis in range(len(shape)) if axes is None else axes:
        D = np.zeros((int(np.prod(shape)),) * 2)
        for here in np.ndindex(shape):
            place = list(here)
            place[axis] += -1 if backward else 1
            if boundary == "wrap":
                place[axis] %= shape[axis]
            elif not 0 <= place[axis] < shape[axis]:
                continue
            row, other = np.ravel_multi_index(here, shape), np.ravel_multi_index(place, shape)
            D[row, other] += -1 if backward else 1
            D[row, row] += 1 if backward else -1
        found.append(D)
    return np.array(found)


# ---------------------------------------------------------------- values


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


# ---------------------------------------------------------------- proxes of one number, on fine grids

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


# ---------------------------------------------------------------- proxes of arrays


def anisotropic(x, K, weight, step):
    """The prox of weight norm(K u)_1 by SciPy's bounded least squares on the dual."""
    p = scipy.optimize.lsq_linear(step * K.T, x.ravel(), (-weight, weight), tol=1e-14).x
    return x - step * (K.T @ p).reshape(x.shape)


@pytest.mark.parametrize("boundary", ["symmetric", "wrap"])
def test_anisotropic_total_variation_against_bounded_least_squares(rng, boundary):
    K = differences(SHAPE, boundary).reshape(-1, 20)
    for step in (0.5, 1.5):
        x = rng.standard_normal(SHAPE)
        penalty = co.TotalVariation(0.3, isotropic=False, boundary=boundary)
        np.testing.assert_allclose(penalty.prox(x, step), anisotropic(x, K, 0.3, step), atol=LOOSE)


def test_analysis_operator_against_bounded_least_squares(rng):
    K = rng.standard_normal((9, 20))
    x = rng.standard_normal(SHAPE)
    penalty = co.L1(0.2, transform=co.from_matrix(K, in_shape=SHAPE))
    np.testing.assert_allclose(penalty.prox(x, 0.8), anisotropic(x, K, 0.2, 0.8), atol=10 * LOOSE)


def smoothed(value, x, step, bounds=None, extra=0):
    """Minimise value(u, w) + norm(u - x)^2 / (2 step) by L-BFGS, for kinks rounded at 1e-5; needs a derivative."""

    def objective(v):
        u, w = v[: x.size], v[x.size :]
        f, (du, dw) = value(u, w)
        return f + ((u - x.ravel()) ** 2).sum() / (2 * step), np.append(du + (u - x.ravel()) / step, dw)

    options = {"maxiter": 20000, "maxfun": 40000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 50}
    start = np.append(x.ravel(), np.zeros(extra))
    bounds = None if bounds is None else [bounds] * x.size + [(None, None)] * extra
    return scipy.optimize.minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x


def rounded(z):
    """The sum of the lengths of the columns of z, a little rounded, and its derivative."""
    size = np.sqrt((z**2).sum(0) + 1e-10)
    return size.sum(), z / size


@pytest.mark.parametrize("bounds", [None, (-0.2, 0.6)])
def test_isotropic_total_variation_against_lbfgs(rng, bounds):
    D, x = differences(SHAPE, "symmetric"), rng.standard_normal(SHAPE)

    def value(u, w):
        f, slope = rounded(D @ u)
        return 0.3 * f, (0.3 * np.einsum("kij,ki->j", D, slope), w)

    wanted = smoothed(value, x, 0.7, bounds).reshape(SHAPE)
    penalty = co.TotalVariation(0.3)
    if bounds:
        penalty = penalty + co.Box(*bounds)
    np.testing.assert_allclose(penalty.prox(x, 0.7), wanted, atol=1e-4)


@pytest.mark.parametrize("ratio", [pytest.param(1.0, marks=pytest.mark.slow), 2.0])
def test_tgv_against_lbfgs(rng, ratio):
    shape, n = (3, 4), 12
    D, B = differences(shape, "symmetric"), differences(shape, "symmetric", backward=True)
    keep = np.array([np.indices(shape)[a].ravel() < shape[a] - 1 for a in (0, 1)])

    def value(u, w):
        w = w.reshape(2, n)
        f, slope = rounded(D @ u - keep * w)
        cross = (B[0] @ w[1] + B[1] @ w[0]) / np.sqrt(2)
        g, bend = rounded(np.array([B[0] @ w[0], B[1] @ w[1], cross]))
        dw = -1.0 * keep * slope + ratio * np.array(
            [
                B[0].T @ bend[0] + B[1].T @ bend[2] / np.sqrt(2),
                B[1].T @ bend[1] + B[0].T @ bend[2] / np.sqrt(2),
            ]
        )
        return 0.3 * (f + ratio * g), (0.3 * np.einsum("kij,ki->j", D, slope), 0.3 * dw.ravel())

    x, penalty = rng.standard_normal(shape), co.TGV(0.3, ratio=ratio)
    wanted = smoothed(value, x, 0.7, extra=2 * n)
    np.testing.assert_allclose(penalty.prox(x, 0.7).ravel(), wanted[:n], atol=5e-4)
    held = smoothed(value, x, 1e-7, extra=2 * n)
    np.testing.assert_allclose(penalty(x), value(held[:n], held[n:])[0], rtol=2e-3)


def test_tgv_of_an_affine_image_is_zero_and_of_a_box_its_total_variation():
    i, j = np.indices((6, 7))
    assert co.TGV(0.5)(0.3 * i - 0.2 * j + 1) < 1e-4
    box = 1.0 * ((i > 1) & (i < 4))
    np.testing.assert_allclose(
        co.TGV(0.5, boundary="wrap")(box), co.TotalVariation(0.5, boundary="wrap")(box), rtol=1e-3
    )
    assert co.TGV(0.5, axes=0)(3.0 * i + j**2) < 1e-3  # nothing along the other axis


@pytest.mark.skipif(not X64, reason="differences of a minimum found by iterations need the digits")
def test_tgv_derivatives(rng, monkeypatch):
    x, d, h = rng.standard_normal((3, 4)), rng.standard_normal((3, 4)), 1e-4
    monkeypatch.setattr(lifting, "MOST", 50000)
    monkeypatch.setattr(lifting, "TOLERANCE", {64: 1e-12})
    jax.clear_caches()
    tgv = co.TGV(0.4)
    wanted = (tgv(x + h * d) - tgv(x - h * d)) / (2 * h)
    np.testing.assert_allclose(jnp.sum(jax.grad(tgv)(x) * d), wanted, rtol=1e-4)
    np.testing.assert_allclose(jax.grad(lambda w: co.TGV(w)(x))(0.4), tgv(x) / 0.4, rtol=1e-6)
    jax.clear_caches()


def test_tgv_in_a_sum(rng):
    x, tgv = rng.standard_normal((3, 4)), co.TGV(0.4)
    u = (tgv + co.NonNegative()).prox(x, 0.5)
    assert u.min() > -1e-4
    np.testing.assert_allclose(u, (tgv + co.Box(0.0, 1e6)).prox(x, 0.5), atol=1e-3)
    joint, terms = (tgv + co.NonNegative()).lifted(x.shape)
    assert joint == (3, 3, 4)
    assert len(terms) == 3


def test_group_prox_shortens_vectors(rng):
    x = rng.standard_normal((3, 4, 2))
    found = co.GroupL1(0.8, axis=(0, 2)).prox(x, 0.9)
    for j in range(4):
        size = np.linalg.norm(x[:, j])
        np.testing.assert_allclose(found[:, j], x[:, j] * max(1 - 0.72 / size, 0), rtol=1e-5, atol=1e-6)


def test_simplex_against_slsqp(rng):
    for _ in range(3):
        x = 2 * rng.standard_normal(6)
        constraint = {"type": "eq", "fun": lambda u: u.sum() - 1.5}
        wanted = scipy.optimize.minimize(
            lambda u, x=x: ((u - x) ** 2).sum(),
            np.full(6, 0.25),
            method="SLSQP",
            bounds=[(0, None)] * 6,
            constraints=constraint,
            options={"ftol": 1e-14},
        ).x
        np.testing.assert_allclose(co.Simplex(1.5).prox(x), wanted, atol=1e-5)


@pytest.mark.parametrize(
    "L",
    [
        co.convolution([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]], SHAPE, boundary="wrap"),
        co.gradient(SHAPE),
        co.mask(np.arange(20).reshape(SHAPE) % 3 > 0),
        co.convolution([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]], SHAPE, boundary="edge"),
    ],
    ids=["fft", "dct", "diagonal", "cg"],
)
def test_quadratic_prox_against_a_dense_solve(rng, L):
    x, mean = rng.standard_normal(SHAPE), rng.standard_normal(SHAPE)
    K = np.asarray(L.as_matrix(), np.float64)
    wanted = np.linalg.solve(np.eye(20) + 0.56 * K.T @ K, x.ravel() + 0.56 * K.T @ K @ mean.ravel()).reshape(SHAPE)
    np.testing.assert_allclose(co.Quadratic(L, 0.7, mean=mean).prox(x, 0.8), wanted, atol=1e-10 if X64 else 2e-5)


def test_orthonormal_transform_agrees_with_the_dual(rng):
    x = rng.standard_normal((4, 8))
    W = co.wavelet((4, 8), "db2", levels=1)
    dense = co.from_matrix(np.asarray(W.as_matrix()), in_shape=(4, 8), out_shape=(4, 8))
    closed, iterated = co.L1(0.3, transform=W), co.L1(0.3, transform=dense)
    assert closed.exact
    assert not iterated.exact
    np.testing.assert_allclose(closed.prox(x), iterated.prox(x), atol=1e-5)


# ---------------------------------------------------------------- warm starts and derivatives


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


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    "penalty",
    [co.TotalVariation(0.3), co.Quadratic("gradient", 0.3), co.TGV(0.3), co.GroupL1(0.3), co.HyperLaplacian(0.3)],
    ids=lambda p: type(p).__name__,
)
def test_half_precision_is_computed_in_single(rng, penalty, dtype):
    x = jnp.asarray(rng.standard_normal((6, 5)), dtype)
    single = x.astype(jnp.float32)
    slack = 2 * float(jnp.finfo(dtype).eps) * float(jnp.abs(single).max())
    warm, _ = penalty.warm_prox(x, 0.7, penalty.dual_start(x), 400)
    for found, wanted in (
        (penalty.prox(x, 0.7), penalty.prox(single, 0.7)),
        (penalty.conjugate_prox(x, 0.7), penalty.conjugate_prox(single, 0.7)),
        (warm, penalty.warm_prox(single, 0.7, penalty.dual_start(single), 400)[0]),
        (penalty.gradient(x), penalty.gradient(single)),
    ):
        assert found.dtype == dtype
        np.testing.assert_allclose(found.astype(jnp.float32), wanted, atol=slack)
    assert penalty(x).dtype == dtype
    np.testing.assert_allclose(float(penalty(x)), float(penalty(single)), rtol=0.01)


def test_steps_that_overflow_leave_nothing(rng):
    x = jnp.asarray(rng.standard_normal((4, 3)), jnp.float32)
    for make in (co.L1, co.GroupL1, lambda w: co.Huber(w, delta=0.5), lambda w: co.Huber(w, delta=0.5, axis=0)):
        for v in (x, x + 1j * x[::-1]):
            assert float(jnp.abs(make(1e10).prox(v, 1e38)).max()) == 0
            infinite = jax.jit(lambda w, make=make, v=v: (make(w).prox(v), make(w).conjugate_prox(v)))(jnp.inf)
            assert float(jnp.abs(infinite[0]).max()) == 0
            assert bool(jnp.isfinite(infinite[1]).all())
    slope = jax.grad(lambda w: jnp.sum(co.GroupL1(w).prox(x) ** 2))(jnp.inf)
    assert bool(jnp.isfinite(slope))
    flat = jax.jit(lambda w: co.TotalVariation(w).prox(x))(jnp.inf)
    np.testing.assert_allclose(flat, jnp.full_like(x, jnp.mean(x)), atol=1e-3)


def test_weights_under_vmap_are_a_loop(rng):
    x, weights = rng.standard_normal(SHAPE), np.array([0.1, 0.4, 0.9])
    both = jax.vmap(lambda w: co.TotalVariation(w).prox(x))(weights)
    for u, w in zip(both, weights, strict=True):
        np.testing.assert_allclose(u, co.TotalVariation(w).prox(x), atol=1e-5)
    values = jax.vmap(lambda p: p(x))(co.L1(weights))
    np.testing.assert_allclose(values, weights * abs(x).sum(), rtol=1e-5)


# ---------------------------------------------------------------- algebra, terms, errors


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
