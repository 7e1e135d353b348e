"""PyTorch on all cores: `conv1d` to `conv3d`, their transposes, and transforms (MKL's) with the spectrum kept."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..machine import cores
from ..problem import Problem
from .stacked import Stacked, stacked
from .transforms import by_filtering, fft_lengths, padded_kernel
from .windows import product

torch.set_num_threads(cores())

CONVOLVE: dict[int, Any] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSE: dict[int, Any] = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def convolution(problem: Problem) -> Callable[[], Any]:
    """`conv1d`, `conv2d` or `conv3d`; the adjoint with the flipped kernel, the gradient by autograd."""
    how, convolve = stacked(problem), CONVOLVE[problem.point.ndim]
    weight, adjoint_weight = torch.from_numpy(how.weight), torch.from_numpy(how.adjoint_weight)
    extend = [width for width in reversed(problem.widths) for _ in range(2)]

    def correlate(x: torch.Tensor, weight: torch.Tensor, padding: tuple[int, ...]) -> torch.Tensor:
        if problem.point.boundary == "wrap":
            return convolve(F.pad(x, extend, mode="circular"), weight, groups=how.groups)
        return convolve(x, weight, padding=padding, groups=how.groups)

    if problem.point.operation == "kernel_gradient":
        return _gradient(how, correlate)
    run = product(
        problem,
        lambda x: correlate(x, weight, how.padding),
        lambda y: correlate(y, adjoint_weight, how.adjoint_padding),
        torch.from_numpy(how.x),
        torch.from_numpy(how.y),
    )
    return _quietly(run, how)


def transposed(problem: Problem) -> Callable[[], Any]:
    """`conv_transpose1d`, `conv_transpose2d` or `conv_transpose3d`: the adjoint of the above."""
    how, transpose = stacked(problem), TRANSPOSE[problem.point.ndim]
    weight, y = torch.from_numpy(how.weight), torch.from_numpy(how.y)
    return _quietly(lambda: transpose(y, weight, padding=how.padding, groups=how.groups), how)


def spectrum(problem: Problem) -> Callable[[], Any]:
    """`torch.fft` with the kernel's transform made beforehand."""
    lengths, axes = fft_lengths(problem), problem.axes
    kept = torch.fft.rfftn(torch.from_numpy(padded_kernel(problem)), dim=axes)

    def filtered(array: torch.Tensor, factor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        transform = torch.fft.rfftn(array, lengths, axes).mul_(factor)
        return torch.fft.irfftn(transform, lengths, axes)[(..., *(slice(n) for n in shape))]

    x, y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
    return _quietly(by_filtering(problem, filtered, kept.resolve_conj(), x, y), None)


def _gradient(how: Stacked, correlate: Callable[..., torch.Tensor]) -> Callable[[], Any]:
    """Gradient of 1/2 norm(A(k) x - y)^2; the weight is the flipped kernel, and so is its gradient."""
    x, y = torch.from_numpy(how.x), torch.from_numpy(how.y)
    weight = torch.from_numpy(how.weight).requires_grad_()

    def run() -> np.ndarray:
        loss = 0.5 * ((correlate(x, weight, how.padding) - y) ** 2).sum()
        (gradient,) = torch.autograd.grad(loss, weight)
        return gradient.flip(tuple(range(-how.ndim, 0))).numpy()[0, 0]

    return run


def _quietly(run: Callable[[], torch.Tensor], how: Stacked | None) -> Callable[[], Any]:
    """Run without recording for autograd; the result in the problem's layout."""

    def quiet() -> np.ndarray:
        with torch.inference_mode():
            found = run().numpy()
        return found if how is None else how.restored(found)

    return quiet
