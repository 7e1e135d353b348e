"""The oracle itself against NumPy and SciPy, before anything is compared with it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
import scipy.signal
from interpreting import interpreted


@pytest.mark.parametrize("boundary", oracle.BOUNDARIES)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_extension_is_numpy_pad(boundary, size):
    rng = np.random.default_rng(size)
    x = rng.integers(-9, 10, size)
    for before, after in itertools.product(range(4 * size + 3), repeat=2):
        padded = np.pad(x, (before, after), **oracle.NUMPY_PAD[boundary])
        weights = [oracle.extension(boundary, n, size) for n in range(-before, size + after)]
        np.testing.assert_array_equal(np.array(weights) @ x, padded)


def test_extension_by_hand():
    def extended(boundary):
        return [int(np.dot(oracle.extension(boundary, n, 3), [1, 2, 4])) for n in range(-5, 8)]

    assert extended("zero") == [0, 0, 0, 0, 0, 1, 2, 4, 0, 0, 0, 0, 0]
    assert extended("wrap") == [2, 4, 1, 2, 4, 1, 2, 4, 1, 2, 4, 1, 2]
    assert extended("symmetric") == [2, 4, 4, 2, 1, 1, 2, 4, 4, 2, 1, 1, 2]
    assert extended("reflect") == [2, 1, 2, 4, 2, 1, 2, 4, 2, 1, 2, 4, 2]
    assert extended("edge") == [1, 1, 1, 1, 1, 1, 2, 4, 4, 4, 4, 4, 4]
    assert extended("antireflect") == [-6, -5, -4, -2, 0, 1, 2, 4, 6, 7, 8, 10, 12]


def loops(kernel, x, boundary, start, step, count, dilation):
    """A 2-D convolution of a padded array, read off the definition with four loops."""
    wide = 40  # more than any index below
    padded = np.pad(x, wide, **oracle.NUMPY_PAD[boundary])
    y = np.zeros(count, dtype=np.result_type(kernel, x))
    for i, j in np.ndindex(*count):
        for m, n in np.ndindex(*kernel.shape):
            row = start[0] + step[0] * i - dilation[0] * m
            column = start[1] + step[1] * j - dilation[1] * n
            y[i, j] += kernel[m, n] * padded[wide + row, wide + column]
    return y


@pytest.mark.parametrize("boundary", oracle.BOUNDARIES)
@pytest.mark.parametrize(("kernel_shape", "shape"), [((2, 3), (4, 5)), ((5, 4), (3, 2)), ((1, 7), (1, 6))])
def test_matrix_is_the_double_sum(boundary, kernel_shape, shape):
    rng = np.random.default_rng(1)
    kernel = rng.integers(-9, 10, kernel_shape) + 1j * rng.integers(-9, 10, kernel_shape)
    x = rng.integers(-9, 10, shape) + 1j * rng.integers(-9, 10, shape)
    origin, step, dilation = (kernel_shape[0] // 2, 0), (1, 2), (2, 1)
    count = (shape[0], -(-shape[1] // 2))
    expected = loops(kernel, x, boundary, (2 * origin[0], 0), step, count, dilation)
    matrix = oracle.convolution_matrix_nd(kernel, shape, "same", boundary, origin, step, dilation)
    np.testing.assert_array_equal((matrix @ x.ravel()).reshape(count), expected)


@pytest.mark.parametrize("mode", oracle.MODES)
@pytest.mark.parametrize("n", [1, 2, 3, 6])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 9])
def test_1d_is_numpy_convolve(mode, n, length):
    rng = np.random.default_rng(n)
    x, k = rng.integers(-9, 10, n), rng.integers(-9, 10, length) + 1j * rng.integers(-9, 10, length)
    full, middle = np.convolve(x, k), (length - 1) // 2
    windows = {"full": (0, None), "same": (middle, middle + n), "valid": (length - 1, max(n, length - 1))}
    start, stop = windows[mode]
    y = oracle.convolution_matrix_nd(k, n, mode, origin="scipy") @ x
    np.testing.assert_array_equal(y, full[start:stop])
    strided = oracle.convolution_matrix_nd(k, n, mode, origin="scipy", stride=2) @ x
    np.testing.assert_array_equal(strided, y[::2])


@pytest.mark.parametrize("mode", oracle.MODES)
@pytest.mark.parametrize(("shape", "kernel_shape"), [((5, 6), (2, 3)), ((4, 3, 5), (2, 3, 4))])
def test_nd_is_scipy(mode, shape, kernel_shape):
    rng = np.random.default_rng(2)
    x, k = rng.integers(-9, 10, shape), rng.integers(-9, 10, kernel_shape)
    expected = scipy.signal.convolve(x, k, mode, method="direct")
    y = oracle.convolution_matrix_nd(k, shape, mode, origin="scipy") @ x.ravel()
    np.testing.assert_array_equal(y.reshape(expected.shape), expected)
    assert oracle.out_shape(kernel_shape, shape, mode) == expected.shape
    z = k * (2 - 1j)
    expected = scipy.signal.correlate(x, z, mode, method="direct")
    # SciPy centres the reversed kernel, so an even length has the other middle here
    y = oracle.correlation_matrix_nd(z, shape, mode=mode, origin="center") @ x.ravel()
    np.testing.assert_array_equal(y.reshape(expected.shape), expected)


def test_dilation_is_a_kernel_with_holes():
    k, holes = np.array([1, 2, 3]), np.array([1, 0, 0, 2, 0, 0, 3])
    for mode in oracle.MODES:
        dilated = oracle.convolution_matrix_nd(k, 9, mode, dilation=3, origin=1)
        np.testing.assert_array_equal(dilated, oracle.convolution_matrix_nd(holes, 9, mode, origin=3))


@pytest.mark.parametrize("boundary", ["zero", "wrap"])
def test_correlation_is_the_adjoint_where_it_should_be(boundary):
    k = np.array([[1, 2j, 3], [4, 5, 6 - 1j]])
    a = oracle.convolution_matrix_nd(k, (4, 5), boundary=boundary)
    c = oracle.correlation_matrix_nd(k, (4, 5), boundary=boundary)
    np.testing.assert_array_equal(c, a.conj().T)


def test_kernel_operator_is_the_same_product():
    rng = np.random.default_rng(3)
    for boundary, mode in [("antireflect", "same"), ("zero", "full"), ("zero", "valid")]:
        x, k = rng.integers(-9, 10, (3, 4)), rng.integers(-9, 10, (2, 5))
        options = {"mode": mode, "boundary": boundary, "stride": (1, 2), "dilation": (2, 1)}
        y = oracle.convolution_matrix_nd(k, x.shape, **options) @ x.ravel()
        np.testing.assert_array_equal(oracle.kernel_operator_matrix(x, k.shape, **options) @ k.ravel(), y)


def test_axes_are_loops_over_the_others():
    rng = np.random.default_rng(4)
    x, k = rng.integers(-9, 10, (3, 4, 2)), rng.integers(-9, 10, 3)
    y = (oracle.convolution_matrix_nd(k, x.shape, "full", axes=(1,)) @ x.ravel()).reshape(3, 6, 2)
    for i, j in np.ndindex(3, 2):
        np.testing.assert_array_equal(y[i, :, j], np.convolve(x[i, :, j], k))


def test_channels_are_sums_over_the_input():
    rng = np.random.default_rng(5)
    x, k = rng.integers(-9, 10, (2, 6)), rng.integers(-9, 10, (3, 2, 4))
    expected = [sum(np.convolve(x[c], k[o, c]) for c in range(2)) for o in range(3)]
    np.testing.assert_array_equal(oracle.channels_matrix(k, (2, 6), mode="full") @ x.ravel(), np.ravel(expected))
    m = oracle.kernel_channels_matrix(x, (3, 2, 4), mode="full")
    np.testing.assert_array_equal(m @ k.ravel(), np.ravel(expected))


def test_structure_and_order():
    k = np.array([[3, 1], [2, 7]])
    for boundary in oracle.BOUNDARIES[:-1]:
        m = oracle.convolution_matrix_nd(k, (3, 3), boundary=boundary)
        np.testing.assert_array_equal(oracle.structure((2, 2), (3, 3), boundary=boundary), m != 0)
    m = oracle.convolution_matrix_nd(k, (2, 3), "full")
    x = np.arange(6).reshape(2, 3)
    y = (m @ x.ravel()).reshape(3, 4)
    np.testing.assert_array_equal(oracle.vec_order(m, (3, 4), (2, 3)) @ x.ravel(order="F"), y.ravel(order="F"))


def test_interpreted_programs_are_the_compiled_ones():
    """Executing one operation after the other gives what XLA's program gives."""

    def program(x):
        y = jax.lax.pad(x[1:, ::-1], jnp.ones((), x.dtype), [(-1, 2, 1), (3, 0, 2)])
        z = jnp.concatenate([y[::2], -y[1::2]]).T.reshape(-1)
        spectrum = jnp.fft.rfftn(x, (6, 5), (0, 1))
        places = np.array([0, 2, 2, 1])
        total = jnp.zeros((3, 4), x.dtype).at[places].add(x[:, :4])
        kept = jnp.where(x > 3, x, 0).sum(axis=1)
        nested = jax.jit(lambda a: jax.vmap(lambda r: r.sum() * r)(a))(x)
        return z, spectrum, jnp.conj(spectrum), total, kept, nested, jnp.broadcast_to(x[:1], (7, 5))

    x = np.arange(20.0).reshape(4, 5) % 7
    for ours, compiled in zip(interpreted(program, x), jax.jit(program)(x), strict=True):
        assert ours.dtype == compiled.dtype
        np.testing.assert_allclose(ours, compiled, rtol=1e-5, atol=1e-5)
