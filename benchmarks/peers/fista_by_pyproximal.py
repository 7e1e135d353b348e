"""PyProximal's accelerated proximal gradient with FISTA's momentum, on PyLops' operators; it evaluates no objective."""

from collections.abc import Mapping

import numpy as np
import pyproximal
from pylops.signalprocessing import DWT2D
from pyproximal.optimization.primal import ProximalGradient

from .fista_by_pylops import blur
from .serving import Solve


class Misfit(pyproximal.L2):
    """Squares, in single precision: the momentum, a double number, makes the iterates double."""

    def grad(self, x: np.ndarray) -> np.ndarray:
        return super().grad(x.astype(np.float32))


class Sparsity(pyproximal.Orthogonal):
    """Absolute values of orthonormal coefficients, in single precision."""

    def prox(self, x: np.ndarray, tau: float) -> np.ndarray:
        return super().prox(x.astype(np.float32), tau)


def prepare(given: Mapping[str, np.ndarray]) -> Solve:
    """`ProximalGradient` of a step, a weight and a number of steps."""
    b, step, steps = given["b"], float(given["step"]), int(given["steps"])
    W = DWT2D(b.shape, wavelet="haar", level=int(given["levels"]), dtype="float32")
    f = Misfit(Op=blur(given["kernel"], b.shape), b=b.ravel())
    g = Sparsity(pyproximal.L1(float(given["weight"])), W)
    start = np.zeros(b.size, np.float32)
    return lambda: ProximalGradient(f, g, start, tau=step, niter=steps, acceleration="fista")
