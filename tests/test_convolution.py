"""Convolutions, correlations and kernel operators in 1-D to 4-D against the dense matrices of the oracle."""

from dataclasses import dataclass, field

import numpy as np
import oracle
import pytest
from comparing import DTYPE, METHODS, X64, assert_same, gaussian_integers

import convops as co


@dataclass(frozen=True)
class Case:
    """One configuration; `kernel` and `shape` without channels, `channels` as (out, in) or None."""

    kind: str
    kernel: tuple
    shape: tuple
    options: dict = field(default_factory=dict)
    channels: tuple | None = None
    is_complex: bool = False

    def __str__(self):
        given = [f"{name}={value}" for name, value in self.options.items()]
        flags = [f"channels={self.channels}"] * bool(self.channels) + ["complex"] * self.is_complex
        sizes = ["x".join(map(str, s)) for s in (self.kernel, self.shape)]
        return "-".join([self.kind, f"k{sizes[0]}", f"n{sizes[1]}", *given, *flags]).replace(" ", "")

    def arrays(self):
        """A kernel and a signal of non-zero integers."""
        rng = np.random.default_rng(len(str(self)))
        outer, inner = (self.channels, self.channels[1:]) if self.channels else ((), ())
        kernel = gaussian_integers(rng, (*outer, *self.kernel), self.is_complex)
        return kernel, gaussian_integers(rng, (*inner, *self.shape), self.is_complex)

    def operator(self, method="stencil"):
        kernel, signal = self.arrays()
        options = {**self.options, "method": method, "channels": self.channels is not None}
        if self.kind == "kernel_operator":
            return co.kernel_operator(signal, kernel.shape, **options)
        return getattr(co, self.kind)(kernel, signal.shape, **options)

    def shapes(self):
        """(in_shape, out_shape)."""
        kernel, signal = self.arrays()
        outer = self.channels[:1] if self.channels else ()
        out = (*outer, *oracle.out_shape(self.kernel, self.shape, **self.options))
        return (kernel.shape if self.kind == "kernel_operator" else signal.shape), out

    def matrix(self):
        kernel, signal = self.arrays()
        if self.kind == "kernel_operator":
            build = oracle.kernel_channels_matrix if self.channels else oracle.kernel_operator_matrix
            return build(signal, kernel.shape, **self.options)
        build = oracle.channels_matrix if self.channels else oracle.convolution_matrix_nd
        return build(kernel, signal.shape, correlate=self.kind == "correlation", **self.options)

    def structure(self):
        """Where the matrix can be non-zero, whatever the numbers."""
        if self.kind == "kernel_operator":
            # generic numbers: no sum of theirs vanishes by chance
            kernel, signal = self.arrays()
            generic = np.random.default_rng(0).normal(size=signal.shape)
            build = oracle.kernel_channels_matrix if self.channels else oracle.kernel_operator_matrix
            return build(generic, kernel.shape, **self.options) != 0
        correlate = self.kind == "correlation"
        pattern = oracle.structure(self.kernel, self.shape, correlate=correlate, **self.options)
        return np.tile(pattern, self.channels or (1, 1))


def random_case(rng, kind, ndim):
    """Mixed boundaries, parities, strides and dilations; kernels longer than the signal now and then."""
    largest = {1: 9, 2: 6, 3: 4, 4: 3}[ndim]
    shape = tuple(int(n) for n in rng.integers(1, largest + 1, ndim))
    kernel_ndim = ndim if rng.random() < 0.75 else int(rng.integers(1, ndim + 1))
    mode = str(rng.choice(oracle.MODES, p=[0.2, 0.6, 0.2]))
    longest = 3 if ndim > 2 or mode == "valid" else 7
    kernel = tuple(int(n) for n in rng.integers(1, longest + 1, kernel_ndim))
    options: dict = {"mode": mode}
    if mode == "same":
        options["boundary"] = tuple(str(b) for b in rng.choice(oracle.BOUNDARIES, kernel_ndim))
        origins = [str(o) for o in rng.choice(["center", "scipy"], 1)]
        options["origin"] = origins[0] if rng.random() < 0.4 else tuple(int(rng.integers(n)) for n in kernel)
    options["stride"] = 1 if rng.random() < 0.5 else tuple(int(s) for s in rng.integers(1, 4, kernel_ndim))
    options["dilation"] = 1 if rng.random() < 0.6 else tuple(int(d) for d in rng.integers(1, 3, kernel_ndim))
    is_complex, channels = bool(rng.random() < 0.4), None
    if kernel_ndim < ndim:
        options["axes"] = tuple(sorted(int(a) for a in rng.choice(ndim, kernel_ndim, replace=False)))
    elif ndim < 4 and rng.random() < 0.3:
        channels = tuple(int(c) for c in rng.integers(1, 4, 2))
    return Case(kind, kernel, shape, options, channels, is_complex)


