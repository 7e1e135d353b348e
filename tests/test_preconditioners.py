"""Preconditioners against the matrices that they are made from, and the steps that they save."""

import jax
import numpy as np
import pytest
import scipy.fft
import scipy.linalg
from comparing import X64

import convops as co

KERNEL = np.array([[0.1, 0.3, 0.05], [0.2, 1.2, -0.1], [0.0, 0.4, 0.3], [0.1, 0.1, 0.0]])
ATOL = 1e-10 if X64 else 1e-4


def nearest_circulant(T, shape):
    """The block circulant matrix nearest to T: T in the Fourier basis, its diagonal kept (T. Chan)."""
    F = scipy.linalg.dft(shape[0], scale="sqrtn")
    for n in shape[1:]:
        F = np.kron(F, scipy.linalg.dft(n, scale="sqrtn"))
    return F.conj().T @ np.diag(np.diag(F @ T @ F.conj().T)) @ F


@pytest.mark.parametrize("options", [{}, {"origin": 0}, {"dilation": (2, 1)}])
def test_chan_is_the_nearest_circulant(options):
    shape, kernel = (9, 7), KERNEL * np.exp(0.3j)
    A = co.convolution(kernel, shape, **options)
    C = nearest_circulant(np.asarray(A.as_matrix()), shape)
    wanted = np.linalg.inv(C.conj().T @ C + 0.25 * np.eye(63))
    P = co.preconditioner(A, damp=0.5, kind="chan")
    np.testing.assert_allclose(P.as_matrix(), wanted, atol=ATOL)
    co.testing.check_operator(P)


def test_strang_keeps_the_middle_diagonals():
    t = np.array([0.5, 1.0, 0.25, 0.125, 0.0625, 0.03])
    A = co.convolution(t, 7, origin=1)  # reads from 1 ahead to 4 behind; beyond 3 is left out
    column = np.array([1.0, 0.25, 0.125, 0.0625, 0.0, 0.0, 0.5])
    C = scipy.linalg.circulant(column)
    P = co.preconditioner(A, damp=0.1, kind="strang")
    np.testing.assert_allclose(P.as_matrix(), np.linalg.inv(C.T @ C + 0.01 * np.eye(7)), atol=10 * ATOL)


def test_dct_is_the_mirrored_mean():
    A = co.convolution(KERNEL, (6, 9), origin=(1, 1))
    wide = np.zeros((5, 3))
    wide[1:] = KERNEL  # the origin in the middle
    for axis in (0, 1):
        wide = (wide + np.flip(wide, axis)) / 2
    M = np.asarray(co.convolution(wide, (6, 9), boundary="symmetric").as_matrix())
    V = np.kron(scipy.fft.dct(np.eye(6), norm="ortho", axis=0), scipy.fft.dct(np.eye(9), norm="ortho", axis=0))
    inside = V @ M @ V.T
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=ATOL)
    P = co.preconditioner(A, damp=0.5, kind="dct")
    np.testing.assert_allclose(P.as_matrix(), np.linalg.inv(M.T @ M + 0.25 * np.eye(54)), atol=ATOL)
    co.testing.check_operator(P)


def test_kronecker_is_the_nearest_product():
    """The products are the rank-one matrices of blocks rearranged (Van Loan & Pitsianis 1993)."""
    m, n = shape = (7, 9)
    kernel = KERNEL * np.exp(0.2j * np.arange(3))
    A = co.convolution(kernel, shape)
    M = np.asarray(A.as_matrix()).astype(complex)
    u, s, v = np.linalg.svd(M.reshape(m, n, m, n).transpose(0, 2, 1, 3).reshape(m * m, n * n))
    C = np.kron((s[0] * u[:, 0]).reshape(m, m), v[0].reshape(n, n))
    P = co.preconditioner(A, damp=0.5, kind="kronecker")
    wanted = np.linalg.inv(C.conj().T @ C + 0.25 * np.eye(63))
    np.testing.assert_allclose(P.as_matrix(), wanted, atol=ATOL)
    co.testing.check_operator(P)


@pytest.mark.parametrize("boundary", ["zero", "reflect", "antireflect", ("edge", "wrap")])
def test_kronecker_is_the_inverse_for_separable_kernels(boundary):
    A = co.convolution(np.outer([1.0, 4.0, 2.0], [3.0, 1.0]), (8, 7), boundary=boundary)
    M = np.asarray(A.as_matrix(), np.float64)
    P = co.preconditioner(A, damp=0.5, kind="kronecker")
    np.testing.assert_allclose(P.as_matrix(), np.linalg.inv(M.T @ M + 0.25 * np.eye(56)), atol=ATOL)
    b = np.random.default_rng(0).standard_normal((8, 7))
    assert int(co.cgls(A, b, damp=0.5, preconditioner=P, rtol=1e-8 if X64 else 1e-4).num_steps) == 1
    along_one = co.convolution([1.0, 4.0, 2.0], (3, 8), axes=1, boundary="reflect")
    P = co.preconditioner(along_one, damp=0.5, kind="kronecker")
    M = np.asarray(along_one.as_matrix(), np.float64)
    np.testing.assert_allclose(P.as_matrix(), np.linalg.inv(M.T @ M + 0.25 * np.eye(24)), atol=ATOL)


