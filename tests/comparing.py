"""How the package's numbers are compared with exact ones, in 64 and in 32 bits."""

import jax
import numpy as np
import pytest

X64 = jax.config.read("jax_enable_x64")
METHODS = ("stencil", "fourier")
needs_x64 = pytest.mark.skipif(not X64, reason="needs JAX_ENABLE_X64=1")
DTYPE = {False: np.float64 if X64 else np.float32, True: np.complex128 if X64 else np.complex64}


def gaussian_integers(rng, shape, is_complex=False):
    """Non-zero integers, real and imaginary, small enough for every sum here to be exact in 32 bits."""
    magnitude, sign = rng.integers(1, 10, (2, *shape)), rng.choice([-1, 1], (2, *shape))
    real, imaginary = magnitude * sign
    return (real + 1j * imaginary).astype(DTYPE[True]) if is_complex else real.astype(DTYPE[False])


def assert_same(actual, expected, method="stencil", context="", rtol=None, scale=None):
    """Same shape and same numbers: exact on the stencil engine, to rounding of the largest on any other.

    `scale` replaces the largest expected number where the numbers may cancel.
    Complex results must be complex and real ones real; `expected` holds exact numbers.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"{context}: shape {actual.shape}, expected {expected.shape}"
    assert actual.dtype == DTYPE[np.iscomplexobj(expected)], f"{context}: dtype {actual.dtype}"
    if method == "stencil" and rtol is None:
        assert np.array_equal(actual, expected), f"{context}:\n{actual}\nexpected\n{expected}"
        return
    rtol = rtol or (1e-12 if X64 else 1e-5)
    error = np.max(np.abs(actual - expected), initial=0.0)
    scale = scale or np.max(np.abs(expected), initial=1.0)
    assert error <= rtol * scale, f"{context}: error {error:.2e} of {scale:.2e}\n{actual}\nexpected\n{expected}"