KINDS = ("convolution", "correlation", "kernel_operator")
CHOSEN = [
    Case("convolution", (3,), (5,), {"boundary": "antireflect"}),
    Case("convolution", (2, 3), (4, 5), {"boundary": ("wrap", "reflect")}, is_complex=True),
    Case("convolution", (7, 9), (3, 2), {"boundary": ("reflect", "symmetric"), "origin": (6, 0)}),
    Case("convolution", (5, 4), (1, 3), {"boundary": ("antireflect", "antireflect")}),
    Case("convolution", (2, 2, 3), (4, 1, 3), {"boundary": ("edge", "wrap", "zero"), "stride": (3, 1, 2)}),
    Case("convolution", (2, 1, 3, 2), (2, 3, 2, 3), {"boundary": "symmetric", "dilation": (1, 2, 1, 2)}),
    Case("convolution", (4, 3), (3, 4), {"mode": "valid"}),
    Case("convolution", (2, 3), (6, 5), {"mode": "valid", "stride": (2, 1), "dilation": (3, 2)}),
    Case("convolution", (3,), (4, 5), {"mode": "full", "axes": (0,)}, is_complex=True),
    Case("convolution", (3, 2), (4, 3, 5), {"mode": "full", "axes": (0, -1), "stride": (1, 2)}),
    Case("convolution", (2, 3), (4, 5), {"boundary": ("wrap", "edge"), "axes": (1, 0), "origin": (0, 2)}),
    Case("convolution", (2, 3), (3, 4), {"boundary": ("edge", "zero")}, channels=(3, 2), is_complex=True),
    Case("correlation", (3, 2), (4, 5), {"mode": "full"}, channels=(1, 3), is_complex=True),
    Case("kernel_operator", (3, 4), (4, 3), {"boundary": "reflect", "dilation": 2}, channels=(2, 2)),
    Case("kernel_operator", (3, 2), (5, 4), {"mode": "valid", "stride": 2}, is_complex=True),
]
SEEDED = np.random.default_rng(20)
CASES = CHOSEN + [random_case(SEEDED, kind, ndim) for kind in KINDS for ndim in (1, 2, 2, 2, 3, 3, 3, 4)]
every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_method = pytest.mark.parametrize("method", METHODS)


@every_method
@every_case
def test_forward_and_adjoint(case, method):
    operator, matrix, (in_shape, out_shape) = case.operator(method), case.matrix(), case.shapes()
    assert (operator.in_shape, operator.out_shape) == (in_shape, out_shape)
    assert operator.shape == matrix.shape
    assert operator.dtype == DTYPE[case.is_complex]
    rng = np.random.default_rng(1)
    x = gaussian_integers(rng, in_shape, case.is_complex)
    y = gaussian_integers(rng, out_shape, case.is_complex)
    forward, backward = matrix @ x.ravel(), matrix.conj().T @ y.ravel()
    assert_same(operator.matvec(x), forward.reshape(out_shape), method, "matvec")
    assert_same(operator.rmatvec(y), backward.reshape(in_shape), method, "rmatvec")
    assert_same(operator @ x, forward.reshape(out_shape), method, "@")
    assert_same(operator.H @ y, backward.reshape(in_shape), method, "H @")
    assert_same(operator.T @ y, (matrix.T @ y.ravel()).reshape(in_shape), method, "T @")