def test_it_saves_steps_and_changes_nothing():
    scene = np.cumsum(np.random.default_rng(1).standard_normal((60, 53)), 0)
    blur = co.convolution(co.psf.gaussian(1.5), scene.shape)
    b = blur @ scene
    options = {"damp": 0.03, "rtol": 1e-10 if X64 else 1e-5}
    plain = co.cgls(blur, b, **options)
    for kind, share in (("auto", 0.5), ("chan", 0.95), ("strang", 0.95)):
        P = co.preconditioner(blur, damp=0.03, kind=kind)
        sol = co.cgls(blur, b, preconditioner=P, **options)
        assert bool(sol.converged)
        assert int(sol.num_steps) < share * int(plain.num_steps), kind
        assert np.linalg.norm(sol.x - plain.x) <= (1e-6 if X64 else 1e-2) * np.linalg.norm(plain.x)


@pytest.mark.parametrize("boundary", ["zero", pytest.param("symmetric", marks=pytest.mark.slow)])
def test_tikhonov_takes_it_where_it_saves_steps(boundary):
    scene = np.cumsum(np.random.default_rng(1).standard_normal((40, 33)), 0)
    even, uneven = np.asarray(co.psf.gaussian(1.5)), np.outer([1, 2, 6.0, 1], [3.0, 1, 1]) / 50
    options = {"L": "gradient", "weight": 1e-3, "rtol": 1e-10 if X64 else 1e-5}
    D = np.asarray(co.gradient(scene.shape).as_matrix(), np.float64)

    @jax.jit
    def solve(kernel):  # traced, so that no closed form is known
        A = co.convolution(kernel, scene.shape, boundary=boundary)
        return co.tikhonov(A, A @ scene, **options)

    plain = 0
    for kernel in (uneven, even):
        A = np.asarray(co.convolution(kernel, scene.shape, boundary=boundary).as_matrix(), np.float64)
        wanted = np.linalg.solve(A.T @ A + 1e-3 * D.T @ D, A.T @ A @ scene.ravel())
        sol = solve(kernel)
        assert bool(sol.converged)
        assert np.linalg.norm(sol.x.ravel() - wanted) <= (1e-7 if X64 else 1e-2) * np.linalg.norm(wanted)
        if kernel is uneven:
            plain = int(sol.num_steps)
    assert int(sol.num_steps) <= (0.5 * plain if boundary == "zero" else 1)


def test_derivatives_go_around_the_preconditioner():
    scene = np.cumsum(np.random.default_rng(2).standard_normal((14, 11)), 1)

    def loss(kernel, weight):
        A = co.convolution(kernel, scene.shape)
        return (co.tikhonov(A, scene, L="gradient", weight=weight).x ** 2).sum()

    kernel = np.outer([1.0, 3.0, 1.0], [1.0, 2.0, 1.0]) / 20
    step = np.zeros_like(kernel)
    step[0, 1] = h = 1e-5 if X64 else 1e-2
    by_differences = (loss(kernel + step, 0.1) - loss(kernel - step, 0.1)) / (2 * h)
    found = jax.grad(loss)(jax.numpy.asarray(kernel), 0.1)[0, 1]
    np.testing.assert_allclose(found, by_differences, rtol=1e-5 if X64 else 2e-2)


def test_auto_looks_at_the_symmetry():
    assert co.preconditioner(co.convolution([1.0, 4.0, 1.0], 9)).transform == "dct"
    assert co.preconditioner(co.convolution([1.0, 4.0, 3.0], 9)).transform == "fft"
    traced = jax.jit(lambda k: co.preconditioner(co.convolution(k, 9), 0.1)._matvec(np.ones(9)))
    np.testing.assert_allclose(
        traced(np.array([1.0, 4.0, 1.0])),
        co.preconditioner(co.convolution([1.0, 4.0, 1.0], 9), 0.1, "chan") @ np.ones(9),
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    ("A", "options", "message"),
    [
        (co.identity(5), {}, "give a convolution of mode 'same'"),
        (co.convolution(np.ones(3), 5, mode="full"), {}, "give a convolution of mode 'same'"),
        (co.convolution(np.ones(3), 5, stride=2), {}, "give a convolution of mode 'same'"),
        (co.convolution(np.ones(3), 5), {"kind": "best"}, "`kind` is 'best'"),
        (co.convolution(np.ones(3), 5), {"damp": -1.0}, "`damp` is -1.0"),
        (co.convolution(np.ones(3), 5), {"damp": -1.0, "kind": "kronecker"}, "`damp` is -1.0"),
    ],
)
def test_refusals(A, options, message):
    with pytest.raises(ValueError, match=message):
        co.preconditioner(A, **options)


def test_a_traced_kernel_is_near_to_nothing_known():
    with pytest.raises(ValueError, match="traced kernel"):
        jax.jit(lambda k: co.preconditioner(co.convolution(k, 5), kind="kronecker") @ np.ones(5))(np.ones(3))
