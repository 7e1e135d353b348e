"""SciPy's conventions: convolution_matrix with its own tests, scipy.signal's modes, ndimage's boundaries."""

import itertools

import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage
import scipy.signal
from comparing import METHODS, X64, assert_same, gaussian_integers
from interpreting import interpreted

import convops as co

MODES = ("full", "same", "valid")
NDIMAGE = {
    "reflect": "symmetric",
    "mirror": "reflect",
    "nearest": "edge",
    "wrap": "wrap",
    "constant": "zero",
}


# ---------------------------------------------------------------- scipy.linalg.convolution_matrix


def ramp(n, is_complex):
    x = np.linspace(-2.5, 2.2, n)
    return x + 1j * np.linspace(-1.5, 3.1, n) if is_complex else x


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("na", [1, 2, 9])
@pytest.mark.parametrize("nv", [1, 2, 9])
@pytest.mark.parametrize("mode", [None, "full", "valid", "same"])
def test_convolution_matrix(is_complex, na, nv, mode):
    a, v = ramp(na, is_complex), ramp(nv, is_complex)
    arguments = (a, nv) if mode is None else (a, nv, mode)
    matrix = np.asarray(co.convolution_matrix(*arguments))
    expected = scipy.linalg.convolution_matrix(*arguments)
    assert matrix.shape == expected.shape
    assert np.iscomplexobj(matrix) == is_complex
    assert np.array_equal(matrix, expected.astype(matrix.dtype))
    product = np.convolve(v, a, mode or "full")  # which swaps a and v where a is the longer
    np.testing.assert_allclose(matrix @ v, product, rtol=0, atol=1e-12 if X64 else 1e-5)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolution_matrix_of_a_batch(mode):
    for a, n in (([[1, 2]], 3), (np.arange(1, 7).reshape(2, 1, 3), 2)):
        wanted = scipy.linalg.convolution_matrix(a, n, mode)
        got = co.convolution_matrix(a, n, mode)
        assert got.shape == wanted.shape
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("n", [0, -1])
def test_convolution_matrix_refuses_n(n):
    for function in (scipy.linalg.convolution_matrix, co.convolution_matrix):
        with pytest.raises(ValueError, match=r"n.* must be a positive integer"):
            function([1, 2, 3], n)


def test_convolution_matrix_refuses_an_empty_array():
    for function in (scipy.linalg.convolution_matrix, co.convolution_matrix):
        with pytest.raises(ValueError, match=r"len\(a\)"):
            function([], 4)


def test_convolution_matrix_refuses_an_unknown_mode():
    for function in (scipy.linalg.convolution_matrix, co.convolution_matrix):
        with pytest.raises(ValueError, match=r"mode.*must be one of.*full.*same|mode.*must be one of.*full.*valid"):
            function((1, 1), 4, mode="invalid argument")


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint8, np.float32, np.complex64, bool])
def test_convolution_matrix_keeps_the_dtype(dtype):
    a = np.array([1, 0, 1], dtype=dtype)
    matrix = np.asarray(co.convolution_matrix(a, 4))
    assert matrix.dtype == scipy.linalg.convolution_matrix(a, 4).dtype == dtype
    assert np.array_equal(matrix, scipy.linalg.convolution_matrix(a, 4))


@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.complex128])
def test_convolution_matrix_keeps_64_bits_where_jax_has_them(dtype):
    a = np.array([1, 2, 3], dtype=dtype)
    matrix = np.asarray(co.convolution_matrix(a, 4, "same"))
    expected = scipy.linalg.convolution_matrix(a, 4, "same")
    assert matrix.dtype.kind == expected.dtype.kind
    assert matrix.dtype == dtype or not X64
    assert np.array_equal(matrix, expected)


