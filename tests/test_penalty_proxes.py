"""Proxes of arrays against dense solves and SciPy's optimisers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from differencing import differences

import convops as co
from convops.penalties import lifting

X64 = jnp.zeros(()).dtype == "float64"
LOOSE = 1e-6 if X64 else 2e-4
SHAPE = (4, 5)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


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


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    "penalty",
    [
        co.TotalVariation(0.3),
        co.Quadratic("gradient", 0.3),
        co.GroupL1(0.3),
        co.HyperLaplacian(0.3),
        pytest.param(co.TGV(0.3), marks=pytest.mark.slow),
    ],
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
