"""FISTA, POGM, ADMM and PDHG against published numbers, each other, and conditions of optimality."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import X64

import convops as co

KERNEL = np.array([[0.05, 0.1, 0.02], [0.2, 0.35, 0.1], [0.03, 0.1, 0.05]])
SHAPE = (13, 16)
SCENE = np.kron(np.random.default_rng(5).uniform(0, 1, (4, 4)), np.ones((4, 4)))[: SHAPE[0], : SHAPE[1]]


def problem(boundary="wrap", noise=0.01):
    A = co.convolution(KERNEL, SHAPE, boundary=boundary)
    return A, np.asarray(A @ SCENE) + noise * np.random.default_rng(1).standard_normal(SHAPE)


def value(A, b, penalty, x):
    """The objective, from dense numbers."""
    r = np.asarray(A.as_matrix(), np.float64) @ np.asarray(x, np.float64).ravel() - b.ravel()
    return r @ r / 2 + float(penalty(x))


PENALTIES = {
    "tv": co.TotalVariation(0.02, boundary="wrap"),
    "anisotropic": co.TotalVariation(0.02, isotropic=False, boundary="wrap"),
    "l1 and sign": co.L1(0.05) + co.NonNegative(),
    "wavelets": co.L1(0.02, transform=co.wavelet((12, 16), "haar")),
    "tv and box": co.TotalVariation(0.02, boundary="wrap") + co.Box(0.1, 0.8),
}


@pytest.mark.parametrize("boundary", ["wrap", pytest.param("reflect", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", ["l1 and sign", *(pytest.param(n, marks=pytest.mark.slow) for n in PENALTIES if n != "l1 and sign")]
)
def test_all_find_the_same_minimum(name, boundary):
    if name == "wavelets":
        A = co.convolution(KERNEL, (12, 16), boundary=boundary)
        b = np.asarray(A @ SCENE[:12])
    else:
        A, b = problem(boundary)
    penalty = PENALTIES[name]
    least = []
    for solve in (co.fista, co.pogm, co.admm, co.pdhg):
        tight = {"rtol": 1e-7 if X64 else 1e-5, "max_steps": 4000}
        sol = solve(A, b, penalty=penalty, **tight)
        assert np.isfinite(sol.x).all()
        least.append(value(A, b, penalty, sol.x))
        # what is reported of x is what x is worth
        np.testing.assert_allclose(sol.objective, least[-1], rtol=1e-9 if X64 else 1e-4)
    np.testing.assert_allclose(least, least[0], rtol=2e-5 if X64 else 1e-3)


def test_optimality_of_the_lasso():
    A, b = problem()
    sol = co.fista(A, b, penalty=co.L1(0.05), rtol=1e-9 if X64 else 1e-5, max_steps=5000)
    assert bool(sol.converged)
    M = np.asarray(A.as_matrix(), np.float64)
    slope = (M.T @ (M @ np.asarray(sol.x, np.float64).ravel() - b.ravel())).reshape(SHAPE)
    x = np.asarray(sol.x)
    tight = 1e-7 if X64 else 1e-4
    assert np.all(np.abs(slope) <= 0.05 + tight)
    np.testing.assert_allclose(slope[x != 0], -0.05 * np.sign(x[x != 0]), atol=tight)
    assert 0 < np.sum(x != 0) < x.size


def test_steps_are_those_of_a_loop():
    """FISTA and ISTA, three steps in NumPy."""
    A, b = problem("symmetric")
    M, weight, step = np.asarray(A.as_matrix(), np.float64), 0.03, 0.7
    for accelerate in (False, True):
        x = y = np.zeros(b.size)
        t = 1.0
        for _ in range(3):
            v = y - step * M.T @ (M @ y - b.ravel())
            new = np.sign(v) * np.maximum(np.abs(v) - step * weight, 0)
            following = (1 + np.sqrt(1 + 4 * t**2)) / 2
            y = new + ((t - 1) / following * (new - x) if accelerate else 0)
            x, t = new, following
        options = {"accelerate": accelerate, "restart": False, "rtol": 0.0, "max_steps": 3}
        sol = co.fista(A, b, penalty=co.L1(weight), step=step, **options)
        np.testing.assert_allclose(np.asarray(sol.x).ravel(), x, atol=1e-12 if X64 else 1e-5)


def test_backtracking_where_no_norm_is_known():
    A, b = problem()
    unknown = co.from_function(lambda x: A.matvec(x), SHAPE)
    known = co.fista(A, b, penalty=co.L1(0.05), max_steps=3000)
    sol = co.fista(unknown, b, penalty=co.L1(0.05), max_steps=3000)
    np.testing.assert_allclose(sol.objective, known.objective, rtol=1e-5 if X64 else 1e-3)
    assert float(sol.history["step"][-1]) > 0.3
    with pytest.raises(ValueError, match="no bound of the operator's norm is known"):
        co.pogm(unknown, b, penalty=co.L1(0.05))


def test_unknown_boundary_and_masks():
    mask = np.random.default_rng(3).uniform(size=SHAPE) > 0.1
    A = co.unknown_boundary(KERNEL, SHAPE, mask=mask)
    scene = np.kron(np.random.default_rng(5).uniform(0, 1, (5, 5)), np.ones((4, 4)))[: A.in_shape[0], : A.in_shape[1]]
    b = np.array(A @ scene)
    b[~mask] = 77.0  # not to be looked at
    penalty = co.TotalVariation(0.01, boundary="wrap")
    sols = [f(A, b, penalty=penalty, rtol=1e-7 if X64 else 1e-4, max_steps=4000) for f in (co.admm, co.pdhg, co.fista)]
    least = [value(A, np.where(mask, b, 0), penalty, sol.x) for sol in sols]
    np.testing.assert_allclose(least, least[0], rtol=1e-4 if X64 else 1e-3)


@pytest.mark.slow
def test_tgv_by_pdhg_keeps_slopes():
    ramp = np.add.outer(np.arange(12.0), 0.5 * np.arange(14)) / 10
    A = co.convolution(KERNEL / KERNEL.sum(), ramp.shape, boundary="symmetric")
    b = np.asarray(A @ ramp) + 0.02 * np.random.default_rng(2).standard_normal(ramp.shape)
    flat = co.pdhg(A, b, penalty=co.TotalVariation(0.2), max_steps=1500)
    sloped = co.pdhg(A, b, penalty=co.TGV(0.2), max_steps=1500)
    inner = (slice(2, -2), slice(2, -2))
    off = [np.linalg.norm((np.asarray(sol.x) - ramp)[inner]) for sol in (flat, sloped)]
    assert off[1] < 0.5 * off[0]


@pytest.mark.slow
def test_half_quadratic_steps_are_those_of_matrices():
    A, b = problem()
    D = np.asarray(co.gradient(SHAPE, boundary="wrap").as_matrix(), np.float64)
    M, weight = np.asarray(A.as_matrix(), np.float64), 0.003
    penalty = co.HyperLaplacian(weight, power=0.5, transform=co.gradient(SHAPE, boundary="wrap"))
    plain = co.HyperLaplacian(weight, power=0.5)
    x, rho = M.T @ b.ravel(), 2.0 * weight * np.ptp(b) ** -1.5
    for _ in range(2):
        for _ in range(2):
            z = np.asarray(plain.prox(D @ x, 1 / rho), np.float64)
            x = np.linalg.solve(M.T @ M + rho * D.T @ D, M.T @ b.ravel() + rho * D.T @ z)
        rho *= 3
    sol = co.half_quadratic(A, b, penalty=penalty, first=2.0, last=6.0, growth=3.0, inner=2)
    assert int(sol.num_steps) == 4
    assert bool(sol.converged)
    np.testing.assert_allclose(np.asarray(sol.x).ravel(), x, atol=1e-9 if X64 else 2e-3)


@pytest.mark.slow
def test_smooth_penalties_by_gradient_descent():
    A, b = problem("symmetric")
    for penalty in (co.Quadratic(co.gradient(SHAPE), 0.1), co.Huber(0.05, delta=0.1, transform="gradient")):
        sol = co.gradient_descent(A, b, penalty=penalty, rtol=1e-7 if X64 else 1e-4, max_steps=5000)
        assert bool(sol.converged)
        other = co.fista(A, b, penalty=penalty, rtol=1e-7 if X64 else 1e-4, max_steps=5000, prox_steps=60)
        np.testing.assert_allclose(sol.objective, other.objective, rtol=1e-6 if X64 else 1e-3)
    with pytest.raises(ValueError, match="not smooth"):
        co.gradient_descent(A, b, penalty=co.L1(1.0))


@pytest.mark.slow
def test_edges_of_the_stopping_tests():
    """Constraints that do not bind, no weight, no data, wide terms."""
    A, _ = problem()
    b = np.asarray(A @ (1 + SCENE))
    for solve in (co.admm, co.pdhg):
        for penalty in (co.NonNegative(), co.TotalVariation(0.0, boundary="wrap")):
            sol = solve(A, b, penalty=penalty, rtol=1e-3)
            assert bool(sol.converged)
            assert float(sol.residual_norm) < 1e-2 * np.linalg.norm(b)
    zero = co.admm(A, np.zeros(SHAPE), penalty=co.TotalVariation(0.1, boundary="wrap"))
    assert float(abs(zero.x).max()) == 0

    def total(kernel):
        op = co.convolution(kernel, SHAPE, boundary="wrap")
        penalty = co.TotalVariation(0.1, boundary="wrap")
        return sum(
            solve(op, np.zeros(SHAPE), penalty=penalty, max_steps=3, loop="scan").x.sum()
            for solve in (co.admm, co.pdhg)
        )

    assert np.isfinite(jax.grad(total)(jnp.asarray(KERNEL))).all()
    second = co.convolution(np.array([[1.0, -2.0, 1.0]], np.float64), SHAPE, boundary="wrap")
    narrow = co.convolution(KERNEL.astype(np.float32), SHAPE, boundary="wrap")
    for solve in (co.admm, co.pdhg):
        sol = solve(narrow, b.astype(np.float32), penalty=co.L1(1e-3, transform=second), max_steps=20)
        assert np.isfinite(sol.x).all()
    turned = co.convolution(np.array([[1, -1j]], np.complex64), SHAPE, boundary="wrap")
    for solve in (co.fista, co.pogm, co.admm, co.pdhg):
        sol = solve(narrow, b.astype(np.float32), penalty=co.L1(1e-3, transform=turned), max_steps=5)
        assert sol.x.dtype == np.complex64
    with pytest.raises(ValueError, match="leave one of them at 1"):
        co.admm(A, b, penalty=co.L1(0.1), relaxation=1.5, dual_step=1.5)
    with pytest.raises(ValueError, match="pdhg and admm take it"):
        co.fista(A, b, penalty=co.TGV(0.1))


@pytest.mark.parametrize(
    "solve", [co.admm, *(pytest.param(f, marks=pytest.mark.slow) for f in (co.fista, co.pogm, co.pdhg))]
)
def test_default_options_under_jit(solve):
    A, b = problem()
    whole = jax.jit(lambda w: solve(A, b, penalty=w * co.L1(1.0), max_steps=3).x)
    wanted = solve(A, b, penalty=co.L1(0.05), max_steps=3).x
    np.testing.assert_allclose(whole(0.05), wanted, atol=1e-10 if X64 else 1e-4)


@pytest.mark.slow
def test_loops_derivatives_and_batches():
    A, b = problem()
    penalty = co.TotalVariation(0.02, boundary="wrap")

    for solve in (co.fista, co.admm, co.pdhg):

        def loss(weight, solve=solve):
            sol = solve(A, b, penalty=weight * co.L1(1.0), rtol=0.0, max_steps=8, loop="scan")
            return jnp.sum(sol.x**2)

        h = 1e-5 if X64 else 1e-3
        slope = (loss(0.1 + h) - loss(0.1 - h)) / (2 * h)
        np.testing.assert_allclose(jax.grad(loss)(0.1), slope, rtol=1e-6 if X64 else 2e-2)

        def run(data, solve=solve):
            return solve(A, data, penalty=penalty, rtol=0.0, max_steps=5).x

        both = jax.vmap(run)(jnp.stack([jnp.asarray(b), 2 * jnp.asarray(b)]))
        np.testing.assert_allclose(both[1], run(2 * jnp.asarray(b)), atol=1e-10 if X64 else 1e-4)


def test_nothing_is_compiled_anew_for_another_weight():
    A, b = problem()
    from convops.solvers import iterate

    for solve in (co.fista, co.admm, co.pdhg):
        solve(A, b, penalty=co.TotalVariation(0.1, boundary="wrap"), max_steps=3)
        before = iterate._whole._cache_size()
        solve(A, b, penalty=co.TotalVariation(0.2, boundary="wrap"), max_steps=3)
        assert iterate._whole._cache_size() == before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda A, b: co.fista(A, b, penalty=abs), "`penalty` is a builtin_function_or_method"),
        (lambda A, b: co.fista(A, b, penalty=co.L1(1.0), step="best"), "`step` is 'best'"),
        (lambda A, b: co.fista(A, b, penalty=co.L1(1.0), step=-1.0), "`step` is -1.0"),
        (lambda A, b: co.admm(A, b, penalty=co.L1(1.0), rho=[1.0, 2.0]), "`rho` has 2 entries"),
        (lambda A, b: co.admm(A, b, penalty=co.L1(1.0), relaxation=2.0), "above 0 and below 2"),
        (lambda A, b: co.admm(A, b, penalty=co.L1(1.0), dual_step=1.7), "above 0 and at most 1.618"),
        (lambda A, b: co.pdhg(A, b, penalty=co.HyperLaplacian(1.0)), "not convex"),
        (lambda A, b: co.pdhg(A, b[:3], penalty=co.L1(1.0)), "`b` has shape"),
        (lambda A, b: co.total_variation(A, b, weight=-1.0), "`weight` is -1.0"),
        (lambda A, b: co.total_variation(A, b * np.nan), "NaN"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call(*problem())
