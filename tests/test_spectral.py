"""Operators that the FFT or the DCT-II diagonalises, against dense matrices and SciPy's matrix functions; norms."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
import scipy.fft
import scipy.linalg

import convops as co
from convops.operators.spectral import gram_symbol
from convops.testing import check_operator

X64 = jax.config.jax_enable_x64
TOLERANCE = 1e-12 if X64 else 2e-5
RNG = np.random.default_rng(11)
SHAPE = (5, 6)
K = np.array([[1.0, 2.0, -1.0], [0.5, -3.0, 2.0]])
KC = K + 1j * np.array([[0.2, -1.0, 0.3], [1.5, 0.1, 0.7]])
EVEN = np.array([[0.1, 0.5, 0.1], [0.7, 3.0, 0.7], [0.1, 0.5, 0.1]])  # symmetric along both axes, not a product
LONG = np.array([1.0, 2.0, 3.0, 5.0, 8.0, 9.0, 8.0, 5.0, 3.0, 2.0, 1.0])


def close(got, wanted, tolerance=TOLERANCE):
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= tolerance * max(np.abs(wanted).max(), 1)


def dense(A):
    return np.asarray(A.as_matrix(), np.complex128 if np.iscomplexobj(A.as_matrix()) else np.float64)


def by_fft(eigenvalues, axes=(0, 1)):
    """The matrix from NumPy's FFT of the columns of the identity."""
    shape = eigenvalues.shape
    columns = np.eye(eigenvalues.size).reshape(-1, *shape)
    moved = tuple(a + 1 for a in axes)
    found = np.fft.ifftn(eigenvalues * np.fft.fftn(columns, axes=moved), axes=moved)
    return found.reshape(eigenvalues.size, -1).T


def by_dct(eigenvalues, axes=(0, 1)):
    columns = np.eye(eigenvalues.size).reshape(-1, *eigenvalues.shape)
    moved = tuple(a + 1 for a in axes)
    coefficients = eigenvalues * scipy.fft.dctn(columns, axes=moved, norm="ortho")
    parts = [scipy.fft.idctn(p, axes=moved, norm="ortho") for p in (coefficients.real, coefficients.imag)]
    found = parts[0] + 1j * parts[1] if np.iscomplexobj(eigenvalues) else parts[0]
    return found.reshape(eigenvalues.size, -1).T


def periodic(kernel=K, shape=SHAPE, **options):
    return co.diagonalized(co.convolution(kernel, shape, boundary="wrap", **options))


def mirrored(kernel=EVEN, shape=SHAPE, **options):
    return co.diagonalized(co.convolution(kernel, shape, boundary="symmetric", **options))


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


# ---------------------------------------------------------------- functions of the operator

REGULAR = {
    "real": lambda: periodic() + 9 * co.identity(SHAPE),
    "complex": lambda: periodic(KC) + 9 * co.identity(SHAPE),
    "dct": lambda: mirrored() + 2 * co.identity(SHAPE),
}


@pytest.mark.parametrize("name", REGULAR)
def test_functions_of_an_operator(name):
    A = REGULAR[name]()
    a = dense(A)
    b = RNG.standard_normal(SHAPE)
    close(A.inverse().as_matrix(), np.linalg.inv(a))
    close(A.pseudo_inverse().as_matrix(), np.linalg.inv(a))
    close(A.solve(b).reshape(-1), np.linalg.solve(a, b.ravel()))
    close(A.solve(np.stack([b, 2 * b]))[1].reshape(-1), 2 * np.linalg.solve(a, b.ravel()))
    close(A.power(3).as_matrix(), np.linalg.matrix_power(a, 3), 10 * TOLERANCE)
    close(A.power(-2).as_matrix(), np.linalg.matrix_power(a, -2))
    close(A.power(0).as_matrix(), np.eye(30))
    close(A.sqrt().as_matrix(), scipy.linalg.sqrtm(a))
    close(A.power(0.3).as_matrix(), scipy.linalg.fractional_matrix_power(a, 0.3))
    close(A.power(-0.5).as_matrix(), scipy.linalg.fractional_matrix_power(a, -0.5))
    close(A.norm(), np.linalg.norm(a, 2))
    sign, logarithm = np.linalg.slogdet(a)
    close(A.slogdet()[0], sign, 10 * TOLERANCE)
    close(A.slogdet()[1], logarithm)
    close(A.log_determinant(), logarithm)


def test_sign_of_the_determinant():
    for kernel, n in (([0.0, 1.0], 4), ([1.0, -3.0], 5), ([1.0, -3.0], 4)):
        A = co.diagonalized(co.convolution(kernel, (n, 3), axes=0, boundary="wrap"))
        sign, logarithm = np.linalg.slogdet(dense(A))
        close(A.slogdet()[0], sign)
        close(A.slogdet()[1], logarithm)


def test_singular_operators():
    A, exact = co.diagonalized(co.laplacian(SHAPE, "wrap")), dense(co.laplacian(SHAPE, "wrap"))
    close(A.pseudo_inverse().as_matrix(), np.linalg.pinv(exact))
    close(A.pseudo_inverse(rcond=0.5).as_matrix(), np.linalg.pinv(exact, rcond=0.5))
    assert A.log_determinant() == -np.inf
    assert A.slogdet()[0] == 0
    for singular in (A.inverse, lambda: A.solve(np.ones(SHAPE)), lambda: A.power(-0.5)):
        with pytest.raises(ValueError, match=r"singular operator: 1 of the 20 .* use pseudo_inverse\(\)"):
            singular()


