"""SCICO's ADMM for total variation, in a process of its own: ``python -m benchmarks.peers.tv_by_scico FILE``.

The file holds data, kernel, weight, penalty parameter and number of steps. For every line of the standard input it
solves, saves x beside the file and answers with an empty line.
"""

import sys

import jax.numpy as jnp
import numpy as np
from scico import functional, linop, loss
from scico.optimize.admm import ADMM, CircularConvolveSolver


def main(path: str) -> None:
    """Solve as often as asked to."""
    given = np.load(path)
    b, kernel = jnp.asarray(given["b"]), jnp.asarray(given["kernel"])
    A = linop.CircularConvolve(kernel, b.shape, b.ndim, b.dtype)
    C = linop.FiniteDifference(b.shape, input_dtype=b.dtype, circular=True)
    misfit, start = loss.SquaredL2Loss(y=b, A=A), A.adj(b)
    for _ in sys.stdin:
        solver = ADMM(
            f=misfit,
            g_list=[float(given["weight"]) * functional.L21Norm()],
            C_list=[C],
            rho_list=[float(given["rho"])],
            x0=start,
            maxiter=int(given["steps"]),
            subproblem_solver=CircularConvolveSolver(),
        )
        np.save(f"{path}.x.npy", np.asarray(solver.solve()))
        print(flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
