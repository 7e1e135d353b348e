"""Dense convolution matrices straight from the definition, in plain NumPy: what the package is compared with.

One formula for everything. Along an axis with signal x of length N and kernel k of length L, dilation d,

    convolution   y[i] = sum_m k[m] X[start + step*i - d*m]
    correlation   y[i] = sum_m conj(k[m]) X[step*i - centre + d*m]

where X is the signal extended to every integer (`extension`); `window` gives start, centre and the number of
outputs. One tap of one axis is a small integer matrix (`tap_matrix`), and a kernel of several axes is the sum
over its taps of Kronecker products. Nothing is imported from the package and nothing is rounded.
"""

import itertools
from functools import cache, lru_cache, reduce

import numpy as np

MODES = ("full", "same", "valid")
BOUNDARIES = ("zero", "wrap", "symmetric", "reflect", "edge", "antireflect")
NUMPY_PAD = {
    "zero": {"mode": "constant"},
    "wrap": {"mode": "wrap"},
    "symmetric": {"mode": "symmetric"},
    "reflect": {"mode": "reflect"},
    "edge": {"mode": "edge"},
    "antireflect": {"mode": "reflect", "reflect_type": "odd"},
}


@cache
def extension(boundary: str, n: int, size: int) -> tuple[int, ...]:
    """The integer weights w with X[n] = sum_j w[j] x[j], for any integer n and a signal of `size` samples."""
    last = size - 1
    if 0 <= n <= last:
        return tuple(int(j == n) for j in range(size))
    if boundary == "zero":
        return (0,) * size
    if boundary == "wrap":
        return extension(boundary, n % size, size)
    if boundary == "symmetric":  # ... b a | a b c | c b ...
        return extension(boundary, -1 - n if n < 0 else 2 * size - 1 - n, size)
    if boundary == "edge" or size == 1:  # numpy.pad reflects a single sample to itself
        return extension(boundary, 0 if n < 0 else last, size)
    end, mirrored = (0, -n) if n < 0 else (last, 2 * last - n)  # ... c b | a b c | b a ...
    inner = extension(boundary, mirrored, size)
    if boundary == "reflect":
        return inner
    if boundary == "antireflect":  # 2 x[end] - X[mirrored]
        return tuple(2 * int(j == end) - w for j, w in enumerate(inner))
    raise KeyError(boundary)


