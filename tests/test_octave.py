"""All 323 cases computed by GNU Octave 7.3.0 (signal 1.4.3, image 2.14.0), through the package's operators.

The inputs are small integers, so the stencil engine has to give Octave's numbers exactly.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from comparing import METHODS, X64, assert_same
from interpreting import interpreted

import convops as co

FOLDER = Path(__file__).parent / "octave"
MODES = ("full", "same", "valid")
BOUNDARIES = {
    "zero": "zero",
    "const3": "zero",
    "replicate": "edge",
    "symmetric": "symmetric",
    "circular": "wrap",
}


def array(entry):
    """An Octave array: `shape`, real parts and, for complex ones, imaginary parts, in C order."""
    values = np.array(entry["re"], dtype=float)
    if "im" in entry:
        values = values + 1j * np.array(entry["im"], dtype=float)
    return values.reshape(entry["shape"])


def vector(entry):
    return array(entry).ravel()


def product(method, make, x, *arguments, **options):
    """`make(*arguments, **options) @ x`: compiled on the stencil engine; on the other, operation by operation."""
    if method == "stencil":
        return make(*arguments, method=method, **options) @ x
    return interpreted(lambda x: (make(*arguments, method=method, **options) @ x,), x)[0]


def agree(actual, expected, method, context, *, exact=True, scale=None):
    if expected.size == 0:  # Octave stores an empty complex result as real
        assert np.shape(actual) == expected.shape, context
        return
    rtol = 1e-10 if X64 else 1e-5
    assert_same(actual, expected, method, context, rtol=None if exact and method == "stencil" else rtol, scale=scale)


def check_conv1d(case, method):
    a, b = vector(case["a"]), vector(case["b"])
    for mode in MODES:
        y = product(method, co.convolution, a, b, a.size, mode=mode)
        agree(y, vector(case[mode]), method, mode, exact=case["kind"] != "float")


def check_conv2(case, method):
    signal, kernel = array(case["A"]), array(case["K"])
    for mode in MODES:
        y = product(method, co.convolution, signal, kernel, signal.shape, mode=mode)
        agree(y, array(case[mode]), method, mode)


def check_conv2_separable(case, method):
    signal, kernel = array(case["A"]), vector(case["hcol"])[:, None] * vector(case["hrow"])
    for mode in MODES:
        operator = co.convolution(kernel, signal.shape, mode=mode, method=method)
        agree(operator @ signal, array(case[mode]), method, mode)
        rows = co.convolution(vector(case["hcol"]), signal.shape, mode=mode, axes=(0,), method=method)
        columns = co.convolution(vector(case["hrow"]), rows.out_shape, mode=mode, axes=(1,), method=method)
        agree(columns @ (rows @ signal), array(case[mode]), method, mode)


def check_convn3(case, method):
    check_conv2(case, method)


def check_convmtx(case, method):
    h, n = vector(case["h"]), case["n"]
    operator = co.convolution(h, n, mode="full", method=method)
    agree(operator.as_matrix(), array(case["col"]), "stencil", "col")
    agree(operator.T.as_matrix(), array(case["row"]), "stencil", "row")
    agree(np.asarray(operator.matvec(np.eye(n))).T, array(case["col"]), method, "columns")
    matrix = np.asarray(co.convolution_matrix(h, n))
    assert np.array_equal(matrix, array(case["col"]))


def check_convmtx1_shape(case, method):
    h, n = vector(case["h"]), case["n"]
    for mode in MODES:
        operator = co.convolution(h, n, mode=mode, method=method)
        agree(operator.as_matrix(), array(case[mode]), "stencil", mode)
        agree(np.asarray(operator.matvec(np.eye(n))).T, array(case[mode]), method, mode)
        if operator.shape[0]:
            agree(operator.rmatvec(np.eye(operator.shape[0])), array(case[mode]), method, mode)


def check_convmtx2_shape(case, method):
    shape = (case["m"], case["n"])
    for mode in MODES:
        operator = co.convolution(array(case["H"]), shape, mode=mode, method=method)
        expected = array(case[mode])
        agree(operator.as_matrix(order="F"), expected, "stencil", mode)
        units = np.eye(shape[0] * shape[1]).reshape(-1, *shape[::-1]).transpose(0, 2, 1)  # column-major
        images = np.asarray(operator.matvec(units))
        agree(images.transpose(2, 1, 0).reshape(expected.shape), expected, method, mode)


def check_filter2(case, method):
    """Octave correlates without conjugating, and centres the reversed kernel."""
    signal, kernel = array(case["X"]), np.conj(array(case["B"]))
    for mode in MODES:
        y = product(method, co.correlation, signal, kernel, signal.shape, mode=mode, origin="scipy")
        agree(y, array(case[mode]), method, mode)


def imfilter(case, action, method):
    """Octave's centre is floor((size + 1) / 2) from one, of the kernel as given; for conv, of it reversed."""
    signal, kernel = array(case["A"]), array(case["H"])
    make, origin = {"corr": (co.correlation, "scipy"), "conv": (co.convolution, "center")}[action]
    boundary = BOUNDARIES[case["boundary"]]
    outside = 3 if case["boundary"] == "const3" else 0
    y = product(method, make, signal - outside, kernel, signal.shape, boundary=boundary, origin=origin)
    return np.asarray(y) + np.asarray(outside * kernel.sum(), y.dtype)


