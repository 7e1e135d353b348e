"""What is known of a kernel before anything is computed: its shape always, its numbers where they are concrete."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import cosine
from ..arrays import traced
from ..window import Window

Taps = tuple[tuple[int, ...], ...]
SPARSE = 2  # taps are called few where they are at most one in so many
LOW_RANK = 8  # more separable terms than this are not looked for


class Unsuitable(ValueError):
    """An engine cannot compute what is asked for; the text says why."""


@dataclass(frozen=True, eq=False)
class Facts:
    """A kernel as the engines see it; ``numbers`` is None where it is traced, and then only shapes decide."""

    window: Window
    dtype: np.dtype
    channels: tuple[int, int] | None
    numbers: np.ndarray | None
    carried: int = 1

    @property
    def complex(self) -> bool:
        """Whether the kernel is complex."""
        return np.issubdtype(self.dtype, np.complexfloating)

    @property
    def mixed(self) -> tuple[int, int]:
        """Number of channels in and out."""
        return (self.channels[1], self.channels[0]) if self.channels else (1, 1)

    @property
    def width(self) -> float:
        """Size of a real number, relative to single precision."""
        return self.itemsize / 4

    @property
    def itemsize(self) -> int:
        """Bytes of a real number, as it is computed."""
        return np.finfo(np.promote_types(self.dtype, np.float32)).dtype.itemsize

    @property
    def planes(self) -> int:
        """Real arrays that a signal of the kernel's dtype takes: 2 where it is complex."""
        return 2 if self.complex else 1

    @property
    def size(self) -> int:
        """Number of taps."""
        return math.prod(self.window.kernel)

    @cached_property
    def taps(self) -> Taps | None:
        """The places of the non-zero taps where they are few; None stands for all."""
        if self.numbers is None:
            return None
        lead = tuple(range(self.numbers.ndim - self.window.ndim))
        places = np.argwhere((self.numbers != 0).any(lead))
        if len(places) == 0:
            return ((0,) * self.window.ndim,)  # a kernel of zeros: one tap that adds nothing
        if SPARSE * len(places) > self.size:
            return None
        return tuple(tuple(map(int, place)) for place in places)

    @cached_property
    def terms(self) -> list[list[np.ndarray]] | None:
        """The kernel as a short sum of outer products of one array an axis, exact to rounding; None where it is not."""
        if self.numbers is None or self.channels is not None or self.window.ndim == 1:
            return None
        found = factorised(self.numbers.astype(np.result_type(self.numbers, np.float64)), self.rounding, LOW_RANK)
        return found if found and len(found) <= LOW_RANK else None

    @property
    def rounding(self) -> float:
        """Relative rounding error of the kernel's dtype."""
        return float(np.finfo(np.promote_types(self.dtype, np.float32)).eps)

    @cached_property
    def even(self) -> bool:
        """Whether the kernel is known to be symmetric about its origin along every axis, to rounding."""
        if self.numbers is None or self.channels is not None:
            return False
        return cosine.even(self.numbers, self.window.origin)


def facts_of(kernel: Any, window: Window, carried: int = 1) -> Facts:
    """Look at a kernel; `carried` is the number of signals that the axes it does not act on hold."""
    channels = tuple(kernel.shape[:2]) if kernel.ndim > window.ndim else None
    numbers = None if traced(kernel) else np.asarray(kernel)
    return Facts(window, np.dtype(kernel.dtype), channels, numbers, carried)


def factorised(kernel: np.ndarray, tolerance: float, most: int) -> list[list[np.ndarray]] | None:
    """Write a kernel as a sum of outer products, dropping at most `tolerance` of its Frobenius norm at each split."""
    if kernel.ndim == 1:
        return [[kernel]]
    matrix = kernel.reshape(kernel.shape[0], -1)
    if not np.all(np.isfinite(matrix)) or not _nearly_low_rank(matrix, 1e3 * tolerance, most):
        return None
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    tails = np.sqrt(np.cumsum(values[::-1] ** 2)[::-1])
    rank = max(int(np.sum(tails > tolerance * tails[0])), 1)
    terms = []
    for u, s, v in zip(left.T[:rank], values, right, strict=False):
        rest = factorised(np.sqrt(s) * v.reshape(kernel.shape[1:]), tolerance, most)
        if rest is None:
            return None
        terms += [[np.sqrt(s) * u, *term] for term in rest]
    return terms


def _nearly_low_rank(matrix: np.ndarray, tolerance: float, most: int) -> bool:
    """Whether a few steps of Gaussian elimination with full pivoting leave nothing: a test without an SVD."""
    if min(matrix.shape) <= most:
        return True
    rest, enough = matrix.copy(), tolerance * np.linalg.norm(matrix)
    for _ in range(most):
        if np.linalg.norm(rest) <= enough:
            return True
        i, j = np.unravel_index(np.argmax(np.abs(rest)), rest.shape)
        rest -= np.outer(rest[:, j], rest[i]) / rest[i, j]
    return bool(np.linalg.norm(rest) <= enough)