@every_method
@pytest.mark.parametrize("case", CHOSEN[1::2], ids=str)
def test_flat_vectors_columns_and_batches(case, method):
    operator, matrix, (in_shape, out_shape) = case.operator(method), case.matrix(), case.shapes()
    columns = gaussian_integers(np.random.default_rng(2), (matrix.shape[1], 3), case.is_complex)
    images = matrix @ columns
    assert_same(operator.matvec(columns[:, 0]), images[:, 0], method, "flat")
    assert_same(operator @ columns[:, 1], images[:, 1], method, "@ flat")
    if operator.in_shape != columns.shape:
        assert_same(operator @ columns, images, method, "@ columns")
    batch = columns.T.reshape(3, *in_shape)
    assert_same(operator.matvec(batch), images.T.reshape(3, *out_shape), method, "batch")
    batch = batch.reshape(1, 3, *in_shape)
    assert_same(operator.matvec(batch), images.T.reshape(1, 3, *out_shape), method, "two batch axes")
    rows = gaussian_integers(np.random.default_rng(3), (3, matrix.shape[0]), case.is_complex)
    assert_same(operator.rmatvec(rows[0]), rows[0] @ matrix.conj(), method, "flat, adjoint")
    expected = (rows @ matrix.conj()).reshape(3, *in_shape)
    assert_same(operator.rmatvec(rows.reshape(3, *out_shape)), expected, method, "batch, adjoint")


@every_case
def test_as_matrix(case):
    operator, matrix, (in_shape, out_shape) = case.operator(), case.matrix(), case.shapes()
    assert_same(operator.as_matrix(), matrix)
    assert_same(operator.as_matrix(order="F"), oracle.vec_order(matrix, out_shape, in_shape))
    assert_same(operator.H.as_matrix(), matrix.conj().T)


def stored(sparse):
    """The number of entries a SciPy or a JAX sparse matrix keeps."""
    return sparse.nse if hasattr(sparse, "nse") else sparse.nnz


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bcoo"])
@every_case
def test_to_sparse(case, form):
    operator, matrix = case.operator(), case.matrix()
    sparse = operator.to_sparse(form)
    assert sparse.shape == matrix.shape
    assert_same(sparse.todense(), matrix)
    assert stored(sparse) == operator.nnz == np.count_nonzero(case.structure())


@pytest.mark.parametrize("boundary", oracle.BOUNDARIES)
@pytest.mark.parametrize(("kernel", "n"), [(1, 1), (3, 1), (4, 2), (9, 3), (5, 6), (2, 6)])
@pytest.mark.parametrize("stride", [1, 2])
def test_nnz_counts_the_structure(boundary, kernel, n, stride):
    options = {"boundary": boundary, "stride": stride}
    operator = co.convolution(np.ones(kernel), n, **options)
    assert operator.nnz == np.count_nonzero(oracle.structure((kernel,), (n,), **options))


@pytest.mark.parametrize("boundary", oracle.BOUNDARIES)
@pytest.mark.parametrize("kernel", [[1, 0, 2], [0, 0, 0], [1, -1, 1, -1, 0]])
def test_sparse_forms_keep_nnz_entries_whatever_the_numbers(kernel, boundary):
    """Taps that are zero or cancel: never an entry more or less than `nnz`, and never another matrix."""
    operator = co.convolution(np.array(kernel, dtype=float), 4, boundary=boundary)
    matrix = oracle.convolution_matrix_nd(np.array(kernel), 4, boundary=boundary).astype(float)
    for form in ("csr", "csc", "coo", "bcoo"):
        sparse = operator.to_sparse(form)
        assert stored(sparse) == operator.nnz >= np.count_nonzero(matrix)
        assert_same(sparse.todense(), matrix)


@every_method
@pytest.mark.parametrize("boundary", ["zero", "antireflect"])
def test_real_and_complex_mix(boundary, method):
    rng = np.random.default_rng(4)
    for complex_kernel, complex_signal in [(False, True), (True, False)]:
        kernel = gaussian_integers(rng, (2, 3), complex_kernel)
        operator = co.convolution(kernel, (4, 5), boundary=boundary, method=method)
        matrix = oracle.convolution_matrix_nd(kernel, (4, 5), boundary=boundary)
        x = gaussian_integers(rng, (4, 5), complex_signal)
        assert_same(operator @ x, (matrix @ x.ravel()).reshape(4, 5), method)
        assert_same(operator.rmatvec(x), (matrix.conj().T @ x.ravel()).reshape(4, 5), method)


