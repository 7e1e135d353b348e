"""What every engine promises: dtypes in and out, and how far a NaN or infinity reaches."""

import jax.numpy as jnp
import numpy as np
import pytest
from comparing import DTYPE, X64
from kernels import kernel_of, low_rank

import convops as co
from convops.operators.engines import ENGINES

KERNELS = {"overlap": [1, 2, 1], "other": np.outer([1, 2, 1], [2, 3, 2])}
NUMBERS = ["int32", "bool", "float16", "bfloat16", "float32"] + ["float64"] * X64 + ["complex64"]


def promised(kernel, signal):
    """The table of the documentation: integers become the default float, then the common dtype."""
    default = "float64" if X64 else "float32"
    a, b = (default if jnp.issubdtype(d, jnp.integer) or d == "bool" else d for d in (kernel, signal))
    return jnp.promote_types(a, b)


@pytest.mark.parametrize("method", ENGINES)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_dtypes(dtype, method):
    """Nothing wraps, drops precision or turns complex, whatever the engine."""
    kernel = jnp.asarray(KERNELS["overlap" if method == "overlap" else "other"]).astype(dtype)
    shape = (9,) * kernel.ndim
    exact = co.convolution(kernel.astype(DTYPE[True]), shape, boundary="symmetric", method="stencil")
    operator = co.convolution(kernel, shape, boundary="symmetric", method=method)
    for other in ("int32", "bfloat16", NUMBERS[-1], *["float64"] * X64):
        x = jnp.asarray(np.random.default_rng(1).integers(0, 200, shape)).astype(other)
        for product, same in ((operator.matvec, exact.matvec), (operator.rmatvec, exact.rmatvec)):
            y, expected = product(x), same(x.astype(DTYPE[True]))
            assert y.dtype == promised(dtype, other), (dtype, other)
            error = jnp.max(jnp.abs(y.astype(DTYPE[True]) - expected)) / jnp.max(jnp.abs(expected))
            assert error <= 10 * jnp.finfo(y.dtype).eps, (dtype, other, error)


@pytest.mark.parametrize("method", ["stencil", "fourier"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", *["float32"] * X64])
def test_dtypes_of_kernel_operators(dtype, method):
    """As those of convolutions: half precision comes back as it came, double is computed in double."""
    signal, kernel = (jnp.asarray(np.random.default_rng(1).integers(0, 9, n)) for n in (9, 3))
    exact = np.convolve(signal, kernel, "same")
    K = co.kernel_operator(signal.astype(dtype), 3, method=method)
    assert K.dtype == dtype
    for other in (dtype, "float32", *["float64"] * X64):
        y, k = K @ kernel.astype(other), K.rmatvec(signal.astype(other))
        assert y.dtype == k.dtype == promised(dtype, other)
        np.testing.assert_allclose(y.astype("float32") * 1.0, exact, atol=300 * jnp.finfo(y.dtype).eps)
        assert abs(float(k[1]) - float(signal @ signal)) <= 1000 * jnp.finfo(y.dtype).eps


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["stencil", "separable", "xla", "overlap"])
def test_a_nan_stays_where_explain_says(method, bad):
    kernel = kernel_of((3,)) if method == "overlap" else low_rank((3, 3), 1)
    size = 20000 if method == "overlap" else 15
    operator = co.convolution(kernel, (size,) * kernel.ndim, method=method)
    x = np.zeros(operator.in_shape, DTYPE[False])
    middle = (size // 2,) * kernel.ndim
    x[middle] = bad
    reach = operator.structure.length if method == "overlap" else 1
    assert ("its block" if method == "overlap" else "within the kernel's reach") in operator.explain()
    for product in (operator.matvec, operator.rmatvec):
        where = np.argwhere(~np.isfinite(np.asarray(product(x))))
        assert len(where)
        assert np.max(np.abs(where - middle)) <= reach
