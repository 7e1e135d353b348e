"""DeepInverse's `Blur`, direct and by transforms, and `BlurFFT`, on all cores."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch

from ..machine import cores
from ..problem import Problem
from .windows import product

torch.set_num_threads(cores())


class _Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for torchvision, which DeepInverse imports for its data sets alone.

    torchvision's wheels need the CUDA build of torch, several gigabytes that no blur uses.
    """

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.split(".")[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> Any:
        module: Any = MagicMock(name=spec.name)
        module.__spec__, module.__path__ = spec, []
        return module

    def exec_module(self, module: Any) -> None:
        pass


if importlib.util.find_spec("torchvision") is None:
    sys.meta_path.append(_Absent())

import deepinv.physics  # noqa: E402

PADDINGS = {"zero": "constant", "wrap": "circular"}


def _tensor(problem: Problem, array: np.ndarray) -> torch.Tensor:
    """As (examples, 1, ...)."""
    lead = () if array.ndim > problem.point.ndim else (1,)
    return torch.from_numpy(array.reshape(*lead, *array.shape)).unsqueeze(1)


def _applied(problem: Problem, physics: Any) -> Callable[[], Any]:
    x, y = _tensor(problem, problem.x), _tensor(problem, problem.y)
    run = product(problem, physics.A, physics.A_adjoint, x, y)

    def quiet() -> np.ndarray:
        with torch.no_grad():
            return run().numpy()

    return quiet


def blur(problem: Problem) -> Callable[[], Any]:
    """`deepinv.physics.Blur` by a direct sum."""
    return _blur(problem, use_fft=False)


def blur_by_fft(problem: Problem) -> Callable[[], Any]:
    """`deepinv.physics.Blur` by transforms."""
    return _blur(problem, use_fft=True)


def _blur(problem: Problem, use_fft: bool) -> Callable[[], Any]:
    kernel = _tensor(problem, problem.kernel)
    return _applied(problem, deepinv.physics.Blur(kernel, PADDINGS[problem.point.boundary], use_fft))


def circular(problem: Problem) -> Callable[[], Any]:
    """`deepinv.physics.BlurFFT`."""
    kernel = _tensor(problem, problem.kernel)
    return _applied(problem, deepinv.physics.BlurFFT((1, *problem.point.shape), kernel))
