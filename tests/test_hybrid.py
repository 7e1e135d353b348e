"""Hybrid LSQR and LSMR against Krylov spaces built densely in NumPy, and against the best Tikhonov solutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import X64

import convops as co

SHAPE = (11, 8)
KERNEL = np.array([[0.1, 0.3, 0.05], [0.2, 0.8, -0.1], [0.0, 0.4, 0.3], [0.1, 0.1, 0.0]])
A = co.convolution(KERNEL, SHAPE, boundary="symmetric")
COMPLEX = co.convolution(KERNEL * np.exp(1j * np.arange(12).reshape(4, 3)), SHAPE)
SCENE = np.cumsum(np.random.default_rng(5).standard_normal(SHAPE), 0)
DATA = np.asarray(A @ SCENE, np.float64) + 0.3 * np.random.default_rng(6).standard_normal(SHAPE)
OFFSETS = np.arange(-3, 4)[:, None] ** 2 + (np.arange(-2, 4) - 0.2) ** 2
SMOOTH = co.convolution(np.exp(-OFFSETS / 4) / np.exp(-OFFSETS / 4).sum(), SHAPE, boundary="symmetric")
SMOOTHED = np.asarray(SMOOTH @ SCENE, np.float64) + 0.3 * np.random.default_rng(6).standard_normal(SHAPE)
METHODS = {"lsqr": co.hybrid_lsqr, "lsmr": co.hybrid_lsmr}
CLOSE = 1e-9 if X64 else 1e-3
DOUBLE = np.complex128
SLOW = pytest.mark.slow


def krylov(operator, b, k):
    """An orthonormal basis of span {(A^H A)^j A^H b, j < k}, and the matrix of A, in double precision."""
    M = np.asarray(operator.as_matrix()).astype(DOUBLE)
    vectors = [M.conj().T @ b.ravel()]
    for _ in range(k - 1):
        new = M.conj().T @ (M @ vectors[-1])
        for _ in range(2):
            new = new - sum(v * (v.conj() @ new) / (v.conj() @ v) for v in vectors)
        vectors.append(new / np.linalg.norm(new))
    return np.linalg.qr(np.stack(vectors, 1))[0], M


def dense(operator, b, k, weight, normal):
    V, M = krylov(operator, b, k)
    P, r = M @ V, b.ravel().astype(DOUBLE)
    if normal:
        P, r = M.conj().T @ P, M.conj().T @ r
    return V @ np.linalg.solve(P.conj().T @ P + weight * np.eye(k), P.conj().T @ r)


def relative(got, wanted):
    return np.linalg.norm(np.ravel(got) - np.ravel(wanted)) / np.linalg.norm(wanted)


CASES = [
    pytest.param(name, operator, full, id=f"{name}-{kind}-{full}", marks=[] if full == (kind == "complex") else SLOW)
    for name in METHODS
    for kind, operator in {"real": A, "complex": COMPLEX}.items()
    for full in (False, True)
]


@pytest.mark.parametrize(("name", "operator", "reorthogonalize"), CASES)
def test_iterates_are_those_of_the_projected_problem(name, operator, reorthogonalize):
    b = DATA if operator is A else DATA + 1j * np.roll(DATA, 2, 0)
    k = 7
    for weight in (0.0, 0.02):
        sol = METHODS[name](operator, b, weight=weight, max_steps=k, no_stop=True, reorthogonalize=reorthogonalize)
        wanted = dense(operator, b, k, weight, name == "lsmr")
        assert relative(sol.x, wanted) <= CLOSE, (k, weight)
        r = b - np.asarray(operator.as_matrix()).astype(DOUBLE).dot(wanted).reshape(b.shape)
        np.testing.assert_allclose(sol.history["residual_norm"][k], np.linalg.norm(r), rtol=CLOSE)
        np.testing.assert_allclose(sol.residual_norm, np.linalg.norm(r), rtol=CLOSE)
        assert sol.x.dtype == jnp.result_type(b, *operator._inexact_leaves(), jnp.float32)


def test_a_given_weight_is_damped_lsqr():
    blur = co.convolution(KERNEL, (41, 30), boundary="wrap")
    b = np.asarray(blur @ np.cumsum(np.random.default_rng(7).standard_normal((41, 30)), 1))
    k = 60
    sol = co.hybrid_lsqr(blur, b, weight=0.05, max_steps=k, rtol=0.0)
    wanted = co.lsqr(blur, b, damp=np.sqrt(0.05), max_steps=k, rtol=0.0).x
    assert relative(sol.x, wanted) <= (1e-12 if X64 else 1e-5)
    stopped = co.hybrid_lsqr(blur, b, weight=0.05)
    assert bool(stopped.converged)
    assert int(stopped.num_steps) == int(stopped.stopping_step) < 100
    exact = co.tikhonov(blur, b, weight=0.05).x
    assert relative(stopped.x, exact) <= (1e-6 if X64 else 1e-3)


def gcv(s, c, k, omega):
    """The weighted GCV of k columns as a function of the weight, from the formula."""
    return lambda a: (
        (np.sum((a * np.abs(c[:k]) / (s**2 + a)) ** 2) + np.abs(c[k]) ** 2)
        / (1 + np.sum((a + (1 - omega) * s**2) / (s**2 + a))) ** 2
    )


@pytest.mark.parametrize(
    ("name", "rule"), [("lsqr", "wgcv"), *(pytest.param(*c, marks=SLOW) for c in (("lsqr", "gcv"), ("lsmr", "wgcv")))]
)
def test_the_weight_minimises_the_criterion(name, rule):
    """Independently: the singular values of the projected matrix, the formula, and the omega of every step so far."""
    k = 10  # where omega counts
    sol = METHODS[name](SMOOTH, SMOOTHED, weight=rule, max_steps=k, no_stop=True, reorthogonalize=True)
    omegas = []
    for j in range(1, k + 1):
        V, M = krylov(SMOOTH, SMOOTHED, j)
        P, r = (M @ V, SMOOTHED.ravel()) if name == "lsqr" else (M.T @ M @ V, M.T @ SMOOTHED.ravel())
        Q = np.linalg.qr(np.column_stack([r, P]))[0]  # U_{j+1}, or V_{j+1} for the normal equations
        left, s, _ = np.linalg.svd(Q.conj().T @ P, full_matrices=True)
        c = left.conj().T @ (Q.conj().T @ r)
        a = s[-1] ** 2
        inverse = 1 / (s**2 + a)
        v2 = np.sum((s * np.abs(c[:j])) ** 2 * inverse**3)
        t0, t1, t3 = np.abs(c[j]) ** 2, np.sum(s**2 * inverse), a * v2
        t4, t5 = np.sum((s * inverse) ** 2), np.sum((a * np.abs(c[:j]) * inverse) ** 2)
        omegas.append(min(1, (j + 1) * a * v2 / (t1 * t3 + t4 * (t5 + t0))))
        np.testing.assert_allclose(sol.history["omega"][j], np.mean(omegas), rtol=CLOSE)
    assert name == "lsmr" or np.mean(omegas) < 0.95
    criterion = gcv(s, c, k, np.mean(omegas) if rule == "wgcv" else 1)
    grid = s[0] ** 2 * np.logspace(-16 if X64 else -8, 0, 4000)
    best = min(map(criterion, grid))
    assert criterion(float(sol.weight)) <= best * (1 + 1e-4)
    shift = np.sum(s**2 / (s**2 + float(sol.weight)))
    whole = criterion(float(sol.weight)) if rule == "gcv" else gcv(s, c, k, 1)(float(sol.weight))
    np.testing.assert_allclose(sol.history["gcv"][k], whole * ((k + 1 - shift) / (DATA.size - shift)) ** 2, rtol=CLOSE)


@pytest.mark.parametrize("name", ["lsqr", pytest.param("lsmr", marks=SLOW)])
def test_the_discrepancy_is_met(name):
    noise = 0.3
    sol = METHODS[name](A, DATA, weight="discrepancy", noise=noise, max_steps=30, no_stop=True)
    assert 0 < int(sol.stopping_step) < 30
    np.testing.assert_allclose(sol.residual_norm, 1.01 * noise * np.sqrt(DATA.size), rtol=1e-3)
    kept = np.random.default_rng(8).random(SHAPE) > 0.2
    masked = co.mask(kept) @ A
    sol = METHODS[name](masked, np.where(kept, DATA, 77.0), weight="discrepancy", noise=noise, max_steps=30)
    np.testing.assert_allclose(sol.residual_norm, 1.01 * noise * np.sqrt(kept.sum()), rtol=1e-2)
    assert "the rule that chooses the weight" in sol.status
    estimated = METHODS[name](A, DATA, weight="discrepancy", max_steps=30, no_stop=True)
    wanted = 1.01 * float(co.noise_level(DATA)) * np.sqrt(DATA.size)
    np.testing.assert_allclose(estimated.residual_norm, wanted, rtol=1e-3)


def problem(psf, level, crime, scene):
    """Data of a mirrored scene, or (without the inverse crime) the inner part of a larger one."""
    inside = co.convolution(psf, scene.shape, mode="valid")
    margins = [(n - m) // 2 for n, m in zip(scene.shape, inside.out_shape, strict=True)]
    truth = scene if crime else scene[tuple(slice(m, -m) for m in margins)]
    blur = co.convolution(psf, truth.shape, boundary="symmetric")
    exact = np.asarray(blur @ scene if crime else inside @ scene, np.float64)
    noise = np.random.default_rng(0).standard_normal(exact.shape)
    return blur, exact + level * np.linalg.norm(exact) / np.linalg.norm(noise) * noise, truth


def photograph():
    return np.asarray(co.problems.photograph(), np.float64) / 255


SQUARE = np.arange(-8, 9)[:, None] ** 2 + np.arange(-8, 9) ** 2
PSFS = {"gauss": np.exp(-SQUARE / 8.0) / np.exp(-SQUARE / 8.0).sum(), "box": np.ones((9, 9)) / 81}
WIDE = np.arange(-24, 25)[:, None] ** 2 + np.arange(-24, 25) ** 2
PSFS["wide"] = np.exp(-WIDE / 32.0) / np.exp(-WIDE / 32.0).sum()


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.01, 0.001])
@pytest.mark.parametrize("crime", [True, False])
@pytest.mark.parametrize("name", PSFS)
def test_near_the_best_tikhonov_solution(name, crime, level):
    check_near_the_best(PSFS[name], crime, level, photograph())


def test_near_the_best_tikhonov_solution_on_a_part():
    check_near_the_best(PSFS["box"], True, 0.01, photograph()[64:192, 80:191])


def check_near_the_best(psf, crime, level, scene):
    blur, b, truth = problem(psf, level, crime, scene)
    norm = np.linalg.norm(truth)
    tried = [np.linalg.norm(co.tikhonov(blur, b, weight=w).x - truth) / norm for w in np.logspace(-7, -1, 61)]
    sol = co.hybrid_lsqr(blur, b, truth=truth, max_steps=60 if level > 0.005 else 100, no_stop=True)
    errors = np.asarray(sol.history["error"])
    assert errors[-1] <= 1.08 * min(tried)
    np.testing.assert_allclose(errors[-1], np.linalg.norm(sol.x - truth) / norm, rtol=1e-5)
    if int(sol.stopping_step):
        assert errors[int(sol.stopping_step)] <= 1.10 * min(tried)


@SLOW
@pytest.mark.parametrize("name", METHODS)
def test_a_sparse_scene_is_sharper_by_the_flexible_method(name):
    rng = np.random.default_rng(9)
    shape = (40, 33)
    stars = np.zeros(shape)
    psf = np.exp(-SQUARE[4:13, 4:12] / 2.5)
    stars.flat[rng.choice(stars.size, 25, replace=False)] = rng.uniform(0.5, 2, 25)
    blur = co.convolution(psf / psf.sum(), shape)
    exact = np.asarray(blur @ stars)
    b = exact + 0.01 * np.linalg.norm(exact) / np.sqrt(exact.size) * rng.standard_normal(shape)
    noise = 0.01 * np.linalg.norm(exact) / np.sqrt(exact.size)
    options = {"weight": "discrepancy", "noise": noise, "max_steps": 32}
    plain = relative(METHODS[name](blur, b, **options).x, stars)
    assert relative(METHODS[name](blur, b, flexible=True, **options).x, stars) < 0.75 * plain


@pytest.mark.parametrize("name", ["lsqr", pytest.param("lsmr", marks=SLOW)])
def test_batches_jit_and_starts(name):
    method = METHODS[name]
    traces = []

    @jax.jit
    def solve(blur, b, x0):
        traces.append(1)
        return method(blur, b, max_steps=6, x0=x0, no_stop=True)

    batch = jnp.stack([jnp.asarray(DATA), jnp.asarray(np.roll(DATA, 3, 1))])
    x0 = jnp.asarray(0.1 * SCENE)
    alone = [solve(A, b, x0).x for b in batch]
    assert len(traces) == 1
    together = jax.vmap(lambda b: method(A, b, max_steps=6, x0=x0, no_stop=True))(batch).x
    np.testing.assert_allclose(together, jnp.stack(alone), rtol=0, atol=1e-10 if X64 else 1e-3)
    shifted = solve(A, batch[0] - A @ x0, jnp.zeros(SHAPE)).x
    np.testing.assert_allclose(alone[0], x0 + shifted, rtol=0, atol=1e-10 if X64 else 1e-3)
    flat = jax.eval_shape(solve, A, DATA.ravel(), x0)
    assert flat.x.shape == (DATA.size,)
    told = []
    stopped = method(A, DATA, max_steps=30, no_stop=True, callback=lambda p: told.append(p.step) or p.step >= 20)
    assert told == [10, 20]
    assert int(stopped.num_steps) == 20
    assert "callback" in stopped.status


ENDS = [
    pytest.param(name, rule, marks=[] if (name, rule) in (("lsqr", "wgcv"), ("lsmr", 0.0)) else SLOW)
    for name in METHODS
    for rule in ("wgcv", 0.0, "gcv", "discrepancy", 0.1)
]


@pytest.mark.parametrize(("name", "rule"), ENDS)
def test_spaces_that_end_early(name, rule):
    """A multiple of the identity needs one step; nothing at all needs none; neither gives NaN."""
    same = co.identity(SHAPE) * 2.0
    sol = METHODS[name](same, DATA, weight=rule, noise=0.3, max_steps=10)
    assert int(sol.num_steps) == 1
    assert bool(sol.converged)
    assert np.isfinite(sol.x).all()
    assert np.isfinite(sol.history["weight"]).all()
    if rule == 0.0:
        assert relative(sol.x, DATA / 2) <= CLOSE
    nothing = METHODS[name](A, np.zeros(SHAPE), weight=rule, noise=0.3, max_steps=10)
    assert int(nothing.num_steps) == 0
    assert not np.any(nothing.x)
    assert bool(nothing.converged)
    blind = METHODS[name](co.mask(np.zeros(SHAPE, bool)) @ A, DATA, weight=rule, noise=0.3, max_steps=10)
    assert not np.any(blind.x)
    point = METHODS[name](co.convolution([2.0], 1), [3.0], weight=0.0)
    np.testing.assert_allclose(point.x, [1.5], rtol=1e-6)


REFUSED = [
    ({"weight": "reml"}, "`weight` is 'reml'"),
    ({"weight": -1.0}, "`weight` is -1.0"),
    ({"noise": -1.0, "weight": "discrepancy"}, "`noise` is -1.0"),
    ({"noise": -1.0}, "`noise` is -1.0"),
    ({"noise": np.nan, "weight": 0.1}, "`noise` is nan"),
    ({"max_steps": 0}, "`max_steps`"),
    ({"x0": np.ones(3)}, "`x0` has shape"),
    ({"truth": np.ones(3)}, "`truth` has shape"),
    ({"b": np.full(SHAPE, np.nan)}, "`b` holds NaN"),
    ({"b": np.ones(3)}, "`b` has shape"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_refusals(options, message):
    for method in METHODS.values():
        with pytest.raises(ValueError, match=message):
            method(A, options.get("b", DATA), **{k: v for k, v in options.items() if k != "b"})
