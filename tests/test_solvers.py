"""Iterative solvers against dense solutions: loops, statuses, reports and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from comparing import X64
from solving import PSF, SCENE, SHAPE, WEIGHT, dense, problem, relative

import convops as co
from convops.solvers.solution import STATUS


@pytest.mark.parametrize("boundary", ["symmetric", "antireflect"])
@pytest.mark.parametrize("damp", [0.0, 0.2])
def test_cgls_equals_least_squares(boundary, damp):
    A, b = problem(boundary, complex_kernel=damp > 0)
    M = np.asarray(A.as_matrix())
    M, b = M.astype(np.result_type(M, np.float64)), b.astype(np.result_type(b, np.float64))
    stacked = np.vstack([M, damp * np.eye(72)])
    wanted = np.linalg.lstsq(stacked, np.append(b.ravel(), np.zeros(72)), rcond=None)[0]
    sol = co.cgls(A, b, damp=damp, rtol=1e-13 if X64 else 1e-6, max_steps=3000)
    residual = np.linalg.norm(M @ np.ravel(sol.x) - b.ravel())
    best = np.linalg.norm(M @ wanted - b.ravel())
    if damp:
        assert relative(sol.x, wanted) < (1e-9 if X64 else 1e-3)
        assert bool(sol.converged), sol.status
    assert residual <= best + (1e-6 if X64 else 2e-2) * np.linalg.norm(b)


def test_cgls_reports():
    A, b = problem("symmetric")
    sol = co.cgls(A, b, rtol=1e-3)
    history = np.asarray(sol.history["residual_norm"])
    steps = int(sol.num_steps)
    assert history.shape == (1001,)
    np.testing.assert_allclose(history[0], np.linalg.norm(b), rtol=1e-5)
    assert (np.diff(history[: steps + 1]) <= 1e-6).all()
    assert (history[steps:] == history[steps]).all()
    assert sol.status == STATUS[1]
    short = co.cgls(A, b, max_steps=2)
    assert not bool(short.converged)
    assert short.status == STATUS[0]
    assert "2 steps" in repr(short)
    flat = co.cgls(A, b.ravel(), damp=0.1)
    assert flat.x.shape == (72,)
    again = co.cgls(A, b, rtol=1e-3, x0=sol.x)
    assert int(again.num_steps) <= 2
    exact = co.cgls(A, np.zeros(SHAPE))
    assert bool(exact.converged)
    assert not np.asarray(exact.x).any()


@pytest.mark.parametrize("solver", [co.cgls, co.gradient_descent])
def test_loops_agree(solver):
    A, b = problem("reflect")
    how = {"max_steps": 25, "rtol": 1e-3}
    once = solver(A, b, **how)
    seen = []
    for other in (solver(A, b, loop="scan", **how), solver(A, b, callback=seen.append, **how)):
        np.testing.assert_allclose(other.x, once.x, atol=1e-12 if X64 else 1e-6)
        assert int(other.num_steps) == int(once.num_steps)
        np.testing.assert_allclose(other.history["residual_norm"], once.history["residual_norm"], rtol=1e-5)
    assert [p.step for p in seen] == [min(10 * (i + 1), int(once.num_steps)) for i in range(len(seen))]
    assert seen[-1].max_steps == 25
    stopped = solver(A, b, callback=lambda progress: True, max_steps=25, rtol=1e-9)
    assert int(stopped.num_steps) == 10
    assert stopped.status == STATUS[3]


def test_interrupt_keeps_the_iterate():
    def interrupt(progress):
        raise KeyboardInterrupt

    A, b = problem("zero")
    sol = co.cgls(A, b, callback=interrupt, rtol=1e-9)
    assert int(sol.num_steps) == 10
    assert sol.status == STATUS[3]
    assert float(sol.residual_norm) < np.linalg.norm(b)
    tik = co.tikhonov(A, b, weight=1e-3, callback=interrupt)
    assert int(tik.num_steps) == 10
    assert not bool(tik.converged)


def test_scan_differentiates_through_the_steps():
    _, b = problem("edge")

    @jax.jit
    def loss(psf):
        A = co.convolution(psf, SHAPE, boundary="edge")
        return jnp.sum((co.cgls(A, b, max_steps=5, rtol=0.0, loop="scan").x - SCENE) ** 2)

    slope = jax.jit(jax.grad(loss))(jnp.asarray(PSF))
    direction = jnp.asarray(np.random.default_rng(0).standard_normal(PSF.shape), slope.dtype)
    h = 1e-5 if X64 else 1e-3
    differences = (float(loss(PSF + h * direction)) - float(loss(PSF - h * direction))) / (2 * h)
    np.testing.assert_allclose(jnp.sum(slope * direction), differences, rtol=1e-6 if X64 else 5e-2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nothing_but_finite_numbers_comes_out(bad):
    A, b = problem("symmetric")
    b[2, 3] = bad
    for solver in (co.cgls, co.gradient_descent, lambda A, b: co.tikhonov(A, b, weight=1e-2)):
        with pytest.raises(ValueError, match="NaN or infinite"):
            solver(A, b)
        sol = jax.jit(solver)(A, b)
        assert np.isfinite(np.asarray(sol.x)).all()
        assert not bool(sol.converged)
        assert sol.status == STATUS[2]
        assert not np.isnan(sol.residual_norm)
    W = co.convolution(PSF, SHAPE, boundary="wrap")
    closed = jax.jit(lambda A, b: co.tikhonov(A, b, weight=1e-2))(W, b)
    assert np.isfinite(np.asarray(closed.x)).all()
    assert not bool(closed.converged)


def test_gradient_descent_reaches_the_minimum():
    A, b = problem("symmetric")
    wanted = dense(A, b, co.identity(SHAPE), WEIGHT)

    def ridge(x):
        return 0.5 * WEIGHT * jnp.sum(jnp.abs(x) ** 2)

    for optimizer in (None, optax.sgd(1.0, momentum=0.8, nesterov=True), optax.lbfgs()):
        sol = co.gradient_descent(A, b, penalty=ridge, optimizer=optimizer, max_steps=3000, rtol=1e-5)
        assert bool(sol.converged), sol.status
        assert relative(sol.x, wanted) < 1e-3
        history = np.asarray(sol.history["objective"])
        assert history[0] >= float(sol.objective)


def test_gradient_descent_projects_and_survives_divergence():
    A, b = problem("symmetric")
    nonnegative = optax.projections.projection_non_negative
    sol = co.gradient_descent(A, b - 0.5, project=nonnegative, max_steps=5000)
    assert bool(sol.converged), sol.status
    x, slope = np.asarray(sol.x), np.asarray(A.H @ (A @ sol.x - (b - 0.5)))
    assert (x >= 0).all()
    scale = np.abs(np.asarray(A.H @ (b - 0.5))).max()
    assert (slope[x == 0] > -1e-3 * scale).all()  # the optimality conditions
    assert (np.abs(slope[x > 0]) < 1e-2 * scale).all()
    wild = co.gradient_descent(A, b, optimizer=optax.sgd(50.0), max_steps=2000)
    assert np.isfinite(np.asarray(wild.x)).all()
    assert not bool(wild.converged)
    assert wild.status == STATUS[2]
    assert float(wild.objective) <= 0.5 * np.linalg.norm(b) ** 2 * (1 + 1e-6)


def test_complex_descent():
    A, b = problem("symmetric", complex_kernel=True)

    def ridge(x):
        return 0.5 * 0.3 * jnp.sum(jnp.abs(x) ** 2)

    for optimizer in (None, optax.sgd(0.5)):
        sol = co.gradient_descent(A, b, penalty=ridge, optimizer=optimizer, max_steps=4000)
        assert bool(sol.converged), sol.status
        assert relative(sol.x, dense(A, b, co.identity(SHAPE), 0.3)) < 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda A, b: co.cgls(A, b[:-1]), r"`b` has shape \(8, 8\); A maps to \(9, 8\)"),
        (lambda A, b: co.cgls(np.eye(3), b), "`A` is a ndarray"),
        (lambda A, b: co.cgls(A, b, damp=-1.0), "`damp` is -1.0; give a non-negative number"),
        (lambda A, b: co.cgls(A, b, x0=np.zeros(3)), r"`x0` has shape \(3,\)"),
        (lambda A, b: co.cgls(A, b, max_steps=-1), "`max_steps` is -1"),
        (lambda A, b: co.cgls(A, b, loop="for"), "`loop` is 'for'; accepted are 'while', 'scan', 'chunked'"),
        (lambda A, b: co.tikhonov(A, b, weight=-1e-3), "`weight` is -0.001"),
        (lambda A, b: co.tikhonov(A, b, weight=np.nan), "`weight` is nan"),
        (lambda A, b: co.tikhonov(A, b, weight=np.ones(3)), "`weight` has shape"),
        (lambda A, b: co.tikhonov(A, b, weight="reml"), "`weight` is 'reml'"),
        (lambda A, b: co.tikhonov(A, b, weight=1.0, L=co.gradient((3, 3))), "`L` must be an operator on"),
    ],
)
def test_refusals(call, message):
    A, b = problem("zero")
    with pytest.raises(ValueError, match=message):
        call(A, b)
