"""Convolution by transforms of a package with the kernel's spectrum kept: lengths, the kernel's place, the products."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..problem import Problem


def fft_lengths(problem: Problem) -> tuple[int, ...]:
    """11-smooth lengths: what wraps around reaches only samples that are cut off."""
    point = problem.point
    if point.boundary == "wrap":
        return point.shape
    from scipy.fft import next_fast_len  # here: the cold starts of others are not to pay for it

    reach = [k - 1 if point.mode == "full" else k // 2 for k in point.kernel]
    return tuple(int(next_fast_len(n + r) or 0) for n, r in zip(point.shape, reach, strict=True))


def padded_kernel(problem: Problem) -> np.ndarray:
    """The kernel on the transform's grid; its centre at the origin, or its first element for ``full``."""
    point, kernel = problem.point, problem.kernel
    lead = [(0, 0)] * (kernel.ndim - point.ndim)
    widths = [(0, n - k) for n, k in zip(fft_lengths(problem), point.kernel, strict=True)]
    origin = [0 if point.mode == "full" else -(k // 2) for k in point.kernel]
    return np.roll(np.pad(kernel, lead + widths), origin, problem.axes)


def by_filtering(problem: Problem, filtered: Callable[..., Any], spectrum: Any, x: Any, y: Any) -> Callable[[], Any]:
    """The point's operation from ``filtered(array, spectrum, shape)``; the gram takes one pair of transforms."""
    point = problem.point
    conjugate = spectrum.conj()
    if point.operation == "forward":
        return lambda: filtered(x, spectrum, point.out_shape)
    if point.operation == "adjoint":
        return lambda: filtered(y, conjugate, point.shape)
    power = spectrum * conjugate
    return lambda: filtered(x, power, point.shape)
