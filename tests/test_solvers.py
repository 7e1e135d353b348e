"""The solvers against dense solutions, their derivatives, loops, statuses and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import convops as co
from convops.solvers.solution import STATUS

X64 = jax.config.jax_enable_x64
RNG = np.random.default_rng(3)
SHAPE = (9, 8)
PSF = RNG.random((4, 3)) + 0.1
PSF /= PSF.sum()
SCENE = RNG.random(SHAPE)
WEIGHT = 3e-2


def relative(got, wanted):
    return np.linalg.norm(np.ravel(got) - np.ravel(wanted)) / np.linalg.norm(np.ravel(wanted))


def problem(boundary, complex_kernel=False):
    psf = PSF * np.exp(1j * np.arange(12).reshape(4, 3)) if complex_kernel else PSF
    A = co.convolution(psf, SHAPE, boundary=boundary)
    b = np.asarray(A @ SCENE) + 0.01 * np.random.default_rng(0).standard_normal(SHAPE)
    return A, b


def periodic(psf):
    return co.convolution(psf, (6, 5), boundary="wrap")


def dense(A, b, L, weight):
    M, D = np.asarray(A.as_matrix()), np.asarray(L.as_matrix())
    N = M.conj().T @ M + weight * D.conj().T @ D
    return np.linalg.solve(N.astype(np.result_type(N, np.float64)), M.conj().T @ b.ravel()).reshape(A.in_shape)


@pytest.mark.parametrize("boundary", ["wrap", "symmetric", "zero", "antireflect"])
@pytest.mark.parametrize("complex_kernel", [False, True])
@pytest.mark.parametrize("regulariser", ["identity", "gradient", "laplacian"])
def test_tikhonov_equals_the_dense_solution(boundary, complex_kernel, regulariser):
    A, b = problem(boundary, complex_kernel)
    edge = "wrap" if boundary == "wrap" else "symmetric"
    L = {"identity": None, "gradient": co.gradient(SHAPE, edge), "laplacian": co.laplacian(SHAPE, edge)}[regulariser]
    sol = co.tikhonov(A, b, L=L, weight=WEIGHT)
    wanted = dense(A, b, L or co.identity(SHAPE), WEIGHT)
    closed = boundary == "wrap"
    assert relative(sol.x, wanted) < ((1e-12 if closed else 1e-11) if X64 else 1e-5 if closed else 1e-4)
    assert bool(sol.converged)
    assert (int(sol.num_steps) == 0) == closed
    assert relative(sol.residual_norm, np.linalg.norm(np.asarray(A @ sol.x) - b)) < 1e-4
    rough = 0 if L is None else np.linalg.norm(L @ sol.x) ** 2
    rough = np.linalg.norm(sol.x) ** 2 if L is None else rough
    assert relative(sol.objective, 0.5 * float(sol.residual_norm) ** 2 + 0.5 * WEIGHT * rough) < 1e-4


@pytest.mark.parametrize(
    ("name", "A", "L"),
    [
        ("some axes", co.convolution(PSF[:, 0], (6, 5), axes=0, boundary="wrap"), co.gradient((6, 5), "wrap")),
        ("odd axes order", co.convolution(PSF, (5, 4, 6), axes=(2, 0), boundary="wrap"), None),
        (
            "product",
            co.convolution(PSF, (6, 5), boundary="wrap") @ co.convolution(PSF.T, (6, 5), boundary="wrap").H,
            None,
        ),
        ("sum", periodic(PSF) + 0.3 * co.identity((6, 5)), co.laplacian((6, 5), "wrap")),
        ("adjoint", periodic(PSF).H, co.gradient((6, 5), ("wrap", "wrap"))),
        ("one axis", co.convolution(PSF[0], 7, boundary="wrap", dilation=3), None),
        ("mixed", co.convolution(PSF, (6, 5), boundary=("wrap", "edge")), co.gradient((6, 5))),
        ("full", co.convolution(PSF, (6, 5), mode="full"), co.gradient((6, 5))),
        ("masked", co.mask(RNG.random((6, 5)) > 0.3) @ periodic(PSF), None),
    ],
)
def test_tikhonov_of_other_operators(name, A, L):
    b = np.random.default_rng(1).standard_normal(A.out_shape)
    sol = co.tikhonov(A, b, L=L, weight=WEIGHT)
    assert relative(sol.x, dense(A, b, L or co.identity(A.in_shape), WEIGHT)) < (1e-11 if X64 else 1e-4), name
    assert (int(sol.num_steps) == 0) == (name not in ("mixed", "full", "masked"))


@pytest.mark.parametrize("boundary", ["wrap", "symmetric"])
def test_tikhonov_differentiates(boundary):
    """In kernel, data and weight: reverse against central differences, forward against reverse, and twice."""
    _, b = problem(boundary)
    edge = "wrap" if boundary == "wrap" else "symmetric"

    @jax.jit
    def loss(psf, b, weight):
        A = co.convolution(psf, SHAPE, boundary=boundary)
        return jnp.sum((co.tikhonov(A, b, L=co.gradient(SHAPE, edge), weight=weight).x - SCENE) ** 2)

    args = [jnp.asarray(PSF), jnp.asarray(b), jnp.asarray(WEIGHT)]
    slopes = jax.jit(jax.grad(loss, (0, 1, 2)))(*args)
    for i, arg in enumerate(args):
        direction = jnp.asarray(np.random.default_rng(i).standard_normal(arg.shape), arg.dtype)

        def moved(s, i=i, direction=direction):
            return loss(*(a + s * direction if j == i else a for j, a in enumerate(args)))

        found = float(jnp.sum(slopes[i] * direction))
        h = 1e-5 if X64 else 3e-3 * float(jnp.max(jnp.abs(arg)))
        differences = (float(moved(h)) - float(moved(-h))) / (2 * h)
        assert abs(differences - found) <= (1e-6 if X64 else 5e-2) * abs(found), i
        forward = jax.jvp(moved, (jnp.zeros(()),), (jnp.ones(()),))[1]
        np.testing.assert_allclose(forward, found, rtol=1e-8 if X64 else 1e-3)
    second = jax.grad(jax.grad(loss, 2), 2)(*args)
    first = jax.jit(jax.grad(loss, 2))
    h = 1e-5 if X64 else 3e-3
    ahead, behind = (float(first(args[0], args[1], args[2] * (1 + s * h))) for s in (1, -1))
    np.testing.assert_allclose(second, (ahead - behind) / (2 * h * WEIGHT), rtol=1e-6 if X64 else 5e-2)


def test_tikhonov_maps_over_images_kernels_and_weights():
    kernels = np.stack([PSF, PSF[::-1], PSF[:, ::-1]])
    _, b = problem("symmetric")
    data, weights = np.stack([b, 2 * b, b**2]), np.array([1e-1, 1e-2, 3e-2])

    def solve(psf, b, weight):
        return co.tikhonov(co.convolution(psf, SHAPE, boundary="edge"), b, weight=weight)

    batch = jax.jit(jax.vmap(solve))(kernels, data, weights)
    assert batch.x.shape == (3, *SHAPE)
    assert batch.status.tolist() == [STATUS[1]] * 3
    for i in range(3):
        one = solve(kernels[i], data[i], weights[i])
        np.testing.assert_allclose(batch.x[i], one.x, atol=1e-11 if X64 else 2e-5)


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


def test_a_solver_traces_once():
    traces = []

    @jax.jit
    def solve(A, b, weight):
        traces.append(1)
        return co.tikhonov(A, b, weight=weight).x

    _, b = problem("zero")
    for psf, weight in ((PSF, 1e-2), (PSF[::-1], 1e-1), (PSF**2, 3.0)):
        solve(co.convolution(psf, SHAPE), b, weight)
    assert len(traces) == 1


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


@pytest.mark.parametrize("boundary", ["wrap", "symmetric"])
def test_tikhonov_keeps_single_precision(boundary):
    """Regularisers without arrays of their own do not widen single-precision data, whatever the default float is."""
    psf, b = jnp.asarray(np.outer([1, 2, 1], [1, 3]), jnp.float32) / 16, jnp.ones((6, 7), jnp.float32)
    A = co.convolution(psf, b.shape, boundary=boundary)
    assert co.tikhonov(A, b, L=co.gradient(b.shape, boundary), weight=1e-2).x.dtype == jnp.float32
