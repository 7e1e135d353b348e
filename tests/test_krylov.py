"""Krylov methods against SciPy's iterates and dense solutions, with damping, shifts, starts and preconditioners."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse.linalg
from comparing import X64

import convops as co

RNG = np.random.default_rng(4)
SHAPE = (29, 26)
OFFSETS = np.arange(11) - 4.7
PSF = np.exp(-(OFFSETS[:, None] ** 2 + (OFFSETS[None, 1:] + 0.2) ** 2) / 3)
PSF /= PSF.sum()


def posed(shape, method):
    """A blur, a scene and its noisy data."""
    blur = co.convolution(PSF, shape, boundary="symmetric", method=method)
    scene = np.cumsum(RNG.standard_normal(shape), 0) / 5
    return blur, scene, np.asarray(blur @ scene) + 0.1 * RNG.standard_normal(shape)


LARGE, _, LARGE_DATA = posed((48, 45), "stencil")  # so slow to converge that twenty iterates agree to the last digits
A, SCENE, DATA = posed(SHAPE, "fourier")  # which compiles fastest in a loop
EVEN = co.convolution(np.outer([1, 4, 6, 4, 1], [1, 2, 1]) / 64, SHAPE)
SOLVERS = [co.lsqr, co.lsmr, co.cgls]
EXACT = 1e-12 if X64 else 1e-5


def relative(got, wanted):
    return np.linalg.norm(np.ravel(got) - np.ravel(wanted)) / np.linalg.norm(np.ravel(wanted))


def by_scipy(solver, operator, b, damp, steps):
    options = {"damp": damp, "atol": 0, "btol": 0, "conlim": 0}
    if solver is co.lsmr:
        return scipy.sparse.linalg.lsmr(operator, b, maxiter=steps, **options)[0]
    return scipy.sparse.linalg.lsqr(operator, b, iter_lim=steps, **options)[0]


def in_double(operator):
    """The operator for SciPy, in double precision whatever the session's."""
    matrix = np.asarray(operator.as_matrix(), np.float64)
    return scipy.sparse.linalg.aslinearoperator(matrix)


