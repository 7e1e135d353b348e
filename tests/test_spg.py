"""The spectral projected gradient method against steps in NumPy, conditions of optimality, FISTA, and stars."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import X64

import convops as co

KERNEL = np.array([[0.05, 0.1, 0.02], [0.1, 0.2, 0.1], [0.03, 1.0, 0.05], [0.01, 0.02, 0.0]])
SHAPE = (12, 14)
RTOL = 1e-7 if X64 else 1e-4
PENALTIES = {
    "sign": co.NonNegative(),
    "box": co.Box(0.2, 0.7),
    "simplex": co.Simplex(80.0),
    "sparse and sign": co.L1(0.05) + co.NonNegative(),
    "wavelets": co.L1(0.02, transform=co.wavelet(SHAPE, "haar", levels=1)),
    "smooth": co.Quadratic("gradient", weight=0.1),
    "smooth and box": co.Huber(0.02, delta=0.05, transform="gradient") + co.Box(0.2, 0.7),
}


def problem(boundary="reflect"):
    A = co.convolution(KERNEL, SHAPE, boundary=boundary)
    scene = np.kron(np.random.default_rng(5).uniform(-0.3, 1, (4, 5)), np.ones((3, 3)))[:, :14]
    return A, np.asarray(A @ scene) + 0.05 * np.random.default_rng(1).standard_normal(SHAPE)


QUICK = ("box", "sparse and sign")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in PENALTIES])
def test_the_least_objective(name):
    """No feasible point near it is better: that of FISTA, and the objective is what x is worth."""
    A, b = problem()
    penalty = PENALTIES[name]
    sol = co.spg(A, b, penalty=penalty, rtol=RTOL)
    assert bool(sol.converged)
    r = np.asarray(A.as_matrix(), np.float64) @ np.asarray(sol.x, np.float64).ravel() - b.ravel()
    np.testing.assert_allclose(sol.objective, r @ r / 2 + float(penalty(sol.x)), rtol=1e-12 if X64 else 1e-4)
    other = co.fista(A, b, penalty=penalty, rtol=RTOL, prox_steps=100, max_steps=5000)
    np.testing.assert_allclose(sol.objective, other.objective, rtol=1e-8 if X64 else 1e-4)


def test_optimality_between_bounds():
    A, b = problem("zero")
    sol = co.spg(A, b, penalty=co.Box(0.2, 0.7), rtol=RTOL)
    M, x = np.asarray(A.as_matrix(), np.float64), np.asarray(sol.x, np.float64).ravel()
    slope, tight = M.T @ (M @ x - b.ravel()), 1e-5 if X64 else 1e-3
    low, high = x <= np.float32(0.2), x >= np.float32(0.7)
    assert min(low.sum(), high.sum(), (~low & ~high).sum()) > 5
    assert np.abs(slope[~low & ~high]).max() < tight
    assert slope[low].min() > -tight
    assert slope[high].max() < tight


def test_steps_are_those_of_a_loop():
    """Four steps for a non-negative x, none of them shortened."""
    A, b = problem("symmetric")
    M = np.asarray(A.as_matrix(), np.float64)
    x, step = np.zeros(b.size), 0.3
    slope = M.T @ (M @ x - b.ravel())
    objectives, steps = [b.ravel() @ b.ravel() / 2], [step]
    for _ in range(4):
        new = np.maximum(x - step * slope, 0)
        there = M.T @ (M @ new - b.ravel())
        s, y = new - x, there - slope
        x, slope, step = new, there, s @ s / (s @ y)
        objectives.append(np.sum((M @ x - b.ravel()) ** 2) / 2)
        steps.append(step)
    sol = co.spg(A, b, penalty=co.NonNegative(), step=0.3, rtol=0.0, max_steps=4)
    tight = 1e-10 if X64 else 1e-3
    np.testing.assert_allclose(sol.history["objective"], objectives, rtol=tight)
    np.testing.assert_allclose(sol.history["step"], steps, rtol=tight)
    np.testing.assert_allclose(sol.objective, min(objectives), rtol=tight)


def test_a_step_that_is_too_long_is_shortened():
    A, b = problem()
    sol = co.spg(A, b, penalty=co.NonNegative(), step=1e4, rtol=RTOL)
    assert bool(sol.converged)
    objective = np.asarray(sol.history["objective"])[: int(sol.num_steps) + 1]
    assert objective.max() <= objective[0] * 1.001
    np.testing.assert_allclose(sol.objective, co.spg(A, b, penalty=co.NonNegative(), rtol=RTOL).objective, rtol=1e-4)


@pytest.mark.slow
def test_complex_flat_and_without_a_norm():
    A = co.convolution(KERNEL * np.exp(1j * np.arange(3)), SHAPE, boundary="wrap")
    b = np.random.default_rng(2).standard_normal((*SHAPE, 2)) @ [1, 1j]
    sol = co.spg(A, b.ravel(), penalty=co.L1(0.5), rtol=RTOL)
    assert sol.x.shape == (b.size,)
    assert bool(sol.converged)
    other = co.fista(A, b, penalty=co.L1(0.5), rtol=RTOL, max_steps=5000)
    np.testing.assert_allclose(sol.objective, other.objective, rtol=1e-8 if X64 else 1e-4)
    unknown = co.from_function(lambda x: A.matvec(x), SHAPE, dtype=b.dtype)
    np.testing.assert_allclose(co.spg(unknown, b, penalty=co.L1(0.5), rtol=RTOL).objective, sol.objective, rtol=1e-4)


@pytest.mark.slow
def test_batches_traces_and_the_end():
    A, b = problem()
    traces = []

    @jax.jit
    def solve(kernel, b, upper):
        traces.append(1)
        op = co.convolution(kernel, SHAPE, boundary="reflect")
        return co.spg(op, b, penalty=co.Box(0.0, upper), rtol=RTOL).x

    kernels = jnp.asarray(np.stack([KERNEL, KERNEL[::-1]]))
    batch = jax.vmap(solve, (0, None, 0))(kernels, jnp.asarray(b), jnp.asarray([0.5, 0.9]))
    for kernel, upper, x in zip(kernels, (0.5, 0.9), batch, strict=True):
        np.testing.assert_allclose(solve(kernel, b, upper), x, atol=1e-5 if X64 else 1e-3)
    assert len(traces) == 2  # batched, and one by one
    assert not bool(co.spg(A, b, penalty=co.NonNegative(), max_steps=2).converged)
    zero = co.spg(A, 0 * b, penalty=co.NonNegative())
    assert bool(zero.converged)
    assert float(abs(zero.x).max()) == 0
    stopped = co.spg(A, b, penalty=co.NonNegative(), callback=lambda progress: True)
    assert stopped.status.startswith("stopped")


@pytest.mark.parametrize(
    ("penalty", "options", "message"),
    [
        (co.TotalVariation(0.1), {}, "without a convex prox in closed form"),
        (co.HyperLaplacian(0.1), {}, "without a convex prox in closed form"),
        (co.Simplex(1.0) + co.Box(0.0, 0.5), {}, "without a convex prox in closed form"),
        (co.TGV(0.1), {}, "pdhg and admm take it"),
        (co.NonNegative(), {"loop": "scan"}, "use fista"),
        (co.NonNegative(), {"step": -1.0}, "`step` is -1.0"),
        (co.NonNegative(), {"step": "backtracking"}, "`step` is 'backtracking'"),
        (abs, {}, "`penalty` is a builtin_function_or_method"),
    ],
)
def test_refusals(penalty, options, message):
    A, b = problem()
    with pytest.raises(ValueError, match=message):
        co.spg(A, b, penalty=penalty, **options)


@pytest.mark.slow
def test_a_field_of_stars():
    """60 stars on 128 x 128, a Gaussian of 2 pixels, noise of 1 % of the data's norm: to 1 % by non-negativity."""
    rng = np.random.default_rng(0)
    places: list[np.ndarray] = []
    while len(places) < 60:
        place = rng.integers(8, 120, 2)
        if all(np.hypot(*(place - other)) >= 4 for other in places):
            places.append(place)
    stars = np.zeros((128, 128))
    stars[tuple(np.array(places).T)] = rng.uniform(10, 100, 60)
    A = co.convolution(co.psf.gaussian(2.0, (15, 13)), stars.shape, boundary="zero")
    b = np.asarray(A @ stars)
    b = b + 0.01 * np.sqrt(np.mean(b**2)) * rng.standard_normal(b.shape)
    options = {"penalty": co.NonNegative(), "rtol": 0.0, "max_steps": 1500}
    fast, sol = co.fista(A, b, **options), co.spg(A, b, **options)
    assert np.linalg.norm(fast.x - stars) <= 0.01 * np.linalg.norm(stars)
    assert float(sol.objective) <= 2 * float(fast.objective)
    linear = co.tikhonov(A, b)
    assert np.linalg.norm(linear.x - stars) > 0.5 * np.linalg.norm(stars)