@every_method
def test_integers_become_floating_point(method):
    kernel, x = np.array([1, 2, 3]), np.arange(5)
    operator = co.convolution(kernel, 5, mode="full", method=method)
    assert operator.dtype == DTYPE[False]
    assert_same(operator @ x, np.convolve(kernel, x).astype(float), method)
    assert_same(operator.rmatvec(np.arange(7)), np.correlate(np.arange(7), kernel).astype(float), method)


def test_auto_is_one_of_the_engines():
    for case in CHOSEN:
        x = gaussian_integers(np.random.default_rng(5), case.shapes()[0], case.is_complex)
        expected = (case.matrix() @ x.ravel()).reshape(case.shapes()[1])
        assert_same(case.operator("auto") @ x, expected, "auto", str(case))


MANY_TAPS = [  # more than an engine would write out one by one; 272 = 4 * 64 + 16, 320 = 5 * 64
    Case("convolution", (17, 16), (3, 4), {"boundary": ("antireflect", "wrap"), "stride": (2, 1)}),
    Case("convolution", (16, 20), (5, 3), {"boundary": ("edge", "reflect"), "dilation": (1, 2)}, is_complex=True),
    Case("convolution", (300,), (7,), {"boundary": "symmetric"}, channels=(3, 2)),
    Case("convolution", (17, 16), (18, 19), {"mode": "valid", "stride": (1, 2)}),
    Case("correlation", (20, 16), (4, 3), {"mode": "full", "stride": (3, 2)}, is_complex=True),
    Case("kernel_operator", (17, 16), (3, 4), {"boundary": ("wrap", "symmetric"), "stride": 2}),
    Case("kernel_operator", (300,), (6,), {"mode": "full"}, channels=(2, 2), is_complex=True),
]


@every_method
@pytest.mark.parametrize("case", [*MANY_TAPS[:-1], pytest.param(MANY_TAPS[-1], marks=pytest.mark.slow)], ids=str)
def test_many_taps(case, method):
    test_forward_and_adjoint(case, method)
    if method == "stencil":
        assert_same(case.operator().as_matrix(), case.matrix())


@every_method
@pytest.mark.parametrize("channels", [(), (3, 2), (1, 2)])
@pytest.mark.parametrize("is_complex", [False, True])
def test_a_kernel_of_zeros(channels, is_complex, method):
    """Nothing to sum, and still results of the right shape and dtype."""
    shape = (*channels[1:], 6)
    kernel = np.zeros((*channels, 4), DTYPE[is_complex])
    operator = co.convolution(kernel, shape, mode="full", channels=bool(channels), method=method)
    y = operator.matvec(np.ones(shape))
    assert_same(y, np.zeros((*channels[:1], 9), DTYPE[is_complex]))
    assert_same(operator.rmatvec(y), np.zeros(shape, DTYPE[is_complex]))
    assert operator.nnz == operator.to_sparse().nnz == 0


def test_a_larger_image_keeps_its_accuracy():
    """Sizes at which the engines take other paths than for a handful of pixels."""
    rng = np.random.default_rng(6)
    kernel, x = rng.normal(size=(15, 20)), rng.normal(size=(100, 77))
    padded = np.pad(x, ((7, 7), (10, 10)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (15, 20))[:100, :77]
    y = np.einsum("ijmn,mn->ij", windows, kernel)
    for method in ("auto", *METHODS):
        operator = co.correlation(kernel, x.shape, boundary="symmetric", origin=(7, 10), method=method)
        assert_same(operator @ x, y, method, method, rtol=1e-12 if X64 else 1e-5)
        z = rng.normal(size=y.shape)
        inner = np.sum(y * z) - np.sum(x * np.asarray(operator.rmatvec(z), dtype=float))
        assert abs(inner) <= (1e-12 if X64 else 1e-5) * np.linalg.norm(y) * np.linalg.norm(z)