@pytest.mark.parametrize("damp", [0.0, 0.05])
@pytest.mark.parametrize("solver", SOLVERS)
def test_iterates_are_scipys(solver, damp):
    reference, b = in_double(LARGE), LARGE_DATA.ravel()
    for steps in (2, 20):
        sol = solver(LARGE, LARGE_DATA, damp=damp, rtol=0.0, max_steps=steps)
        wanted = by_scipy(solver, reference, b, damp, steps)
        assert relative(sol.x, wanted) <= EXACT, steps
        r = b - reference @ wanted
        s = reference.rmatvec(r) - damp**2 * wanted
        assert int(sol.num_steps) == steps
        np.testing.assert_allclose(sol.history["residual_norm"][steps], np.linalg.norm(r), rtol=10 * EXACT)
        np.testing.assert_allclose(sol.history["gradient_norm"][steps], np.linalg.norm(s), rtol=1e-9 if X64 else 1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("damp", [0.0, 0.05])
@pytest.mark.parametrize("solver", [co.lsqr, co.lsmr])
def test_forty_iterates_are_scipys_on_an_image(solver, damp):
    scene = np.asarray(co.problems.photograph(), np.float64) / 255
    grid = np.arange(-8, 9)
    psf = np.exp(-(grid[:, None] ** 2 + grid**2) / 8.0)
    blur = co.convolution(psf / psf.sum(), scene.shape, boundary="symmetric")
    exact = np.asarray(blur @ scene, np.float64)
    noise = np.random.default_rng(0).standard_normal(scene.shape)
    b = exact + 0.01 * np.linalg.norm(exact) / np.linalg.norm(noise) * noise
    with jax.enable_x64(True):
        double = co.convolution(psf / psf.sum(), scene.shape, boundary="symmetric").to_scipy()
        wanted = {k: by_scipy(solver, double, b.ravel(), damp, k) for k in (10, 40)}
    for k, expected in wanted.items():
        assert relative(solver(blur, b, damp=damp, rtol=0.0, max_steps=k).x, expected) <= EXACT, k


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("case", ["complex", "wide", "tall"])
def test_other_matrices(solver, case):
    kernel = PSF[3:7, 2:5] * (np.exp(1j * np.arange(3)) if case == "complex" else 1)
    mode = {"complex": "same", "wide": "valid", "tall": "full"}[case]
    operator = co.convolution(kernel, (13, 12), mode=mode)
    M = np.asarray(operator.as_matrix())
    M = M.astype(np.result_type(M, np.float64))
    b = np.random.default_rng(1).standard_normal(operator.out_shape)
    damp = 0.1
    wanted = np.linalg.solve(M.conj().T @ M + damp**2 * np.eye(M.shape[1]), M.conj().T @ b.ravel())
    sol = solver(operator, b, damp=damp, rtol=1e-12 if X64 else 1e-6, max_steps=500)
    assert bool(sol.converged), sol.status
    assert relative(sol.x, wanted) <= (1e-10 if X64 else 1e-4)
    assert sol.x.shape == (13, 12)


def preconditioner(damp):
    periodic = co.diagonalized(co.convolution(PSF, SHAPE, boundary="wrap"))
    return (periodic.gram() + damp**2 * co.identity(SHAPE)).inverse()


@pytest.mark.parametrize("boundary", [pytest.param("symmetric", marks=pytest.mark.slow), "wrap"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_preconditioned_and_warm_started(solver, boundary):
    """The same minimiser from anywhere, with true norms in the history, and in few steps where P is the inverse."""
    damp = 0.1
    operator = co.convolution(PSF, SHAPE, boundary=boundary, method="fourier")
    M = np.asarray(operator.as_matrix(), np.float64)
    wanted = np.linalg.solve(M.T @ M + damp**2 * np.eye(M.shape[1]), M.T @ DATA.ravel())
    options = {"damp": damp, "rtol": 1e-10 if X64 else 1e-5, "max_steps": 1000}
    for x0 in (None, SCENE):
        for P in (None, preconditioner(damp)):
            sol = solver(operator, DATA, x0=x0, preconditioner=P, truth=wanted.reshape(SHAPE), **options)
            assert bool(sol.converged), sol.status
            assert relative(sol.x, wanted) <= (1e-7 if X64 else 2e-3)
            n = int(sol.num_steps)
            np.testing.assert_allclose(sol.history["error"][n], relative(sol.x, wanted), rtol=1e-2 if X64 else 0.5)
            r = DATA.ravel() - M @ np.ravel(sol.x).astype(np.float64)
            np.testing.assert_allclose(sol.history["residual_norm"][n], np.linalg.norm(r), rtol=1e-6 if X64 else 1e-3)
            if boundary == "wrap":
                assert (n <= 2) == (P is not None)


def test_lsmr_has_a_falling_gradient():
    sol = co.lsmr(A, DATA, rtol=0.0, max_steps=30)
    assert np.all(np.diff(sol.history["gradient_norm"]) <= 1e-5 * float(sol.history["gradient_norm"][0]))


def test_estimates_are_those_of_the_bidiagonal_matrix():
    """With V a basis of the Krylov space: the Frobenius norm of (A; damp I) V, and by that of its inverse."""
    damp, steps = 0.3, 6
    M, b = np.asarray(A.as_matrix(), np.float64), DATA.ravel()
    V = np.empty((b.size, 0))
    v = M.T @ b
    for _ in range(steps):
        v = v - V @ (V.T @ v)
        v = v - V @ (V.T @ v)
        V = np.column_stack([V, v / np.linalg.norm(v)])
        v = M.T @ (M @ V[:, -1])
    s = np.sqrt(np.linalg.svd(M @ V, compute_uv=False) ** 2 + damp**2)
    norm, inverse = np.linalg.norm(s), np.linalg.norm(1 / s)
    for solver in (co.lsqr, co.lsmr):
        history = solver(A, DATA, damp=damp, rtol=0.0, max_steps=steps).history
        np.testing.assert_allclose(history["norm"][steps], norm, rtol=1e-9 if X64 else 1e-4)
        if solver is co.lsqr:
            np.testing.assert_allclose(history["condition"][steps], norm * inverse, rtol=1e-9 if X64 else 1e-4)


def test_lsqr_knows_its_matrix_after_many_steps():
    small = co.convolution(PSF[3:7, 2:5], (6, 5), mode="full")
    damp = 0.3
    rng = np.random.default_rng(2)
    sol = co.lsqr(small, rng.standard_normal(small.out_shape), damp=damp, rtol=0.0, max_steps=30)
    rows = np.vstack([np.asarray(small.as_matrix()), damp * np.eye(30)])
    assert 0.3 < float(sol.history["norm"][-1]) / np.linalg.norm(rows) < 3
    condition = np.linalg.cond(rows)
    assert condition <= float(sol.history["condition"][-1]) * 1.01 <= 100 * condition


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_minres_and_cg_iterates_are_scipys(shift):
    reference = in_double(EVEN)
    b = np.asarray(EVEN @ SCENE)
    for steps in (1, 4, 15):
        sol = co.minres(EVEN, b, shift=shift, rtol=0.0, max_steps=steps)
        wanted = scipy.sparse.linalg.minres(reference, b.ravel(), shift=-shift, rtol=0, maxiter=steps)[0]
        assert relative(sol.x, wanted) <= EXACT
        r = b.ravel() - reference @ wanted - shift * wanted
        np.testing.assert_allclose(sol.history["residual_norm"][steps], np.linalg.norm(r), rtol=1e-8 if X64 else 1e-3)
    gram = EVEN.gram()
    dense = np.asarray(gram.as_matrix(), np.float64) + (shift + 0.01) * np.eye(b.size)
    sol = co.cg(gram, b, shift=shift + 0.01, rtol=0.0, max_steps=12)
    wanted = scipy.sparse.linalg.cg(dense, b.ravel(), rtol=0, maxiter=12)[0]
    assert relative(sol.x, wanted) <= EXACT


def test_minres_takes_what_cg_refuses():
    """An indefinite blur: CG says that it is one, MINRES solves it, also with a preconditioner and from a start."""
    blur = co.convolution(np.ones((3, 3)) / 9, (12, 13))
    rng = np.random.default_rng(3)
    scene = rng.standard_normal((12, 13))
    b = np.asarray(blur @ scene)
    refused = co.cg(blur, b, max_steps=100)
    assert not bool(refused.converged)
    assert "not positive definite" in refused.status
    assert np.all(np.isfinite(refused.x))
    spectrum = co.diagonalized(co.convolution(np.ones((3, 3)) / 9, (12, 13), boundary="wrap"))
    P = (spectrum.gram() + 1e-2 * co.identity((12, 13))).power(-0.5)
    for options in ({}, {"preconditioner": P}, {"x0": scene + 1}):
        sol = co.minres(blur, b, rtol=1e-9 if X64 else 1e-4, max_steps=2000, truth=scene, **options)
        assert bool(sol.converged), sol.status
        n = int(sol.num_steps)
        assert relative(sol.x, scene) <= (1e-5 if X64 else 0.5)
        np.testing.assert_allclose(sol.history["error"][n], relative(sol.x, scene), rtol=1e-2 if X64 else 0.1)
        np.testing.assert_allclose(sol.history["residual_norm"][n], sol.residual_norm, rtol=1e-3 if X64 else 0.5)
        assert relative(sol.objective, 0.5 * np.vdot(sol.x, blur @ sol.x) - np.vdot(sol.x, b)) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("solver", [*SOLVERS, co.minres])
def test_loops_and_batches(solver):
    operator, data = (EVEN, DATA) if solver is co.minres else (LARGE, LARGE_DATA)
    options = {"rtol": 0.0, "max_steps": 7}
    plain = solver(operator, data, **options)
    for loop in ("scan", "chunked"):
        np.testing.assert_allclose(solver(operator, data, loop=loop, **options).x, plain.x, rtol=1e-6, atol=1e-6)
    batch = jax.vmap(lambda b: solver(operator, b, **options).x)(np.stack([data, 2 * data]))
    np.testing.assert_allclose(batch[1], 2 * batch[0], rtol=1e-4, atol=1e-5)
    slope = jax.grad(lambda b: jnp.sum(solver(operator, b, loop="scan", **options).x ** 2))(jnp.asarray(data))
    d = np.random.default_rng(5).standard_normal(data.shape)
    h = 1e-5 if X64 else 1e-2
    ahead, behind = (float(jnp.sum(solver(operator, data + s * h * d, **options).x ** 2)) for s in (1, -1))
    np.testing.assert_allclose(jnp.sum(slope * d), (ahead - behind) / (2 * h), rtol=1e-6 if X64 else 5e-2)


@pytest.mark.parametrize("solver", [*SOLVERS, co.minres, co.cg])
def test_zero_data_and_overflow(solver):
    operator = EVEN.gram() if solver is co.cg else EVEN
    sol = solver(operator, np.zeros(SHAPE))
    assert bool(sol.converged)
    assert not np.any(sol.x)
    huge = solver(operator, np.full(SHAPE, 1e30), max_steps=5) if not X64 else solver(operator, np.full(SHAPE, 1e200))
    assert np.all(np.isfinite(huge.x))


def test_minres_stops_where_nothing_reaches_the_data():
    """Singular and inconsistent: the residual comes down to the least there is, and the iterates stay small."""
    L = co.laplacian(64, "wrap")
    b = np.random.default_rng(0).standard_normal(64)
    sol = co.minres(L, b)
    assert not bool(sol.converged)
    least = abs(b.sum()) / 8
    assert float(sol.residual_norm) <= 1.01 * least
    assert float(np.max(np.abs(sol.x))) < 1e4
    consistent = co.minres(L, b - b.mean())
    assert bool(consistent.converged), consistent.status


@pytest.mark.parametrize("options", [{}, {"rtol": 0.0}])
def test_minres_of_a_singular_blur_ends_at_least_squares(options):
    """A box that removes whole frequencies; the iterates once grew without end, unseen by the history."""
    A = co.convolution(np.ones((3, 3)) / 9, (12, 15), boundary="wrap")
    b = np.random.default_rng(3).standard_normal((12, 15))
    sol = co.minres(A, b, **options)
    dense = np.asarray(A.as_matrix(), np.float64)
    least = np.linalg.norm(dense @ np.linalg.lstsq(dense, b.ravel(), rcond=1e-10)[0] - b.ravel())
    assert "singular" in sol.status
    assert int(sol.num_steps) < 100
    np.testing.assert_allclose(sol.residual_norm, least, rtol=1e-6 if X64 else 1e-4)
    assert float(sol.history["residual_norm"][-1]) == float(sol.residual_norm)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_preconditioner_of_any_scale_leaves_the_stopping_alone(solver):
    operator = co.diagonal(1e4 * np.linspace(1, 3, 200))
    b = np.random.default_rng(1).standard_normal(200)
    plain = solver(operator, b, rtol=1e-4)
    for scale in (1e-8, 1e4):
        sol = solver(operator, b, preconditioner=co.diagonal(np.full(200, scale)), rtol=1e-4)
        assert bool(sol.converged), sol.status
        assert abs(int(sol.num_steps) - int(plain.num_steps)) <= 2
        np.testing.assert_allclose(
            sol.history["gradient_norm"][3], plain.history["gradient_norm"][3], rtol=1e-3 if X64 else 0.05
        )


@pytest.mark.skipif(not X64, reason="needs double precision beside single")
@pytest.mark.parametrize("solver", [*SOLVERS, co.cg, co.minres])
def test_a_preconditioner_of_another_precision(solver):
    operator = co.convolution(np.array([0.2, 0.6, 0.2], np.float32), 32)
    sol = solver(operator, np.ones(32, np.float32), preconditioner=co.diagonal(np.ones(32)))
    assert sol.x.dtype == np.float32


REFUSED = [
    (lambda: co.minres(A, DATA), "not its own adjoint"),
    (lambda: co.cg(co.convolution(PSF, SHAPE, mode="full"), DATA), "`A` maps|`b` has shape"),
    (lambda: co.cg(EVEN.gram(), DATA, shift=-1.0), "`shift`"),
    (lambda: co.lsqr(A, DATA, preconditioner=np.eye(3)), "`preconditioner`"),
    (lambda: co.lsmr(A, DATA, truth=np.ones(4)), "`truth` has shape"),
    (lambda: co.lsmr(A, DATA, x0=1j * SCENE), "`x0` is complex"),
    (lambda: co.lsqr(A, DATA, preconditioner=co.identity(SHAPE) * 1j), "`preconditioner` is complex"),
    (lambda: co.lsqr(A, DATA, damp="gcv"), "`damp`"),
    (lambda: co.cgls(A, np.full(SHAPE, np.nan)), "NaN"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