def parametrised(test):
    """Every set of arguments that pytest.mark.parametrize gives to a test."""
    marks = [mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    for values in itertools.product(*(values for _, values in marks)):
        yield dict(zip((name for name, _ in marks), values, strict=True))


def test_scipys_own_class(monkeypatch, request):
    """SciPy's own 75 tests, with our function in the place of theirs."""
    for marker in ("skip_xp_backends", "xfail_xp_backends", "uses_xp_capabilities", "fail_slow"):
        request.config.addinivalue_line("markers", f"{marker}: SciPy's own")
    module = pytest.importorskip("scipy.linalg.tests.test_special_matrices", exc_type=ImportError)
    calls = []

    def ours(*args, **kwargs):
        calls.append(args)
        # SciPy asks for 1.5e-6 absolute, more than 32 bits hold for these products
        return np.asarray(co.convolution_matrix(*args, **kwargs))

    monkeypatch.setattr(module, "convolution_matrix", ours)
    if not X64:
        close = lambda x, y: np.testing.assert_allclose(x, y, rtol=0, atol=1e-5)  # noqa: E731
        monkeypatch.setattr(module, "assert_array_almost_equal", close)
    suite, ran = module.TestConvolutionMatrix(), 0
    for name in sorted(name for name in dir(suite) if name.startswith("test_")):
        for arguments in parametrised(getattr(suite, name)):
            getattr(suite, name)(**arguments)
            ran += 1
    assert ran == len(calls) == 75


# ---------------------------------------------------------------- scipy.signal


SIGNAL_SHAPES = [
    ((7,), (3,)),
    ((7,), (4,)),
    ((4,), (7,)),
    ((3,), (8,)),
    ((5, 6), (3, 3)),
    ((5, 6), (2, 4)),
    ((3, 4), (5, 7)),
    ((4, 5, 3), (2, 3, 2)),
    ((2, 3, 2), (3, 4, 5)),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize(("shape", "kernel_shape"), SIGNAL_SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_signal_convolve(mode, shape, kernel_shape, is_complex, method):
    rng = np.random.default_rng(len(shape))
    x, k = gaussian_integers(rng, shape, is_complex), gaussian_integers(rng, kernel_shape, is_complex)
    expected = scipy.signal.convolve(x, k, mode, method="direct")
    if mode == "valid" and kernel_shape > shape:  # SciPy swaps its arguments; we never do
        assert co.convolution(k, shape, mode=mode, method=method).shape[0] == 0
        x, k = k, x
    operator = co.convolution(k, x.shape, mode=mode, origin="scipy", method=method)
    assert_same(operator @ x, expected, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("shape", "kernel_shape"), [(s, k) for s, k in SIGNAL_SHAPES if s > k])
@pytest.mark.parametrize("mode", MODES)
def test_signal_correlate(mode, shape, kernel_shape, method):
    """SciPy reverses the kernel before it centres it: an even one lands on its upper middle."""
    rng = np.random.default_rng(7)
    x, k = gaussian_integers(rng, shape, True), gaussian_integers(rng, kernel_shape, True)
    expected = scipy.signal.correlate(x, k, mode, method="direct")
    operator = co.correlation(k, shape, mode=mode, method=method)
    assert_same(operator @ x, expected, method)


@pytest.mark.parametrize("boundary", [("fill", "zero"), ("wrap", "wrap"), ("symm", "symmetric")])
@pytest.mark.parametrize("kernel_shape", [(3, 3), (2, 4), (4, 3)])
def test_signal_convolve2d(boundary, kernel_shape):
    rng = np.random.default_rng(8)
    x, k = gaussian_integers(rng, (5, 4)), gaussian_integers(rng, kernel_shape)
    expected = scipy.signal.convolve2d(x, k, "same", boundary[0])
    operator = co.convolution(k, x.shape, boundary=boundary[1], origin="scipy", method="stencil")
    assert_same(operator @ x, expected)


# ---------------------------------------------------------------- scipy.ndimage


NDIMAGE_SHAPES = [
    ((6,), (3,)),
    ((6,), (4,)),
    ((3,), (8,)),
    ((2,), (8,)),
    ((5, 4), (3, 2)),
    ((3, 4), (5, 9)),
    ((4, 3, 5), (3, 2, 4)),
    ((2, 3, 2), (5, 4, 3)),
]


def ndimage_origins(kernel_shape):
    """The default, and the two extremes that scipy.ndimage allows."""
    lowest = tuple(-(length // 2) for length in kernel_shape)
    highest = tuple((length - 1) // 2 for length in kernel_shape)
    return {(0,) * len(kernel_shape), lowest, highest}


@pytest.mark.parametrize("method", [METHODS[0], pytest.param(METHODS[1], marks=pytest.mark.slow)])
@pytest.mark.parametrize("make", [co.convolution, co.correlation])
@pytest.mark.parametrize(("shape", "kernel_shape"), NDIMAGE_SHAPES)
@pytest.mark.parametrize("mode", NDIMAGE)
def test_ndimage(mode, shape, kernel_shape, make, method):
    """An ndimage origin shifts the centre L // 2, which is ours."""
    rng = np.random.default_rng(9)
    theirs = {co.convolution: scipy.ndimage.convolve, co.correlation: scipy.ndimage.correlate}[make]
    x, k = gaussian_integers(rng, shape), gaussian_integers(rng, kernel_shape)
    for shift in ndimage_origins(kernel_shape):
        expected = theirs(x.astype(np.float64), k, mode=mode, origin=shift)
        origin = tuple(length // 2 + s for length, s in zip(kernel_shape, shift, strict=True))
        origins = (origin,) if any(shift) else (origin, "center")
        for chosen in origins:
            operator = make(k, shape, boundary=NDIMAGE[mode], origin=chosen, method=method)
            (y,) = interpreted(lambda x, operator=operator: (operator @ x,), x)
            assert_same(y, expected.astype(x.dtype), method, f"{shift} {chosen}")


@pytest.mark.parametrize("make", [co.convolution, co.correlation])
@pytest.mark.parametrize("mode", NDIMAGE)
def test_ndimage_complex(mode, make):
    """Both conjugate the kernel of a correlation."""
    rng = np.random.default_rng(10)
    theirs = {co.convolution: scipy.ndimage.convolve, co.correlation: scipy.ndimage.correlate}[make]
    x, k = gaussian_integers(rng, (5, 4), True), gaussian_integers(rng, (4, 3), True)
    expected = theirs(x.astype(np.complex128), k.astype(np.complex128), mode=mode)
    operator = make(k, x.shape, boundary=NDIMAGE[mode], method="stencil")
    assert_same(operator @ x, expected.astype(x.dtype))


@pytest.mark.parametrize("shift", range(-4, 5))
def test_ndimage_far_outside(shift):
    """Many reflections: here scipy.ndimage.correlate (1.17) errs with `reflect`, and correlate1d does not."""
    rng = np.random.default_rng(12)
    x, k = gaussian_integers(rng, (2,)), gaussian_integers(rng, (9,))
    for mode, boundary in NDIMAGE.items():
        expected = scipy.ndimage.correlate1d(x.astype(np.float64), k, mode=mode, origin=shift)
        operator = co.correlation(k, 2, boundary=boundary, origin=4 + shift, method="stencil")
        assert_same(operator @ x, expected.astype(x.dtype), context=mode)


@pytest.mark.parametrize("make", ["convolve1d", "correlate1d"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_ndimage_one_axis(make, axis):
    rng = np.random.default_rng(11)
    x, k = gaussian_integers(rng, (5, 4)), gaussian_integers(rng, (4,))
    expected = getattr(scipy.ndimage, make)(x.astype(np.float64), k, axis=axis, mode="mirror")
    ours = {"convolve1d": co.convolution, "correlate1d": co.correlation}[make]
    operator = ours(k, x.shape, boundary="reflect", axes=(axis,), method="stencil")
    assert_same(operator @ x, expected.astype(x.dtype))