def kernel_origin(origin, length: int) -> int:
    """The index of the kernel element that lies on the output sample."""
    named = {"center": length // 2, "scipy": (length - 1) // 2}
    return named[origin] if isinstance(origin, str) else int(origin)


def window(mode, size, length, origin, stride, dilation):
    """`start`, `centre` and `count` of the two formulas above."""
    reach = dilation * (length - 1)
    offset = dilation * kernel_origin(origin, length)
    start = {"full": 0, "same": offset, "valid": reach}[mode]
    centre = {"full": reach, "same": offset, "valid": 0}[mode]
    span = {"full": size + reach, "same": size, "valid": max(size - reach, 0)}[mode]
    return start, centre, len(range(0, span, stride))


@lru_cache(maxsize=10_000)
def tap_matrix(m, size, length, mode, boundary, origin, stride, dilation, correlate=False) -> np.ndarray:
    """The integer matrix x -> y of the kernel that is 1 at `m` and 0 elsewhere, along one axis."""
    start, centre, count = window(mode, size, length, origin, stride, dilation)
    matrix = np.zeros((count, size), dtype=np.int64)
    for i in range(count):
        n = stride * i - centre + dilation * m if correlate else start + stride * i - dilation * m
        matrix[i] = extension(boundary, n, size)
    return matrix


def each(value, count):
    """One value an axis: a tuple as it is, anything else repeated."""
    return tuple(value) if isinstance(value, tuple | list) else (value,) * count


def kron(matrices):
    """The Kronecker product of several matrices: what acts on a C-order vec."""
    return reduce(np.kron, matrices) if matrices else np.ones((1, 1), dtype=np.int64)


def axis_options(ndim, mode, boundary, origin, stride, dilation):
    """The options of each kernel axis."""
    lists = [each(option, ndim) for option in (boundary, origin, stride, dilation)]
    return [(mode, *options) for options in zip(*lists, strict=True)]


def tap_matrices(kernel_shape, shape, axes, options, correlate):
    """Yield every tap's index and its matrix on the whole signal; axes without a kernel are carried along."""
    axes = range(len(shape) - len(kernel_shape), len(shape)) if axes is None else each(axes, 1)
    placed = {axis % len(shape): k for k, axis in enumerate(axes)}
    carried = [None if axis in placed else np.eye(size, dtype=np.int64) for axis, size in enumerate(shape)]
    for index in itertools.product(*map(range, kernel_shape)):
        factors = list(carried)
        for axis, k in placed.items():
            factors[axis] = tap_matrix(index[k], shape[axis], kernel_shape[k], *options[k], correlate)
        yield index, kron(factors)


def convolution_matrix_nd(
    kernel,
    shape,
    mode="same",
    boundary="zero",
    origin="center",
    stride=1,
    dilation=1,
    axes=None,
    correlate=False,
):
    """The matrix of the convolution with `kernel` on a signal of `shape`, both vecs in C order."""
    kernel, shape = np.asarray(kernel), each(shape, 1)
    options = axis_options(kernel.ndim, mode, boundary, origin, stride, dilation)
    weights = np.conj(kernel) if correlate else kernel
    taps = tap_matrices(kernel.shape, shape, axes, options, correlate)
    return sum(weights[index] * matrix for index, matrix in taps)


def correlation_matrix_nd(kernel, shape, **options):
    """The matrix of the correlation with `kernel`, conjugated."""
    return convolution_matrix_nd(kernel, shape, correlate=True, **options)


def channels_matrix(kernel, shape, **options):
    """The block matrix for a kernel (out, in, *k) on a signal (in, *n): y[o] = sum_c k[o, c] conv x[c]."""
    kernel, inner = np.asarray(kernel), tuple(shape[1:])
    blocks = [[convolution_matrix_nd(k, inner, **options) for k in row] for row in kernel]
    return np.block(blocks)


def kernel_operator_matrix(
    signal,
    kernel_shape,
    mode="same",
    boundary="zero",
    origin="center",
    stride=1,
    dilation=1,
    axes=None,
):
    """The matrix from the kernel to its convolution with `signal`: the im2col matrix, a column a tap."""
    signal, kernel_shape = np.asarray(signal), each(kernel_shape, 1)
    options = axis_options(len(kernel_shape), mode, boundary, origin, stride, dilation)
    taps = tap_matrices(kernel_shape, signal.shape, axes, options, correlate=False)
    return np.stack([matrix @ signal.ravel() for _, matrix in taps], axis=1)


def kernel_channels_matrix(signal, kernel_shape, **options):
    """The matrix from a kernel (out, in, *k) to its convolution with a signal (in, *n)."""
    row = np.hstack([kernel_operator_matrix(s, kernel_shape[2:], **options) for s in np.asarray(signal)])
    return np.kron(np.eye(kernel_shape[0], dtype=np.int64), row)


def out_shape(kernel_shape, shape, mode="same", boundary="zero", origin="center", stride=1, dilation=1, axes=None):
    """The shape of the result, carried axes included."""
    shape = list(each(shape, 1))
    axes = range(len(shape) - len(kernel_shape), len(shape)) if axes is None else each(axes, 1)
    options = axis_options(len(kernel_shape), mode, boundary, origin, stride, dilation)
    for axis, length, (_, _, o, s, d) in zip(axes, kernel_shape, options, strict=True):
        shape[axis] = window(mode, shape[axis], length, o, s, d)[2]
    return tuple(shape)


def structure(
    kernel_shape,
    shape,
    mode="same",
    boundary="zero",
    origin="center",
    stride=1,
    dilation=1,
    axes=None,
    correlate=False,
):
    """Where the matrix of a kernel without zeros can be non-zero: True where a tap has a non-zero weight."""
    options = axis_options(len(kernel_shape), mode, boundary, origin, stride, dilation)
    taps = tap_matrices(kernel_shape, each(shape, 1), axes, options, correlate)
    return reduce(np.logical_or, (matrix != 0 for _, matrix in taps))


def vec_order(matrix, rows, columns, order="F"):
    """The C-order `matrix` from signals of shape `columns` to shape `rows`, rewritten for vecs in `order`."""
    row = np.arange(len(matrix)).reshape(rows).ravel(order=order)
    column = np.arange(matrix.shape[1]).reshape(columns).ravel(order=order)
    return matrix[np.ix_(row, column)]
