"""Every small 1-D configuration, forward and adjoint, against the oracle.

Signals of 1 to 8 samples, kernels of 1 to 11, every mode, boundary and origin, strides 1 to 3, dilations 1 and 2.
Each operator multiplies one random integer vector: two different integer matrices give the same product with a
probability of about one over the size of the integers (Freivalds' check), so a product that is equal in every digit
stands for the matrix. The engines run without jit, operation by operation: a program for each of the hundred
thousand shapes would take XLA hours, and the single operations are shared by all of them.
"""

import itertools

import jax
import numpy as np
import oracle
import pytest
from comparing import DTYPE, METHODS, X64, assert_same

import convops as co

LARGEST = 2**20 if X64 else 2**10  # so that every sum below is exact
SIZES, LENGTHS = range(1, 9), range(1, 12)
STRIDES, DILATIONS = (1, 2, 3), (1, 2)
WINDOWS = [("full", "zero"), ("valid", "zero"), *(("same", boundary) for boundary in oracle.BOUNDARIES)]


def configurations(length):
    """Every set of options for a kernel of this length; an origin means something in `same` only."""
    for (mode, boundary), stride, dilation in itertools.product(WINDOWS, STRIDES, DILATIONS):
        for origin in ("center", "scipy", *range(length)) if mode == "same" else ("center",):
            yield {
                "mode": mode,
                "boundary": boundary,
                "origin": origin,
                "stride": stride,
                "dilation": dilation,
            }


def kernel_of(rng, length, is_complex):
    """Integers of which no two are equal up to sign."""
    real, imaginary = (rng.permutation(np.arange(1, 12))[:length] * rng.choice([-1, 1], length) for _ in "ri")
    return (real + 1j * imaginary if is_complex else real).astype(DTYPE[is_complex])


def vector_of(rng, size, is_complex):
    real, imaginary = rng.integers(-LARGEST, LARGEST + 1, (2, size))
    return (real + 1j * imaginary if is_complex else real).astype(DTYPE[is_complex])


def check(size, kernel, options, method, rng):
    """One operator on one vector and its adjoint on another; the kernel's dtype is everyone's."""
    is_complex = np.iscomplexobj(kernel)
    matrix = oracle.convolution_matrix_nd(kernel, size, **options)
    operator = co.convolution(kernel, size, method=method, **options)
    context = f"convolution({kernel!r}, {size}, method={method!r}, **{options})"
    assert operator.shape == matrix.shape, context
    x, y = vector_of(rng, size, is_complex), vector_of(rng, len(matrix), is_complex)
    assert_same(operator.matvec(x), matrix @ x, method, f"{context}.matvec")
    assert_same(operator.rmatvec(y), matrix.conj().T @ y, method, f"{context}.rmatvec")


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("length", LENGTHS)
def test_every_configuration(size, length, is_complex, method):
    rng = np.random.default_rng([size, length])
    with jax.disable_jit():
        for options in configurations(length):
            check(size, kernel_of(rng, length, is_complex), options, method, rng)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", SIZES)
def test_a_spread_of_configurations(size, method):
    """One origin, stride, dilation and dtype for each signal, kernel length, mode and boundary, in turn."""
    rng = np.random.default_rng(size)
    with jax.disable_jit():
        for length, (mode, boundary) in itertools.product(LENGTHS, WINDOWS):
            chosen = [o for o in configurations(length) if (o["mode"], o["boundary"]) == (mode, boundary)]
            is_complex = bool(rng.integers(2))
            check(size, kernel_of(rng, length, is_complex), chosen[rng.integers(len(chosen))], method, rng)
