"""A problem as neural-network libraries want it: (examples, channels, ...), and a correlation with groups."""

import dataclasses

import numpy as np

from ..problem import Problem


@dataclasses.dataclass(frozen=True)
class Stacked:
    """Signals (examples, channels, ...), weights (out, in a group, ...) of a correlation, and its padding."""

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    adjoint_weight: np.ndarray
    padding: tuple[int, ...]
    adjoint_padding: tuple[int, ...]
    groups: int
    ndim: int
    layout: str

    def restored(self, result: np.ndarray) -> np.ndarray:
        """A result in the problem's layout; ``result`` may be any array with NumPy's indexing."""
        if self.layout == "single":
            return result[0, 0]
        return result[:, 0] if self.layout == "batch" else result[0]


def stacked(problem: Problem) -> Stacked:
    """The problem's arrays for a library of neural networks; per-example kernels become groups."""
    point = problem.point
    flipped, kernel = problem.flipped, problem.kernel
    if point.layout in ("single", "batch"):
        flipped, kernel = flipped[None, None], kernel[None, None]
    elif point.layout == "kernels":
        flipped, kernel = flipped[:, None], kernel[:, None]
    else:
        kernel = np.swapaxes(kernel, 0, 1)
    lead = {"single": (1, 1), "batch": (point.count, 1), "kernels": (1, point.count), "channels": (1, point.count)}
    shape = lead[point.layout]
    beyond = tuple(k - 1 if point.mode == "full" else k // 2 for k in point.kernel)
    return Stacked(
        problem.x.reshape(*shape, *point.shape),
        problem.y.reshape(*shape, *point.out_shape),
        np.ascontiguousarray(flipped),
        np.ascontiguousarray(kernel),
        beyond,
        tuple(k - 1 - b for k, b in zip(point.kernel, beyond, strict=True)),
        point.count if point.layout == "kernels" else 1,
        point.ndim,
        point.layout,
    )