def check_imfilter(case, method):
    for action in ("corr", "conv"):
        agree(imfilter(case, action, method), array(case[action]), method, action)


def check_imfilter_uint8(case, method):
    """Rounded half away from zero and saturated: on a half, rounding errors may go either way."""
    for action in ("corr", "conv"):
        values, expected = imfilter(case, action, method), array(case[action])
        if method == "stencil":
            rounded = np.sign(values) * np.floor(np.abs(values) + 0.5)
            assert np.array_equal(np.clip(rounded, 0, 255), expected)
        assert np.max(np.abs(np.clip(values, 0, 255) - expected)) <= 0.5 + (1e-9 if X64 else 1e-4)


def check_cconv(case, method):
    """A linear convolution wrapped modulo n: fold the signal to n samples, then convolve periodically."""
    a, b, n = vector(case["a"]), vector(case["b"]), case["n"]
    folded = np.resize(np.append(a, np.zeros(-a.size % n)), (-(-a.size // n), n)).sum(axis=0)
    y = product(method, co.convolution, folded, b, n, boundary="wrap", origin=0)
    scale = np.abs(a).sum() * np.abs(b).max()  # wrapped sums may cancel
    agree(y, vector(case["y"]), method, "wrap", scale=scale)
    full = np.asarray(product(method, co.convolution, a, b, a.size, mode="full"))
    wrapped = np.append(full, np.zeros(-full.size % n, full.dtype)).reshape(-1, n).sum(axis=0)
    agree(wrapped, vector(case["y"]), method, "full", scale=scale)


def check_toeplitz(case, method):
    """T[i, j] = t[i - j]: the kernel runs from the end of the first row to the end of the first column."""
    c = vector(case["c"])
    r = vector(case["r"]) if "r" in case else c
    n, expected = r.size, array(case["T"])
    kernel = np.append(r[:0:-1], np.append(r[0], c[1:]))
    operator = co.convolution(kernel, n, origin=n - 1, method=method)
    rows = min(len(expected), n)
    agree(operator.as_matrix()[:rows], expected[:rows], "stencil", "matrix")
    agree(np.asarray(operator.matvec(np.eye(n))).T[:rows], expected[:rows], method, "columns")


def check_im2col(case, method):
    """A block a column, column-major: the kernel operator's rows, from the last tap to the first."""
    signal, kernel_shape = array(case["A"]), tuple(case["k"])
    operator = co.kernel_operator(signal, kernel_shape, mode="valid", method=method)
    agree(operator.as_matrix(order="F")[:, ::-1].T, array(case["cols"]), "stencil", "matrix")
    taps = np.eye(operator.shape[1])[::-1].reshape(-1, *kernel_shape[::-1]).transpose(0, 2, 1)
    images = np.asarray(operator.matvec(taps))
    agree(images.transpose(0, 2, 1).reshape(operator.shape[::-1]), array(case["cols"]), method, "columns")


def check_deconv_poly(case, method):
    p, q, product = (vector(case[name]) for name in ("p", "q", "prod"))
    operator = co.convolution(p, q.size, mode="full", method=method)
    agree(operator @ q, product, method, "product")
    matrix = np.asarray(operator.as_matrix(), dtype=float)
    assert np.allclose(np.linalg.lstsq(matrix, product)[0], q, rtol=0, atol=1e-10)
    dividend = product + np.eye(product.size)[-1]
    quotient = np.linalg.solve(matrix[: q.size], dividend[: q.size])
    assert np.allclose(quotient, vector(case["deconv_of_prod_plus_1"]), rtol=0, atol=1e-10)
    assert np.allclose(dividend - matrix @ quotient, vector(case["remainder"]), rtol=0, atol=1e-10)


CHECKS = {name.removeprefix("check_"): check for name, check in globals().items() if name.startswith("check_")}
FILES = {path.stem: json.loads(path.read_text())["cases"] for path in sorted(FOLDER.glob("*.json"))}
CASES = [pytest.param(name, case, id=f"{name}-{case['id']}") for name in FILES for case in FILES[name]]


SPREAD = [  # every third one in the quick suite
    case if i % 3 == 0 else pytest.param(*case.values, id=case.id, marks=pytest.mark.slow)
    for i, case in enumerate(CASES)
]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_octave(name, case):
    CHECKS[name](case, METHODS[0])


@pytest.mark.parametrize(("name", "case"), SPREAD)
def test_octave_by_another_engine(name, case):
    CHECKS[name](case, METHODS[1])


def test_there_are_323_cases():
    assert set(CHECKS) == set(FILES)
    assert len(CASES) == 323
    assert len({(case.values[0], case.values[1]["id"]) for case in CASES}) == 323
