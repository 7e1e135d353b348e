"""Weights of any penalty along a path: the rules against dense numbers, and what they are worth."""

import jax
import numpy as np
import pytest
from comparing import X64

import convops as co

KERNEL = np.array([[0.05, 0.1, 0.02], [0.2, 0.35, 0.1], [0.03, 0.1, 0.05], [0.0, 0.02, 0.01]])
SHAPE = (11, 14)
WEIGHTS = np.geomspace(1e-3, 1.0, 7)
RNG = np.random.default_rng(4)
SCENE = np.kron(RNG.uniform(0, 1, (4, 5)), np.ones((3, 3)))[:11, :14]
NOISE = 0.05
TIGHT = 1e-8 if X64 else 2e-3


def problem():
    A = co.convolution(KERNEL, SHAPE, boundary="reflect")
    return A, np.asarray(A @ SCENE) + NOISE * np.random.default_rng(1).standard_normal(SHAPE)


def solved(A):
    """A quadratic penalty, by conjugate gradients."""
    return lambda b, weight, x0: co.tikhonov(A, b, L="gradient", weight=weight, x0=x0, rtol=1e-12 if X64 else 1e-6)


def dense(A, weight):
    """The matrix that maps data to A x."""
    M = np.asarray(A.as_matrix(), np.float64)
    D = np.asarray(co.gradient(A.in_shape).as_matrix(), np.float64)
    return M @ np.linalg.solve(M.T @ M + weight * D.T @ D, M.T)


def signs(b):
    return np.asarray(jax.random.rademacher(jax.random.key(0), b.shape, b.dtype), np.float64).ravel()


@pytest.mark.parametrize(
    "rule", ["sure", *(pytest.param(rule, marks=pytest.mark.slow) for rule in ("whiteness", "discrepancy", "gcv"))]
)
def test_values_of_a_quadratic_penalty(rule):
    A, b = problem()
    sol = co.weight_path(solved(A), A, b, WEIGHTS, rule=rule, noise=NOISE if rule in ("discrepancy", "sure") else None)
    wanted, m = [], b.size
    for weight in WEIGHTS:
        influence = dense(A, weight)
        r = b.ravel() - influence @ b.ravel()
        e = signs(np.asarray(b, np.float64 if X64 else np.float32))
        fitted, square = e @ influence @ e, r @ r
        power = np.abs(np.fft.fft2(r.reshape(SHAPE))) ** 2
        wanted.append(
            {
                "whiteness": np.log(m * np.sum(power**2) / np.sum(power) ** 2),
                "discrepancy": np.log(square / (m * NOISE**2)) ** 2,
                "sure": square / m - NOISE**2 + 2 * NOISE**2 * fitted / m,
                "gcv": np.log(square / m) - 2 * np.log((m - fitted) / m),
            }[rule]
        )
    np.testing.assert_allclose(sol.selection.weights, WEIGHTS, rtol=1e-6)
    np.testing.assert_allclose(sol.selection.values, wanted, rtol=TIGHT, atol=TIGHT)
    np.testing.assert_allclose(sol.x, solved(A)(b, sol.weight, None).x, atol=1e-6 if X64 else 1e-3)


def test_the_divergence_counts_what_is_not_zero():
    """Soft thresholds: d is the number of coefficients left, whatever the signs (Stein's estimate of Donoho's)."""
    b = np.asarray(np.random.default_rng(2).standard_normal(60) * 2)
    A = co.identity(60)
    weights = [0.5, 1.0, 1.7, 2.5]
    solve = lambda b, weight, x0: co.fista(A, b, penalty=co.L1(weight), x0=x0, rtol=1e-6)  # noqa: E731
    sol = co.weight_path(solve, A, b, weights, rule="sure", noise=1.0)
    wanted = [np.mean(np.minimum(abs(b), w) ** 2) - 1 + 2 * np.mean(abs(b) > w) for w in weights]
    np.testing.assert_allclose(sol.selection.values, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_the_residual_is_as_long_as_the_noise():
    A, b = problem()
    penalty = co.TotalVariation(1.0)
    solve = lambda b, weight, x0: co.admm(A, b, penalty=weight * penalty, x0=x0, rtol=1e-3)  # noqa: E731
    sol = co.weight_path(solve, A, b.ravel(), WEIGHTS, rule="discrepancy", noise=NOISE)
    assert sol.x.shape == (b.size,)
    assert not bool(sol.selection.at_edge)
    np.testing.assert_allclose(sol.residual_norm, NOISE * np.sqrt(b.size), rtol=0.05)


@pytest.mark.slow
def test_masked_data_do_not_count():
    mask = np.random.default_rng(3).uniform(size=SHAPE) > 0.1
    A = co.unknown_boundary(KERNEL, SHAPE, mask=mask)
    b = problem()[1]
    penalty = co.TotalVariation(1.0, boundary="wrap")
    chosen = []
    for other in (0.0, 9.0):
        solve = lambda b, weight, x0: co.admm(A, b, penalty=weight * penalty, x0=x0, rtol=1e-3)  # noqa: E731
        found = [
            co.weight_path(solve, A, np.where(mask, b, other), WEIGHTS, rule=rule) for rule in ("whiteness", "gcv")
        ]
        chosen.append([float(sol.weight) for sol in found])
    np.testing.assert_allclose(chosen[0], chosen[1], rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("number", [3, 6])
def test_total_variation_by_rules(number):
    """Near the best of 13 weights, for a part of the photograph; the discrepancy smooths too much."""
    problem = co.problems.classical(number, image=co.problems.photograph()[64:192, 40:152], seed=0)
    A, b = problem.A, problem.b
    base = co.total_variation_weight(A, b, problem.noise)
    best = max(
        float(co.problems.isnr(co.total_variation(A, b, weight=base * factor).x, b, problem.truth))
        for factor in np.geomspace(0.1, 10, 13)
    )
    for rule, loss in {"whiteness": 0.9, "discrepancy": 1.5, "sure": 0.2, "gcv": 0.2}.items():
        sol = co.total_variation(A, b, weight=rule, noise=problem.noise)
        assert float(co.problems.isnr(sol.x, b, problem.truth)) > best - loss


def test_refusals():
    A, b = problem()
    for weights in ([1.0, 2.0], [1.0, 1.0, 2.0], [0.0, 1.0, 2.0], [np.nan, 1.0, 2.0], [np.inf, 1.0, 2.0]):
        with pytest.raises(ValueError, match="at least 3 different positive numbers"):
            co.weight_path(solved(A), A, b, weights)
    with pytest.raises(ValueError, match="`rule` is 'lcurve'; accepted are"):
        co.weight_path(solved(A), A, b, WEIGHTS, rule="lcurve")
    with pytest.raises(ValueError, match="leave out `callback`"):
        co.total_variation(A, b, weight="sure", callback=print)
    with pytest.raises(ValueError, match="`rule` is 'best'"):
        co.total_variation(A, b, weight="best")
    with pytest.raises(ValueError, match="the path is run step by step"):
        jax.jit(lambda b: co.total_variation(A, b, weight="gcv").x)(b)
    with pytest.raises(ValueError, match="the path is run step by step"):
        jax.jit(lambda w: co.weight_path(solved(A), A, b, w).x)(WEIGHTS)
