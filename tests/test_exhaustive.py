"""Every small 1-D configuration, forward and adjoint, against the oracle.

Signals of 1 to 8 samples, kernels of 1 to 11, every mode, boundary and origin, strides 1 to 3, dilations 1 and 2.
Each operator multiplies one random integer vector: two different integer matrices give the same product with a
probability of about one over the size of the integers (Freivalds' check), so a product that is equal in every digit
stands for the matrix. Compiling each of the hundred thousand programs would take XLA hours: the engines' operations
are executed one by one (`interpreting`). Compiled programs are compared in the other files.
"""

import itertools
from typing import NamedTuple

import numpy as np
import oracle
import pytest
from comparing import DTYPE, METHODS, X64, assert_same, gaussian_integers
from interpreting import interpreted

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


def problem(kind, size, kernel, options, method, rng):
    """(build, matrix, argument): `build(argument)` is the operator; the argument may be traced."""
    if kind == "kernel_operator":
        signal = gaussian_integers(rng, (size,), np.iscomplexobj(kernel))
        matrix = oracle.kernel_operator_matrix(signal, kernel.shape, **options)
        return lambda x: co.kernel_operator(x, kernel.shape, method=method, **options), matrix, signal
    matrix = oracle.convolution_matrix_nd(kernel, size, correlate=kind == "correlation", **options)
    return lambda k: getattr(co, kind)(k, size, method=method, **options), matrix, kernel


class Case(NamedTuple):
    """What was computed, put into words only if it is wrong."""

    product: str
    vector: np.ndarray
    kind: str
    size: int
    argument: np.ndarray
    method: str
    options: dict

    def __str__(self):
        built = f"co.{self.kind}, {self.size} samples, {self.argument!r}, method={self.method!r}, **{self.options}"
        return f"{built}, {self.product}({self.vector!r})"


def check(kind, size, kernel, options, method, rng, is_complex):
    """One operator on one vector and its adjoint on another; what it is built from is a constant or traced."""
    build, matrix, argument = problem(kind, size, kernel, options, method, rng)
    x, y = (vector_of(rng, n, is_complex) for n in matrix.shape[::-1])

    def products(x, y, argument=argument):
        operator = build(argument)
        return operator.matvec(x), operator.rmatvec(y)

    forward, adjoint = interpreted(products, *((x, y, argument) if rng.integers(2) else (x, y)))
    case = (kind, size, argument, method, options)
    scale = np.sum(np.abs(argument)) * LARGEST
    assert_same(forward, matrix @ x, method, Case("matvec", x, *case), scale=scale)
    assert_same(adjoint, matrix.conj().T @ y, method, Case("rmatvec", y, *case), scale=scale)


def one_of(rng, length, mode, boundary):
    """One of the configurations with this mode and boundary."""
    chosen = [o for o in configurations(length) if (o["mode"], o["boundary"]) == (mode, boundary)]
    return chosen[rng.integers(len(chosen))]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("length", LENGTHS)
def test_every_configuration(size, length, is_complex, method):
    rng = np.random.default_rng([size, length])
    for options in configurations(length):
        check("convolution", size, kernel_of(rng, length, is_complex), options, method, rng, is_complex)


def checkered(cases, first):
    """Every second case, the other half of the windows for the next length."""
    return [case for i, case in enumerate(cases) if (i + i // len(WINDOWS) + first) % 2 == 0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_a_spread_of_configurations(size, method):
    """One origin, stride, dilation and dtype (of each) for every second of signal, kernel length, mode and boundary."""
    rng = np.random.default_rng(size)
    for length, window in checkered(itertools.product(LENGTHS, WINDOWS), size):
        kernel = kernel_of(rng, length, bool(rng.integers(2)))
        check("convolution", size, kernel, one_of(rng, length, *window), method, rng, bool(rng.integers(2)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["correlation", "kernel_operator"])
def test_a_spread_of_relatives(kind, method):
    rng = np.random.default_rng(9)
    for size, length, window in checkered(itertools.product((1, 2, 4, 7), (1, 2, 5, 8), WINDOWS), 0):
        kernel = kernel_of(rng, length, bool(rng.integers(2)))
        check(kind, size, kernel, one_of(rng, length, *window), method, rng, bool(rng.integers(2)))
