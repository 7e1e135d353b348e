"""Operators that the FFT or the DCT-II diagonalises, against dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from diagonalizing import (
    EVEN,
    KC,
    LONG,
    RNG,
    SHAPE,
    TOLERANCE,
    X64,
    K,
    by_dct,
    by_fft,
    close,
    dense,
    mirrored,
    periodic,
)

import convops as co
from convops.operators.spectral import gram_symbol
from convops.testing import check_operator

# ---------------------------------------------------------------- the operator

CASES = {
    "periodic": (periodic, oracle.convolution_matrix_nd(K, SHAPE, boundary="wrap")),
    "periodic-complex": (lambda: periodic(KC), oracle.convolution_matrix_nd(KC, SHAPE, boundary="wrap")),
    "periodic-axes": (
        lambda: periodic(K, (4, 3, 5), axes=(2, 0)),
        oracle.convolution_matrix_nd(K, (4, 3, 5), boundary="wrap", axes=(2, 0)),
    ),
    "mirrored": (mirrored, oracle.convolution_matrix_nd(EVEN, SHAPE, boundary="symmetric")),
    "mirrored-complex": (
        lambda: mirrored((1 - 2j) * EVEN, dilation=(1, 2)),
        oracle.convolution_matrix_nd((1 - 2j) * EVEN, SHAPE, boundary="symmetric", dilation=(1, 2)),
    ),
    "mirrored-axis": (
        lambda: mirrored(LONG, (3, 7), axes=0),
        oracle.convolution_matrix_nd(LONG, (3, 7), boundary="symmetric", axes=0),
    ),
    "scaled": (lambda: 2j * periodic(), 2j * oracle.convolution_matrix_nd(K, SHAPE, boundary="wrap")),
    "adjoint": (lambda: periodic(KC).H, oracle.convolution_matrix_nd(KC, SHAPE, boundary="wrap").conj().T),
    "conjugate": (lambda: periodic(KC).conj(), oracle.convolution_matrix_nd(KC, SHAPE, boundary="wrap").conj()),
}
E4 = RNG.standard_normal((3, 4, 5))
CASES["varying"] = (lambda: co.spectral(E4, axes=(0, 2)), by_fft(E4, (0, 2)))
CASES["dct-varying"] = (lambda: co.spectral(E4, "dct", axes=1), by_dct(E4, (1,)))
E2 = RNG.standard_normal(SHAPE) + 1j
CASES["dct-complex"] = (lambda: co.spectral(E2, "dct"), by_dct(E2))
CONFORMING = ("periodic", "varying", "mirrored-axis")


@pytest.mark.parametrize("name", CASES)
def test_matrix_and_conformance(name):
    A, wanted = CASES[name][0](), CASES[name][1]
    assert type(A).__name__ == "Spectral"
    close(A.as_matrix(), wanted)
    x = RNG.standard_normal(A.in_shape)
    close((A @ x).reshape(-1), wanted @ x.ravel())
    close((A.H @ x).reshape(-1), wanted.conj().T @ x.ravel())
    assert A.H.H is A
    if name in CONFORMING:
        check_operator(A)
    assert jnp.iscomplexobj(A.as_matrix()) == np.iscomplexobj(wanted)
    assert ("selfadjoint" in A.tags) <= np.allclose(wanted, wanted.conj().T)


def test_real_operators_act_on_complex_vectors():
    A = periodic()
    x = RNG.standard_normal(SHAPE) + 1j * RNG.standard_normal(SHAPE)
    close((A @ x).reshape(-1), dense(A) @ x.ravel())


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6])
def test_kernels_longer_than_a_mirrored_signal(n):
    for origin, kernel in ((5, LONG), (7, np.pad(LONG, (2, 0))), (5, LONG[:-1] * (np.arange(10) > 0))):
        A = co.diagonalized(co.convolution(kernel, n, boundary="symmetric", origin=origin))
        close(A.as_matrix(), oracle.convolution_matrix_nd(kernel, n, boundary="symmetric", origin=origin))


def test_eigenvalues_are_in_the_order_of_the_transforms():
    close(periodic(origin=0).eigenvalues, np.fft.fftn(K, SHAPE, axes=(0, 1)))
    values = RNG.standard_normal(SHAPE)
    close(co.spectral(values, "dct").eigenvalues, values)
    spectrum = np.fft.fftn(values)
    A = co.spectral(spectrum)
    assert A.real
    close(A.eigenvalues, spectrum)
    assert not co.spectral(values).real


@pytest.mark.parametrize("dtype", ["float16", "complex64"])
def test_dtypes_are_kept(dtype):
    A = periodic(K.astype(dtype))
    wide = jnp.promote_types(dtype, jnp.float32)
    assert A.dtype == wide
    assert (A @ jnp.ones(SHAPE, dtype)).dtype == wide
    assert (A @ co.identity(SHAPE)).dtype == wide
    assert (A + 3 * co.identity(SHAPE)).dtype == wide
    assert (A + co.laplacian(SHAPE, "wrap")).dtype == wide


# ---------------------------------------------------------------- the algebra


def test_commuting_operators_fuse():
    A, B, C = periodic(), periodic(KC, origin=0), co.convolution(K.T, SHAPE, boundary="wrap")
    a, b, c = dense(A), dense(B), dense(C)
    eye, lap = np.eye(30), dense(co.laplacian(SHAPE, "wrap"))
    cases = [
        (A @ B, a @ b),
        (A @ C, a @ c),
        (A + C, a + c),
        (B - C, b - c),
        (A @ A.H, a @ a.T),
        (A.H @ A, a.T @ a),
        (B.H @ A, b.conj().T @ a),
        (A @ C.H, a @ c.T),
        (A @ co.identity(SHAPE), a),
        (A + co.identity(SHAPE), a + eye),
        (A + 0.3 * co.identity(SHAPE), a + 0.3 * eye),
        (A @ (2 * co.laplacian(SHAPE, "wrap")), 2 * a @ lap),
        (A.gram() + B.gram(), a.T @ a + b.conj().T @ b),
        (A.T @ B.T, a.T @ b.T),
        (C @ A, c @ a),
        (C + A, c + a),
        (0.3 * co.identity(SHAPE) + A, 0.3 * eye + a),
        (co.laplacian(SHAPE, "wrap") @ A, lap @ a),
    ]
    for found, wanted in cases:
        assert type(found).__name__ == "Spectral"
        close(found.as_matrix(), wanted)
        close(found.conj().as_matrix(), wanted.conj())


def test_mirrored_operators_fuse():
    A, L = mirrored(), co.laplacian(SHAPE)
    found = A @ L - 2 * A @ A + co.identity(SHAPE) + co.convolution(EVEN, SHAPE, boundary="symmetric")
    assert type(found).__name__ == "Spectral"
    a = dense(A)
    close(found.as_matrix(), a @ dense(L) - 2 * a @ a + np.eye(30) + a, 10 * TOLERANCE)


def test_what_does_not_commute_stays_a_product_or_a_sum():
    A, V = periodic(), co.spectral(RNG.standard_normal(SHAPE), axes=1)
    for other in (co.convolution(K, SHAPE), mirrored(), V, co.diagonal(RNG.standard_normal(SHAPE))):
        assert type(A @ other).__name__ == "Composition"
        close((A @ other).as_matrix(), dense(A) @ dense(other), 10 * TOLERANCE)
        assert type(A + other).__name__ == "Sum"
    along = co.diagonalized(co.convolution([1.0, 2.0], SHAPE, boundary="wrap"))
    assert type(A @ along).__name__ == type(V @ along).__name__ == "Spectral"
    close((V @ along).as_matrix(), dense(V) @ dense(along))


def test_facts():
    A = periodic()
    assert A.tags == {"circulant"}
    assert A.gram().tags == A.gram().power(3).tags == A.gram().sqrt().tags == {"circulant", "selfadjoint", "psd"}
    assert (A.gram() + A.gram()).tags >= {"psd"}
    assert "psd" not in (A.gram() - A.gram()).tags
    assert mirrored().tags == {"selfadjoint"}
    assert mirrored().H is not None
    assert mirrored().power(2).tags == {"selfadjoint", "psd"}
    assert co.spectral(E4, axes=1).tags == {"selfadjoint"}
    assert co.diagonalized(A) is A
    assert co.diagonalized(co.convolution(K, SHAPE, boundary="wrap").gram()).tags >= {"psd", "selfadjoint"}


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: co.spectral(E4, "dst"), "`transform` is 'dst'; accepted are 'fft', 'dct'"),
        (lambda: co.spectral(E4, axes=3), r"`axes` is \(3,\); give different axes between 0 and 2"),
        (lambda: co.spectral(E4, axes=(0, -3)), "give different axes"),
        (lambda: co.spectral(E4, shape=(3, 4, 6)), r"`eigenvalues` has shape \(3, 4, 5\) for signals of shape"),
        (lambda: co.spectral(E4[:1], shape=E4.shape), "one eigenvalue a frequency"),
        (lambda: co.spectral([1.0, 2.0, 3.0], real=True), r"`real` is True.*lambda\(-k\) must be conj"),
        (lambda: co.spectral([1.0, 2j], "dct", real=True), "`real` is True.*they must be real"),
        (lambda: co.diagonalized(co.convolution(K, SHAPE)), "neither the FFT nor the DCT-II is known to diagonalise"),
        (lambda: mirrored(K), "kernel that is symmetric about its origin along every axis"),
        (lambda: mirrored(EVEN + np.outer([1, 0, -1], [1, 0, -1])), "symmetric about its origin"),
        (lambda: mirrored([1.0, 1.0]), "symmetric about its origin"),
        (lambda: mirrored(stride=2), "with stride 1"),
        (lambda: periodic(stride=2), "with stride 1"),
        (lambda: jax.jit(lambda k: mirrored(k).eigenvalues)(EVEN), "with a concrete kernel"),
        (lambda: co.diagonalized(EVEN), "`A` is a ndarray; give an operator"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---------------------------------------------------------------- symbols


def test_symbols_under_the_cosine_transform():
    for L in (co.gradient(SHAPE), co.difference(SHAPE, 0, kind="backward", boundary="symmetric"), co.laplacian(SHAPE)):
        found = gram_symbol(L, "dct")
        values = np.broadcast_to(found.values, SHAPE)
        close(by_dct(values), dense(L).T @ dense(L))
    assert gram_symbol(co.gradient(SHAPE, "zero"), "dct") is None
    assert gram_symbol(co.gradient(SHAPE, "reflect"), "dct") is None
    A = co.kronecker(co.convolution([1.0, 4.0, 1.0], 5, boundary="symmetric"), co.laplacian(6))
    close(co.diagonalized(A).as_matrix(), dense(A))
    close(
        co.diagonalized(2 * co.gradient(SHAPE, "wrap").blocks[1]).as_matrix(),
        2 * dense(co.gradient(SHAPE, "wrap"))[30:],
    )


def test_tikhonov_takes_the_closed_form():
    A, L = periodic() + 9 * co.identity(SHAPE), co.gradient(SHAPE, "wrap")
    b = RNG.standard_normal(SHAPE)
    sol = co.tikhonov(A, b, L=L, weight=0.3)
    a, d = dense(A), dense(L)
    assert int(sol.num_steps) == 0
    close(sol.x.reshape(-1), np.linalg.solve(a.T @ a + 0.3 * d.T @ d, a.T @ b.ravel()))
    V = co.spectral(1 + RNG.random(SHAPE), axes=1)  # varies along the axis that L transforms: no closed form
    v = dense(V)
    x = co.tikhonov(V, b, L=L, weight=0.3).x.reshape(-1)
    close(x, np.linalg.solve(v.conj().T @ v + 0.3 * d.T @ d, v.conj().T @ b.ravel()), 1e-10 if X64 else 1e-4)
