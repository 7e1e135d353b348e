"""PyLops' FISTA for sparse Haar coefficients: its own blur, its own wavelets, zeros around, no messages."""

import timeit
from collections.abc import Mapping

import numpy as np
import pylops
import scipy.fft
from pylops.optimization.sparsity import fista
from pylops.signalprocessing import DWT2D, FFT2D, ConvolveND

from .serving import Solve


def by_kept_spectrum(kernel: np.ndarray, shape: tuple[int, ...]) -> pylops.LinearOperator:
    """The blur by `FFT2D` on all cores, of lengths at which nothing wraps around; the spectrum is kept."""
    lengths = [scipy.fft.next_fast_len(n + k - 1, real=True) for n, k in zip(shape, kernel.shape, strict=True)]
    wide = np.pad(kernel, [(0, n - k) for n, k in zip(lengths, kernel.shape, strict=True)])
    spectrum = scipy.fft.rfft2(np.roll(wide, [-(k // 2) for k in kernel.shape], (0, 1))).astype(np.complex64)
    F = FFT2D(lengths, real=True, engine="scipy", dtype="float32", workers=-1)
    P = pylops.Pad(shape, [(0, n - size) for n, size in zip(lengths, shape, strict=True)], dtype="float32")
    return P.H * F.H * pylops.Diagonal(spectrum.ravel(), dtype="complex64") * F * P


def blur(kernel: np.ndarray, shape: tuple[int, ...]) -> pylops.LinearOperator:
    """`ConvolveND` by transforms or `by_kept_spectrum`, whichever is faster."""
    x = np.ones(np.prod(shape), np.float32)
    ways = (
        ConvolveND(shape, kernel, tuple(k // 2 for k in kernel.shape), dtype="float32"),
        by_kept_spectrum(kernel, shape),
    )
    return min(ways, key=lambda A: min(timeit.repeat(lambda: A.H @ (A @ x), number=1, repeat=4)))


def prepare(given: Mapping[str, np.ndarray]) -> Solve:
    """`fista` of a step, a weight and a number of steps; it counts twice the misfit, hence twice the weight."""
    b, weight, step, steps = given["b"], float(given["weight"]), float(given["step"]), int(given["steps"])
    A = blur(given["kernel"], b.shape)
    W = DWT2D(b.shape, wavelet="haar", level=int(given["levels"]), dtype="float32")
    start = np.zeros(b.size, np.float32)
    return lambda: fista(A, b.ravel(), start, steps, SOp=W.H, eps=2 * weight, alpha=step, tol=0.0)[0]
