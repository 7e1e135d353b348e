"""The arrays of a grid point, and the right answer in double precision from NumPy and SciPy alone.

Needs neither jax nor convops: the workers of other environments make the same arrays from the same point.
"""

import dataclasses
import zlib
from typing import Any

import numpy as np

from .grid import LINE, Point

PADDING: dict[str, Any] = {"zero": "constant", "wrap": "wrap", "symmetric": "symmetric"}  # numpy.pad's names


@dataclasses.dataclass(frozen=True)
class Problem:
    """A point with its arrays: ``x`` in front of the operator, ``y`` behind it.

    A batch has its examples first, channels come first in signals and as ``(out, in)`` in the kernel.
    """

    point: Point
    kernel: np.ndarray
    x: np.ndarray
    y: np.ndarray

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes that the kernel acts on."""
        return tuple(range(-self.point.ndim, 0))

    @property
    def widths(self) -> tuple[int, ...]:
        """By how much the signal is extended at each end, so that ``valid`` gives all outputs."""
        return tuple(k - 1 if self.point.mode == "full" else k // 2 for k in self.point.kernel)

    @property
    def flipped(self) -> np.ndarray:
        """The kernel of the correlation, and of the adjoint: its spatial axes flipped."""
        return np.ascontiguousarray(np.flip(self.kernel, self.axes))

    def pad_widths(self, array: np.ndarray) -> list[tuple[int, int]]:
        """Widths for numpy.pad."""
        return [(0, 0)] * (array.ndim - self.point.ndim) + [(w, w) for w in self.widths]


def make_problem(point: Point) -> Problem:
    """The arrays of a point, the same in every process."""
    rng = np.random.default_rng(zlib.crc32(point.name.encode()))
    lead = () if point.layout == "single" else (point.count,)
    kernel_lead = {"single": (), "batch": (), "kernels": lead, "channels": 2 * lead}[point.layout]
    kernel = _kernel(point, kernel_lead, rng)
    x = rng.standard_normal((*lead, *point.shape), np.float32)
    y = rng.standard_normal((*lead, *point.out_shape), np.float32)
    return Problem(point, kernel.astype(point.dtype), x.astype(point.dtype), y.astype(point.dtype))


def _kernel(point: Point, lead: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Random and of full rank, a Gaussian of rank one, or a line that is brighter at one end."""
    if point.kind == "gaussian":
        kernel = np.ones(())
        for k in point.kernel:
            offsets = np.arange(k) - k // 2
            kernel = np.multiply.outer(kernel, np.exp(-0.5 * (offsets / (k / 6)) ** 2))
    elif point.kind == "motion":
        kernel = np.zeros(point.kernel)
        steps = np.arange(LINE) - LINE // 2
        rows = np.round(steps * np.tan(np.radians(30))).astype(int) + point.kernel[0] // 2
        kernel[rows, steps + point.kernel[1] // 2] = np.linspace(1.0, 2.0, LINE)
    else:
        kernel = rng.standard_normal((*lead, *point.kernel))
    return kernel / np.abs(kernel).sum(tuple(range(-point.ndim, 0)), keepdims=True)


def reference(problem: Problem) -> np.ndarray:
    """The point's result in double precision."""
    x, y = problem.x.astype(np.float64), problem.y.astype(np.float64)
    operation = problem.point.operation
    if operation == "forward":
        return _forward(problem, x)
    if operation == "adjoint":
        return _adjoint(problem, y)
    if operation == "gram":
        return _adjoint(problem, _forward(problem, x))
    residual = _forward(problem, x) - y
    return np.flip(_fftconvolve(_extended(problem, x), np.flip(residual), "valid", problem.axes))


def _extended(problem: Problem, x: np.ndarray) -> np.ndarray:
    return np.pad(x, problem.pad_widths(x), mode=PADDING[problem.point.boundary])


def _forward(problem: Problem, x: np.ndarray) -> np.ndarray:
    """The window of the convolution of the extended signal."""
    kernel = problem.kernel.astype(np.float64)
    return _mixed(problem, _extended(problem, x), kernel, "valid")


def _adjoint(problem: Problem, y: np.ndarray) -> np.ndarray:
    """The full correlation, what lies beyond the signal's ends folded back along each axis."""
    kernel = problem.flipped.astype(np.float64)
    if problem.point.layout == "channels":
        kernel = np.swapaxes(kernel, 0, 1)
    wide = _mixed(problem, y, kernel, "full")
    for axis, n, width in zip(problem.axes, problem.point.shape, problem.widths, strict=True):
        if problem.point.boundary == "zero":
            wide = np.take(wide, np.arange(width, width + n), axis)
            continue
        places = np.pad(np.arange(n), width, mode=PADDING[problem.point.boundary])
        folded = np.zeros((n, *np.delete(wide.shape, axis)))
        np.add.at(folded, places, np.moveaxis(wide, axis, 0))
        wide = np.moveaxis(folded, 0, axis)
    return wide


def _mixed(problem: Problem, x: np.ndarray, kernel: np.ndarray, mode: str) -> np.ndarray:
    """Convolution along the kernel's axes, for every example or summed over the input channels."""
    if problem.point.layout == "channels":
        taps = problem.point.kernel
        if mode == "full":
            x = np.pad(x, [(0, 0)] + [(k - 1, k - 1) for k in taps])
        counts = [n - k + 1 for n, k in zip(x.shape[1:], taps, strict=True)]
        y = np.zeros((len(kernel), *counts))
        for place in np.ndindex(*taps):
            starts = [k - 1 - p for k, p in zip(taps, place, strict=True)]
            window = x[(slice(None), *(slice(s, s + c) for s, c in zip(starts, counts, strict=True)))]
            y += np.tensordot(kernel[(slice(None), slice(None), *place)], window, 1)
        return y
    lead = x.ndim - problem.point.ndim
    kernel = kernel if problem.point.layout == "kernels" else kernel[(None,) * lead]
    return _fftconvolve(x, kernel, mode, problem.axes)


def _fftconvolve(x: np.ndarray, kernel: np.ndarray, mode: str, axes: tuple[int, ...]) -> np.ndarray:
    from scipy.signal import fftconvolve  # here: the cold starts of others are not to pay for it

    return fftconvolve(x, kernel, mode, axes=axes)
