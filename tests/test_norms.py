"""Norms of operators: exact ones, bounds and estimates, against dense singular values."""

import jax
import numpy as np
import pytest
from comparing import X64
from diagonalizing import EVEN, KC, LONG, RNG, K, close, dense

import convops as co

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


def test_norms_in_half_precision():
    """Squares of that many small numbers underflow in it, and their sums have no digits."""
    A = co.convolution(np.full((3, 3), 1 / 9, np.float16), (512, 512))
    f = co.from_function(A._matvec, A.in_shape, np.float16)
    for found in (A.norm("power"), f.norm()):
        assert found.dtype == np.float32
        assert 0.97 < found < 1.001


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
