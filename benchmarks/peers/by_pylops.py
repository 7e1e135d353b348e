"""PyLops with its NumPy engine: `Convolve1D`, `Convolve2D` and `ConvolveND`."""

from collections.abc import Callable
from typing import Any

import pylops.signalprocessing

from ..problem import Problem
from .windows import product


def _applied(problem: Problem, make: Callable[..., Any], offset: Any, **axes: Any) -> Callable[[], Any]:
    A = make(problem.x.shape, problem.kernel, offset=offset, dtype=problem.point.dtype, **axes)
    return product(problem, A.matvec, A.rmatvec, problem.x.ravel(), problem.y.ravel())


def _offset(problem: Problem) -> tuple[int, ...]:
    return tuple(k // 2 for k in problem.point.kernel)


def convolve_1d(problem: Problem) -> Callable[[], Any]:
    """`Convolve1D`, its method as it chooses."""
    return _applied(problem, pylops.signalprocessing.Convolve1D, _offset(problem)[0], axis=-1)


def convolve_2d(problem: Problem) -> Callable[[], Any]:
    """`Convolve2D`, by transforms."""
    return _applied(problem, pylops.signalprocessing.Convolve2D, _offset(problem), axes=problem.axes)


def convolve_3d(problem: Problem) -> Callable[[], Any]:
    """`ConvolveND`, by transforms."""
    return _applied(problem, pylops.signalprocessing.ConvolveND, _offset(problem), axes=problem.axes)
