"""Operators made of a package's convolution function, as its users make them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..problem import Problem


def kernel_beside(problem: Problem, kernel: np.ndarray) -> np.ndarray:
    """The kernel with as many axes as the signal."""
    lead = problem.x.ndim - problem.point.ndim
    return kernel if kernel.ndim == problem.x.ndim else kernel[(None,) * lead]


def product(problem: Problem, forward: Callable[[Any], Any], adjoint: Callable[[Any], Any], x: Any, y: Any) -> Any:
    """The point's operation from the two products; ``x`` and ``y`` are the problem's arrays as the package has them."""
    operation = problem.point.operation
    if operation == "forward":
        return lambda: forward(x)
    if operation == "adjoint":
        return lambda: adjoint(y)
    return lambda: adjoint(forward(x))


def by_convolving(
    problem: Problem,
    convolve: Callable[[Any, Any, str], Any],
    extend: Callable[[Any], Any],
    wrapped: Callable[..., Any],
) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Forward and adjoint from ``convolve(signal, kernel, mode)``; odd kernels only, so the adjoint is a flip.

    ``extend`` extends a signal by the boundary, ``wrapped`` makes an array of the package from one of NumPy's.
    """
    point = problem.point
    kernel, flipped = (wrapped(kernel_beside(problem, k)) for k in (problem.kernel, problem.flipped))
    if point.boundary != "zero":
        return lambda x: convolve(extend(x), kernel, "valid"), lambda y: convolve(extend(y), flipped, "valid")
    if point.mode == "full":
        return lambda x: convolve(x, kernel, "full"), lambda y: convolve(y, flipped, "valid")
    return lambda x: convolve(x, kernel, "same"), lambda y: convolve(y, flipped, "same")
