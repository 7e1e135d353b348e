"""The matrix entry by entry: what is refused before it is built, how many entries there are, and their dtypes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import DTYPE

import convops as co

BIDIAGONAL = co.convolution([1.0, 2.0], 300)
OPAQUE = co.from_function(jnp.cumsum, 200_000)
ROW = co.kronecker(co.identity(1), co.from_matrix(np.ones((1, 200_000), np.float32)))
PRODUCT = BIDIAGONAL @ co.diagonal(np.arange(1.0, 301))


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (lambda: OPAQUE.to_sparse(), "'dense' takes [0-9,]+ bytes"),
        (lambda: OPAQUE.nnz, "'dense'"),
        (lambda: (2 * OPAQUE.H).nbytes("csc"), "'dense'"),
        (lambda: co.from_function(jnp.cumsum, 5).to_sparse(limit=10), "'dense'"),
        (lambda: (ROW.H @ ROW).to_sparse(limit=2**24), "takes more than"),
        (lambda: PRODUCT.to_sparse(limit=1000), "'csr' takes"),
        (lambda: (PRODUCT + BIDIAGONAL).to_sparse("coo", limit=1000), "'coo' takes"),
    ],
)
def test_what_would_be_too_large_is_refused_before_it_is_built(build, size, monkeypatch):
    monkeypatch.setattr("convops.operators.entries._dense", None)
    with pytest.raises(MemoryError, match=size):
        build()


def test_factors_are_not_built_where_they_alone_are_too_large(monkeypatch):
    monkeypatch.setattr(type(BIDIAGONAL), "_coordinates", None)
    for A in (PRODUCT, PRODUCT + BIDIAGONAL):
        with pytest.raises(MemoryError, match="above the limit"):
            A.to_sparse(limit=1000)


def test_products_within_the_limit_come_in_bands():
    A = co.from_matrix(np.ones((300, 2))) @ co.from_matrix(np.ones((2, 300)))  # 180,000 terms of 90,000 entries
    sparse = A.to_sparse(limit=90_000 * (4 + A.dtype.itemsize) + 2000)
    np.testing.assert_array_equal(sparse.toarray(), 2)


@pytest.mark.parametrize(
    ("shape", "kernel", "how"),
    [
        ((7, 9), (2, 3), {"boundary": "reflect", "dilation": 2}),
        ((8, 9), (3, 2), {"mode": "valid", "stride": 2}),
        ((5, 4), (3, 2), {"boundary": ("zero", "wrap")}),
        ((2, 6, 3), (3, 2, 3), {"channels": True, "axes": 1}),
        ((2,), (5,), {"mode": "valid"}),
    ],
)
def test_kernel_operators_count_what_they_read(shape, kernel, how):
    x = np.random.default_rng(3).integers(0, 3, shape).astype(float)
    K = co.kernel_operator(x, kernel, method="stencil", **how)
    matrix = np.asarray(K.as_matrix())
    sparse = K.to_sparse()
    np.testing.assert_array_equal(sparse.toarray(), matrix)
    assert sparse.nnz == K.nnz == np.count_nonzero(matrix)
    traced = []
    jax.eval_shape(lambda x: traced.append(co.kernel_operator(x, kernel, method="stencil", **how).nnz), x)
    ones = co.kernel_operator(np.ones(shape), kernel, method="stencil", **how)
    assert traced == [ones.nnz] == [np.count_nonzero(ones.as_matrix())]


def test_nothing_is_built_to_count_what_a_kernel_operator_reads():
    K = co.kernel_operator(np.ones((2500, 2500), np.float32), (25, 25), method="stencil")
    assert K.nnz == (sum(2500 - abs(m - 12) for m in range(25))) ** 2
    assert K.nbytes("coo") == K.nnz * 20


def test_spectral_operators_on_many_signals_have_a_block_for_each():
    for values, axes, shape in ((np.arange(24.0).reshape(3, 4, 2), (0, 2), None), (np.ones((1, 4)), 1, (3, 4))):
        S = co.spectral(values, axes=axes, shape=shape)
        sparse = S.to_sparse()
        assert sparse.nnz == S.nnz
        np.testing.assert_allclose(sparse.toarray(), S.as_matrix(), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_becomes_single_where_scipy_has_none(dtype):
    A = co.convolution(jnp.asarray([1, 2, 3], dtype), 4) @ co.diagonal(jnp.arange(1, 5).astype(dtype))
    for form, wanted in (("csr", "float32"), ("csc", "float32"), ("coo", "float32"), ("bcoo", dtype)):
        sparse = A.to_sparse(form)
        assert sparse.dtype == wanted
        dense = np.asarray(sparse.todense(), np.float32)
        np.testing.assert_array_equal(dense, np.asarray(A.as_matrix(), np.float32))
        assert A.nbytes(form) - co.convolution(np.ones(3, np.float32), 4).nbytes(form) == -2 * A.nnz * (form == "bcoo")


def test_matrices_and_norms_have_the_dtype_of_the_operator():
    A = co.toeplitz(np.arange(1.0, 6, dtype=np.float32))
    for B in (
        A + co.identity(5),
        A @ co.difference(5),
        co.mask([1, 0, 1, 1, 1]) @ A,
        co.pad(5, 2) @ A,
        co.vstack([A, co.identity(5)]),
    ):
        assert B.dtype == B.as_matrix().dtype == B.norm().dtype == np.float32
    half = co.hankel(np.ones(3, np.float16))
    assert half.dtype == half.as_matrix().dtype == np.float16
    assert half.norm().dtype == np.float32


def test_products_with_no_columns_and_no_rows():
    A, E = co.convolution(np.ones(3), 8), co.convolution(np.ones(5), 3, mode="valid")
    assert (A @ np.ones((8, 0))).shape == (8, 0)
    assert A.matvec(np.ones((2, 0, 8))).shape == (2, 0, 8)
    np.testing.assert_array_equal(E.H @ np.ones((0, 2)), np.zeros((3, 2)))
    np.testing.assert_array_equal(E.rmatvec(np.ones((2, 0))), np.zeros((2, 3)))
    assert (np.ones((4, 8)) @ A).dtype == DTYPE[False]
    assert (np.ones((0, 8)) @ A).shape == (0, 8)
