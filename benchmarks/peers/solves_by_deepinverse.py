"""DeepInverse's conjugate gradients for least squares, zeros around the data, by transforms or a direct sum."""

from collections.abc import Mapping

import numpy as np
import torch

from .by_deepinverse import deepinv
from .serving import Solve, serve


def prepare(given: Mapping[str, np.ndarray]) -> Solve:
    """`conjugate_gradient` on (A^T A + weight D^T D) x = A^T b, to a tolerance or for a number of steps."""
    b, kernel = (torch.from_numpy(given[name])[None, None] for name in ("b", "kernel"))
    physics = deepinv.physics.Blur(kernel, "constant", use_fft=True)
    weight, rtol, steps = float(given["weight"]), float(given["rtol"]), int(given["steps"])

    def normal(x: torch.Tensor) -> torch.Tensor:
        y = physics.A_adjoint(physics.A(x))
        return y + weight * rough(x) if weight else y

    def solve() -> np.ndarray:
        with torch.no_grad():
            rhs = physics.A_adjoint(b)
            return deepinv.optim.linear.conjugate_gradient(normal, rhs, max_iter=steps, tol=rtol).numpy()

    return solve


def rough(x: torch.Tensor) -> torch.Tensor:
    """D^T D x of the forward differences, the last of which is zero."""
    out = torch.zeros_like(x)
    for axis in (-2, -1):
        d = torch.diff(x, dim=axis)
        n = d.shape[axis]
        out.narrow(axis, 1, n).add_(d)
        out.narrow(axis, 0, n).sub_(d)
    return out


if __name__ == "__main__":
    serve(prepare)
