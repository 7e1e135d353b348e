"""OpenCV: `filter2D` and `sepFilter2D` on all cores, into an array made beforehand; a signal is an image of one row."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..machine import cores
from ..problem import Problem
from .windows import product

cv2.setNumThreads(cores())

BORDERS = {"zero": cv2.BORDER_CONSTANT, "symmetric": cv2.BORDER_REFLECT}


def _images(problem: Problem, apply: Callable[[Any, Any, int], Any]) -> Callable[[], Any]:
    """Apply ``apply(image, result, example)`` to one image or to each of a batch."""
    rows = (1,) * (2 - problem.point.ndim)
    result = np.empty_like(problem.y)
    single = problem.point.layout == "single"

    def run(x: np.ndarray) -> np.ndarray:
        images = x.reshape(*x.shape[: x.ndim - problem.point.ndim], *rows, *x.shape[x.ndim - problem.point.ndim :])
        results = result.reshape(images.shape)
        if single:
            apply(images, results, 0)
        else:
            for example, (image, place) in enumerate(zip(images, results, strict=True)):
                apply(image, place, example)
        return result

    return product(problem, run, run, problem.x, problem.y)


def dense(problem: Problem) -> Callable[[], Any]:
    """`cv2.filter2D`: a correlation, so the kernel is flipped for the convolution and as it is for the adjoint."""
    border = BORDERS[problem.point.boundary]
    kernel = problem.kernel if problem.point.operation == "adjoint" else problem.flipped
    kernel = np.ascontiguousarray(kernel).reshape(-1, *(1,) * (2 - problem.point.ndim), *problem.point.kernel)
    last = len(kernel) - 1

    def apply(image: np.ndarray, result: np.ndarray, example: int) -> None:
        cv2.filter2D(image, -1, kernel[min(example, last)], dst=result, borderType=border)

    return _images(problem, apply)


def separable(problem: Problem) -> Callable[[], Any]:
    """`cv2.sepFilter2D` with the two factors of a kernel of rank one."""
    border = BORDERS[problem.point.boundary]
    u, s, vt = np.linalg.svd(problem.flipped.astype(np.float64))
    column = (u[:, 0] * s[0]).astype(problem.kernel.dtype)
    row = vt[0].astype(problem.kernel.dtype)

    def apply(image: np.ndarray, result: np.ndarray, example: int) -> None:
        cv2.sepFilter2D(image, -1, row, column, dst=result, borderType=border)

    return _images(problem, apply)
