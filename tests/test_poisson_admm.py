"""poisson_admm against optima found in NumPy and SciPy with dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import convops as co
from convops.solvers.photon_copies import Bare

X64 = jax.config.jax_enable_x64
SHAPE = (12, 13)
RNG = np.random.default_rng(5)
PSF = RNG.random((4, 3)) + 0.05
PSF /= PSF.sum()
SCENE = np.zeros(SHAPE)
SCENE[2:9, 2:7] = 60.0
SCENE[5:8, 9:12] = 150.0
CLOSE = 1e-6 if X64 else 1e-4
RTOL = 1e-6 if X64 else 2e-5


def operator(kind, psf=PSF, mask=None):
    if kind == "unknown":
        return co.unknown_boundary(psf, (9, 11), mask=mask)
    A = co.convolution(psf, SHAPE, boundary=kind)
    return A if mask is None else co.mask(mask) @ A


def problem(kind, background=2.0, mask=None):
    A = operator(kind)
    scene = np.zeros(A.in_shape)
    scene[tuple(slice(0, min(n, m)) for n, m in zip(A.in_shape, SHAPE, strict=True))] = SCENE[
        tuple(slice(0, n) for n in A.in_shape)
    ]
    mean = np.asarray(A @ scene, float) + background
    return A, np.random.default_rng(0).poisson(np.maximum(mean, 0)).astype(float)


def kl(b, mean):
    return float(np.sum(mean - b + np.where(b > 0, b * np.log(np.where(b > 0, b, 1) / np.maximum(mean, 1e-300)), 0)))


def gradient_matrix(shape, boundary):
    rows = []
    for axis in range(2):
        unit = np.eye(int(np.prod(shape))).reshape(-1, *shape)
        moved = np.roll(unit, -1, axis + 1) - unit
        if boundary == "symmetric":
            index = [slice(None)] * 3
            index[axis + 1] = -1
            moved[tuple(index)] = 0
        rows.append(moved.reshape(len(unit), -1).T)
    return np.stack(rows)


def chambolle_pock(M, b, background, D, weight, steps=20000, kept=None):
    """min KL(b, M x + background) + weight norm(D x)_{2,1} over x >= 0, with plain matrices."""
    kept = np.ones(len(b)) if kept is None else kept
    stacked = np.vstack([M, D.reshape(-1, M.shape[1])])
    size = np.linalg.norm(stacked, 2)
    sigma, tau = 0.05 / size, 1 / (0.05 * size)
    x = ahead = np.full(M.shape[1], b.mean())
    y, z = np.zeros(len(b)), np.zeros(D.shape[:2])
    for _ in range(steps):
        v = (y + sigma * M @ ahead) / sigma
        s = v + background - kept / sigma
        u = (s + np.sqrt(s**2 + 4 * kept * b / sigma)) / 2 - background
        y = np.where(kept > 0, sigma * (v - u), 0)
        z = z + sigma * D @ ahead
        z = z / np.maximum(1, np.sqrt((z**2).sum(0)) / weight)
        new = np.maximum(x - tau * (M.T @ y + np.tensordot(D, z, ((0, 1), (0, 1)))), 0)
        ahead, x = 2 * new - x, new
    total = weight * np.sqrt(((D @ x) ** 2).sum(0)).sum()
    return x, kl(b[kept > 0], (M @ x + background)[kept > 0]) + total


@pytest.mark.parametrize(
    ("kind", "boundary", "masked"),
    [
        ("wrap", "wrap", False),
        ("zero", "symmetric", False),
        ("symmetric", "symmetric", True),
        ("unknown", "wrap", True),
    ],
)
@pytest.mark.slow
def test_total_variation_reaches_the_optimum(kind, boundary, masked):
    A, b = problem(kind)
    weight, M = 0.15, np.asarray(A.as_matrix(), float)
    keep = np.random.default_rng(1).random(A.out_shape) > 0.15 if masked else np.ones(A.out_shape, bool)
    D = gradient_matrix(A.in_shape, boundary)
    x, optimum = chambolle_pock(M, b.ravel(), 2.0, D, weight, kept=keep.ravel().astype(float))
    options = {"penalty": co.TotalVariation(weight, boundary=boundary), "background": 2.0, "rtol": RTOL}
    spoilt = np.where(keep, b, -50.0)
    if masked and kind == "unknown":
        sol = co.poisson_admm(operator(kind, mask=keep), spoilt, max_steps=6000, **options)
    else:
        sol = co.poisson_admm(A, spoilt, mask=keep if masked else None, max_steps=6000, **options)
    assert bool(sol.converged), sol
    assert float(sol.x.min()) >= 0
    assert float(sol.objective) == pytest.approx(optimum, rel=CLOSE)
    found = np.asarray(sol.x, float).ravel()
    value = kl(b[keep], (M @ found + 2)[keep.ravel()]) + weight * np.sqrt(((D @ found) ** 2).sum(0)).sum()
    assert value == pytest.approx(float(sol.objective), rel=1e-5)
    assert float(sol.history["objective"][int(sol.num_steps)]) == pytest.approx(optimum, rel=10 * CLOSE)
    assert float(sol.residual_norm) == pytest.approx(
        np.linalg.norm((M @ found + 2 - b.ravel())[keep.ravel()]), rel=1e-3
    )
    assert np.linalg.norm(found - x) < 0.02 * np.linalg.norm(x)


@pytest.mark.parametrize("kind", ["wrap", "zero"])
def test_smooth_penalties_and_weights_reach_the_optimum_of_lbfgsb(kind):
    A, b = problem(kind)
    weights = np.random.default_rng(2).random(SHAPE) + 0.5
    weights[3, 4:6] = 0
    W, M = weights.ravel(), np.asarray(A.as_matrix(), float)
    D = gradient_matrix(SHAPE, "wrap").reshape(-1, M.shape[1])

    def function(x):
        mean = M @ x + 2
        rough = D @ x
        value = np.sum(W * (mean - b.ravel() * np.log(mean))) + 0.01 / 2 * rough @ rough
        return value, M.T @ (W * (1 - b.ravel() / mean)) + 0.01 * D.T @ rough

    start = np.full(M.shape[1], 40.0)
    options = {"maxiter": 20000, "maxfun": 40000, "ftol": 1e-15, "gtol": 1e-9}
    best = scipy.optimize.minimize(
        function, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * 156, options=options
    )
    sol = co.poisson_admm(
        co.diagonal(weights) @ A,
        weights * b,
        penalty=co.Quadratic(co.gradient(SHAPE, "wrap"), weight=0.01),
        background=2 * weights,
        rtol=RTOL,
        max_steps=3000,
    )
    assert bool(sol.converged)
    assert np.linalg.norm(np.ravel(sol.x) - best.x) < (1e-4 if X64 else 2e-3) * np.linalg.norm(best.x)
    assert function(np.asarray(sol.x, float).ravel())[0] == pytest.approx(best.fun, rel=CLOSE)


@pytest.mark.slow
def test_several_terms_and_constraints():
    A, b = problem("wrap")
    penalty = co.TotalVariation(0.1, boundary="wrap") + co.L1(0.05) + co.Box(0, 80)
    sol = co.poisson_admm(A, b, background=2.0, penalty=penalty, max_steps=3000)
    assert bool(sol.converged)
    assert float(sol.x.max()) < 80.1
    free = co.poisson_admm(A, b, background=2.0, max_steps=2000)
    assert float(free.x.max()) > 100
    slow = co.richardson_lucy(A, b, background=2.0, stop=None, max_steps=3000, rtol=0.0)
    assert 0.95 * float(slow.objective) < float(free.objective) < float(slow.objective)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_prox_is_the_minimiser(weighted):
    rng = np.random.default_rng(0)
    v, y = rng.normal(0, 30, 200), np.maximum(rng.normal(0, 40, 200), 0)
    w = rng.random(200) * (rng.random(200) > 0.2) if weighted else np.ones(200)
    with jax.enable_x64(True):
        data = Bare(co.identity(200), jnp.asarray(y), jnp.asarray(1.5), jnp.asarray(w) if weighted else None)
        u = np.asarray(data.prox(jnp.asarray(v), jnp.asarray(0.3)))
    t = u + 1.5
    assert (t[w > 0] >= 0).all()
    inside = (t > 1e-9) & (w > 0)
    slope = w * (1 - y / np.where(t > 0, t, 1)) + 0.3 * (u - v)
    assert np.abs(slope[inside]).max() < 1e-9
    assert (slope[~inside & (w > 0)] >= -1e-12).all()
    assert (y[~inside & (w > 0)] == 0).all()
    assert np.allclose(u[w == 0], v[w == 0])


@pytest.mark.slow
def test_no_light_loops_jit_vmap_and_gradients():
    A, b = problem("wrap")
    penalty = co.TotalVariation(0.1, boundary="wrap")
    dark = co.poisson_admm(A, np.zeros(SHAPE), penalty=penalty)
    assert float(jnp.abs(dark.x).max()) < 1e-4
    assert np.isfinite(np.asarray(dark.history["objective"])).all()
    sol = co.poisson_admm(A, b, penalty=penalty, max_steps=20)
    scan = co.poisson_admm(A, b.ravel(), penalty=penalty, max_steps=20, loop="scan")
    assert scan.x.shape == (156,)
    assert np.allclose(scan.x, np.ravel(sol.x), atol=1e-2)
    traces = []

    @jax.jit
    def run(A, b, penalty):
        traces.append(1)
        return co.poisson_admm(A, b, penalty=penalty, max_steps=20).x

    assert np.allclose(run(A, jnp.asarray(b), penalty), sol.x, atol=1e-2)
    run(operator("wrap", PSF[::-1]), jnp.asarray(b), co.TotalVariation(0.2, boundary="wrap"))
    assert len(traces) == 1
    many = jax.vmap(lambda b: run(A, b, penalty))(jnp.stack([jnp.asarray(b), 0 * jnp.asarray(b)]))
    assert np.allclose(many[0], sol.x, atol=1e-2)
    assert float(jnp.abs(many[1]).max()) < 1

    @jax.jit
    def loss(weight):
        penalty = co.TotalVariation(weight, boundary="wrap")
        x = co.poisson_admm(A, b, penalty=penalty, max_steps=15, loop="scan", rtol=0.0).x
        return jnp.mean((x - SCENE) ** 2)

    slope, h = jax.jit(jax.grad(loss))(0.3), 1e-4 if X64 else 3e-2
    assert float(slope) == pytest.approx(float((loss(0.3 + h) - loss(0.3 - h)) / (2 * h)), rel=0.01 if X64 else 0.1)


def test_refusals():
    A, b = problem("wrap")
    for call, text in [
        (lambda: co.poisson_admm(A, -b), "negative"),
        (lambda: co.poisson_admm(A, b, penalty="tv"), "penalty"),
        (lambda: co.poisson_admm(A, b, rho=-1.0), "rho"),
        (lambda: co.poisson_admm(A, b + 0j), "complex"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()
