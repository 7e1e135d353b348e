"""Functions of operators that a transform diagonalises, against NumPy's and SciPy's of their matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
import scipy.linalg
from comparing import X64
from diagonalizing import KC, RNG, SHAPE, TOLERANCE, K, close, dense, mirrored, periodic

import convops as co

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
    with pytest.raises(ValueError, match=r"`exponent` is 'two'; give a finite real number"):
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


def test_thresholds_and_exponents_that_are_no_such_numbers():
    A = co.spectral([4.0, 2.0, 1.0, 2.0])
    for rcond in (-1, np.nan, True, 2.0, "a", [1]):
        with pytest.raises(ValueError, match=r"`rcond` is .*; give a number of at least 0 and below 1"):
            A.pseudo_inverse(rcond)
    for exponent in (np.nan, np.inf, True, "a"):
        with pytest.raises(ValueError, match=r"`exponent` is .*; give a finite real number"):
            A.power(exponent)
    close(jax.jit(lambda A, r: A.pseudo_inverse(r).spectrum)(A, 0.3), [0.25, 0.5, 0])
