"""Kernels of every structure, and operators against their dense matrices."""

import numpy as np
from comparing import DTYPE, X64, assert_same

RTOL = 1e-12 if X64 else 1e-5


def both_ways(operator, matrix, is_complex=False, context=""):
    """Forward and adjoint of the operator on one signal each."""
    rng = np.random.default_rng(3)
    for product, dense, shape, out in (
        (operator.matvec, matrix, operator.in_shape, operator.out_shape),
        (operator.rmatvec, matrix.conj().T, operator.out_shape, operator.in_shape),
    ):
        x = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if is_complex else 0)
        x = x.astype(DTYPE[is_complex])
        expected = (dense @ x.ravel()).reshape(out)
        if not (is_complex or operator.dtype.kind == "c"):
            expected = expected.real
        scale = np.max(np.abs(matrix).sum(1)) * np.max(np.abs(x), initial=1.0)
        assert_same(product(x), expected, "any", context, rtol=RTOL, scale=scale)


def kernel_of(shape, is_complex=False, seed=0):
    rng = np.random.default_rng(seed)
    kernel = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if is_complex else 0)
    return kernel.astype(DTYPE[is_complex])


def low_rank(shape, rank, is_complex=False):
    """A sum of outer products of asymmetric factors."""
    kernel = 0
    for term in range(rank):
        factors = [kernel_of((n,), is_complex, seed=7 * term + axis) for axis, n in enumerate(shape)]
        product = factors[0]
        for factor in factors[1:]:
            product = np.multiply.outer(product, factor)
        kernel = kernel + product
    return kernel.astype(DTYPE[is_complex])


def even(shape, is_complex=False):
    kernel = kernel_of(shape, is_complex)
    for axis in range(len(shape)):
        kernel = kernel + np.flip(kernel, axis)
    return kernel