def test_fractional_powers_of_what_rounding_made_negative():
    triangle = np.array([0.1, 0.2, 0.3, 0.4, 0.3, 0.2, 0.1])  # a box of four with itself: |B|^2, zero at pi/2 and pi
    A = co.diagonalized(co.convolution(triangle, 16, boundary="symmetric"))
    assert abs(float(A.eigenvalues.min())) < 1e-7
    close((A.sqrt() @ A.sqrt()).as_matrix(), dense(A))


@pytest.mark.parametrize("boundary", ["wrap", "symmetric"])
def test_fractional_powers_of_negative_eigenvalues(boundary):
    A = co.diagonalized(co.laplacian(SHAPE, boundary))
    with pytest.raises(ValueError, match=r"power\(0.5\) of a real operator with negative eigenvalues .* is not real"):
        A.sqrt()
    assert np.isnan(jax.jit(lambda A: A.sqrt().spectrum)(A)).any()
    C = co.spectral(A.eigenvalues, A.transform, A.axes, real=False)
    close((C.sqrt() @ C.sqrt()).as_matrix(), dense(A))
    with pytest.raises(ValueError, match="`exponent` is 'two'; give a real number"):
        A.power("two")


def test_through_jit_vmap_and_grad():
    kernels = jnp.asarray(np.stack([K, 2 * K, K[::-1]]))
    x = RNG.standard_normal(SHAPE)

    def f(k):
        A = co.diagonalized(co.convolution(k, SHAPE, boundary="wrap")) + 9 * co.identity(SHAPE)
        return jnp.sum(A.sqrt().matvec(A.solve(x)) ** 2) + A.log_determinant() + A.norm()

    loop = jnp.stack([f(k) for k in kernels])
    close(jax.jit(jax.vmap(f))(kernels), loop)
    slope = jax.jit(jax.grad(f))(kernels[0])
    h = 1e-5 if X64 else 1e-2
    direction = np.asarray(RNG.standard_normal(K.shape), slope.dtype)
    along = (f(kernels[0] + h * direction) - f(kernels[0] - h * direction)) / (2 * h)
    close(np.sum(slope * direction), along, 1e-7 if X64 else 1e-2)
    batch = jax.vmap(lambda k: co.diagonalized(co.convolution(k, SHAPE, boundary="wrap")))(kernels)
    found = jax.vmap(lambda A, v: A.H.gram().matvec(v), (0, None))(batch, x)
    for k, y in zip(kernels, found, strict=True):
        a = oracle.convolution_matrix_nd(k, SHAPE, boundary="wrap")
        close(y.reshape(-1), a @ a.T @ x.ravel(), 10 * TOLERANCE)


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


# ---------------------------------------------------------------- symbols and norms


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


NORMS = {
    "symmetric-even": (co.convolution(EVEN, (9, 10), boundary="symmetric"), True),
    "gradient": (co.gradient((9, 8)), True),
    "sum": (co.convolution(K, (9, 8), boundary="wrap") - co.laplacian((9, 8), "wrap"), True),
    "kronecker": (co.kronecker(co.laplacian(5), co.convolution(LONG, 4, boundary="symmetric")), True),
    "symmetric": (co.convolution(K, (9, 10), boundary="symmetric"), False),
    "zero-complex": (co.convolution(KC, (9, 10)), False),
    "full-strided": (co.convolution(K, (9, 10), mode="full", stride=(2, 1)), False),
    "channels": (co.convolution(RNG.standard_normal((2, 3, 2, 2)), (3, 5, 4), channels=True, boundary="edge"), False),
    "composition": (co.convolution(K, (5, 6)) @ co.mask(RNG.random((5, 6)) > 0.3), False),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms(name):
    A, exact = NORMS[name]
    true = np.linalg.norm(dense(A), 2)
    slack = 1e-6 if not X64 else 1e-13
    assert A.norm() >= true * (1 - slack)
    assert A.norm("bound") == A.norm()
    if exact:
        close(A.norm(), true)
    assert abs(A.norm("lanczos") / true - 1) < (1e-9 if X64 else 5e-6)


def test_norms_of_a_large_blur():
    psf = np.asarray(co.psf.gaussian(2.0, (13, 13)))
    A = co.convolution(psf, (160, 144))
    wanted = co.kronecker_svd(A).norm()
    assert abs(A.norm("lanczos") / wanted - 1) < 1e-6
    assert abs(jax.jit(lambda A: A.norm("lanczos"))(A) / wanted - 1) < 1e-6
    assert wanted * 0.98 < A.norm("power") < wanted * (1 - 1e-4)  # that is why


def test_norms_of_few_singular_values_and_of_none():
    for A, wanted in ((co.identity(5), 1), (co.mask([True, False, True]), 1), (0 * co.diagonal([1.0, 2.0]), 0)):
        assert float(A.norm("lanczos")) == pytest.approx(wanted)
    assert co.convolution([1.0, 2.0, 3.0], 2, mode="valid").norm("lanczos") == 0


def test_norms_refuse():
    A = co.from_matrix(RNG.standard_normal((4, 3)))
    with pytest.raises(ValueError, match=r"no bound is known for the norm of Matrix .* method='lanczos' or 'power'"):
        A.norm("bound")
    with pytest.raises(ValueError, match="no bound is known"):
        (A @ co.identity(3) + A).norm("bound")
    with pytest.raises(ValueError, match="`method` is 'svd'; accepted are 'auto', 'bound', 'power', 'lanczos'"):
        A.norm("svd")
    with pytest.raises(ValueError, match="only 'power' and 'lanczos' take steps"):
        A.norm(steps=3)
    with pytest.raises(ValueError, match="`steps` is 0"):
        A.norm("power", steps=0)
