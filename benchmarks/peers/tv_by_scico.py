"""SCICO's ADMM for total variation, of data, kernel, weight, penalty parameter and number of steps."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from scico import functional, linop, loss
from scico.optimize.admm import ADMM, CircularConvolveSolver

from .serving import Solve, serve


def prepare(given: Mapping[str, np.ndarray]) -> Solve:
    """What solves the problem anew."""
    b, kernel = jnp.asarray(given["b"]), jnp.asarray(given["kernel"])
    A = linop.CircularConvolve(kernel, b.shape, b.ndim, b.dtype)
    C = linop.FiniteDifference(b.shape, input_dtype=b.dtype, circular=True)
    misfit, start = loss.SquaredL2Loss(y=b, A=A), A.adj(b)
    return lambda: ADMM(
        f=misfit,
        g_list=[float(given["weight"]) * functional.L21Norm()],
        C_list=[C],
        rho_list=[float(given["rho"])],
        x0=start,
        maxiter=int(given["steps"]),
        subproblem_solver=CircularConvolveSolver(),
    ).solve()


if __name__ == "__main__":
    serve(prepare)
