"""SciPy: convolution functions, a CSR matrix, and transforms with the spectrum kept."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.signal
import scipy.sparse

from ..machine import cores
from ..problem import PADDING, Problem
from .transforms import by_filtering, fft_lengths, padded_kernel
from .windows import by_convolving, kernel_beside, product

NDIMAGE_MODES = {"zero": "constant", "wrap": "wrap", "symmetric": "reflect"}


def _convolving(problem: Problem, convolve: Callable[[Any, Any, str], Any]) -> Callable[[], Any]:
    def extend(x: np.ndarray) -> np.ndarray:
        return np.pad(x, problem.pad_widths(x), mode=PADDING[problem.point.boundary])

    forward, adjoint = by_convolving(problem, convolve, extend, np.ascontiguousarray)
    return product(problem, forward, adjoint, problem.x, problem.y)


def by_fft(problem: Problem) -> Callable[[], Any]:
    """`scipy.signal.fftconvolve`."""
    return _convolving(problem, lambda x, k, mode: scipy.signal.fftconvolve(x, k, mode, axes=problem.axes))


def by_overlap(problem: Problem) -> Callable[[], Any]:
    """`scipy.signal.oaconvolve`."""
    return _convolving(problem, lambda x, k, mode: scipy.signal.oaconvolve(x, k, mode, axes=problem.axes))


def by_choice(problem: Problem) -> Callable[[], Any]:
    """`scipy.signal.convolve`, which chooses between a direct sum and transforms."""
    return _convolving(problem, lambda x, k, mode: scipy.signal.convolve(x, k, mode))


def by_ndimage(problem: Problem) -> Callable[[], Any]:
    """`scipy.ndimage.convolve`."""
    mode = NDIMAGE_MODES[problem.point.boundary]
    kernel, flipped = kernel_beside(problem, problem.kernel), kernel_beside(problem, problem.flipped)
    return product(
        problem,
        lambda x: scipy.ndimage.convolve(x, kernel, mode=mode),
        lambda y: scipy.ndimage.convolve(y, flipped, mode=mode),
        problem.x,
        problem.y,
    )


def by_matrix(problem: Problem) -> Callable[[], Any]:
    """The product with a matrix in CSR format; for the adjoint, with its transpose in CSR format."""
    matrix = sparse_matrix(problem)
    transpose = matrix.T.tocsr()
    return product(
        problem,
        lambda x: matrix @ x,
        lambda y: transpose @ y,
        problem.x.ravel(),
        problem.y.ravel(),
    )


def sparse_matrix(problem: Problem) -> scipy.sparse.csr_array:
    """The matrix of the convolution: one row an output, its columns read off an array of extended sample numbers."""
    point = problem.point
    numbers = np.arange(math.prod(point.shape)).reshape(point.shape)
    fill = {"constant_values": -1} if point.boundary == "zero" else {}
    numbers = np.pad(numbers, problem.pad_widths(numbers), mode=PADDING[point.boundary], **fill)
    columns = np.lib.stride_tricks.sliding_window_view(numbers, point.kernel)
    rows = math.prod(point.out_shape)
    columns = columns.reshape(rows, -1)
    taps = np.flatnonzero(problem.flipped)
    columns = columns[:, taps]
    values = np.broadcast_to(problem.flipped.ravel()[taps], columns.shape)
    inside = columns >= 0
    ends = np.concatenate([[0], np.cumsum(inside.sum(1))])
    shape = (rows, math.prod(point.shape))
    return scipy.sparse.csr_array((values[inside], columns[inside].astype(np.int32), ends.astype(np.int32)), shape)


def by_spectrum(problem: Problem) -> Callable[[], Any]:
    """`scipy.fft` on all cores, with the kernel's transform made beforehand."""
    lengths, axes, workers = fft_lengths(problem), problem.axes, cores()
    spectrum = scipy.fft.rfftn(padded_kernel(problem), axes=axes, workers=workers)

    def filtered(array: np.ndarray, factor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        transform = scipy.fft.rfftn(array, lengths, axes, workers=workers)
        transform *= factor
        wide: Any = scipy.fft.irfftn(transform, lengths, axes, workers=workers)
        return wide[(..., *(slice(n) for n in shape))]

    return by_filtering(problem, filtered, spectrum, problem.x, problem.y)
