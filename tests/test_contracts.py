"""What every engine promises: dtypes in and out, and how far a NaN or infinity reaches."""

import jax.numpy as jnp
import numpy as np
import pytest
from comparing import DTYPE, X64
from kernels import kernel_of, low_rank

import convops as co
from convops.operators import boundary
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


@pytest.mark.parametrize("method", ["stencil", "separable", "xla"])
def test_a_nan_at_an_end_stays_there_under_antireflect(method):
    kernel = np.array([1.0, 2, 4])[(slice(None), None) if method == "separable" else slice(None)]
    kernel = kernel * np.ones((1, 3)) if method == "separable" else kernel
    n = (64, 9)[: kernel.ndim]
    A = co.convolution(kernel, n, boundary="antireflect", method=method)
    x = np.ones(n)
    x[-1] = np.nan
    lost = np.isnan(np.asarray(A @ x)).reshape(64, -1).any(1)
    np.testing.assert_array_equal(np.flatnonzero(lost), [62, 63])


def test_what_a_boundary_does_not_use_may_be_nan():
    """Along an axis of many reflections, which one gather extends."""
    rule = boundary.rule(5, -33, 35, "antireflect")
    assert len(rule.runs) > boundary._MAX_RUNS
    x = np.array([1, 2, 3, 4, np.nan], DTYPE[False])
    extended = boundary.extend_axis(jnp.asarray(x), 0, -33, 35, "antireflect")
    used = (rule.index == 4) | (rule.last != 0)
    np.testing.assert_array_equal(np.isnan(np.asarray(extended)), used)
    for at in (32, 33, 34):  # of the signal itself, which no end takes part in
        y = np.ones(69, DTYPE[False])
        y[at] = np.nan
        folded = np.asarray(boundary.fold_axis(jnp.asarray(y), 0, 5, -33, 35, "antireflect"))
        used = np.arange(5) == rule.index[at]
        used[0] |= rule.first[at] != 0
        used[4] |= rule.last[at] != 0
        np.testing.assert_array_equal(np.isnan(folded), used)


def test_a_real_kernel_acts_on_the_parts_of_a_complex_signal_apart():
    A = co.convolution([1.0, 2.0, 4.0], 9, method="stencil")
    x = np.zeros(9, DTYPE[True])
    x[4] = np.inf
    for y in (A @ x, A.rmatvec(x)):
        np.testing.assert_array_equal(np.isinf(np.asarray(y.real)), [0, 0, 0, 1, 1, 1, 0, 0, 0])
        np.testing.assert_array_equal(np.asarray(y.imag), 0)


def test_the_normal_operator_in_half_precision_is_computed_in_parts():
    """The autocorrelation of the kernel, up to 230,400, is beyond its range."""
    A = co.convolution(np.full(64, 60, np.float16), 64, boundary="wrap")
    x = np.full(64, 1e-3, np.float16)
    for product in (A.gram(), A.H @ A, A @ A):
        y = product @ x
        assert y.dtype == product.dtype == np.float16
        np.testing.assert_allclose(y, (64 * 60) ** 2 * float(x[0]), rtol=2e-3)
    assert A.gram().tags >= {"psd", "selfadjoint"}
