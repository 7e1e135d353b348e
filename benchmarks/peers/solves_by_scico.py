"""SCICO's conjugate gradients for least squares, zeros around the data, by transforms of the padded signal."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from scico import linop, solver

from .serving import Solve, serve


def prepare(given: Mapping[str, np.ndarray]) -> Solve:
    """`scico.solver.cg` on (A^T A + weight D^T D) x = A^T b, to a tolerance or for a number of steps."""
    b, kernel, weight = jnp.asarray(given["b"]), jnp.asarray(given["kernel"]), float(given["weight"])
    lengths = tuple(map(int, given["lengths"]))
    centre = tuple(k // 2 for k in kernel.shape)
    blur = linop.CircularConvolve(kernel, lengths, b.ndim, b.dtype, h_center=centre)
    D = linop.FiniteDifference(b.shape, input_dtype=b.dtype)
    within = tuple(map(slice, b.shape))
    widths = [(0, n - size) for n, size in zip(lengths, b.shape, strict=True)]

    def normal(x: jax.Array) -> jax.Array:
        y = blur.adj(jnp.pad(blur(jnp.pad(x, widths))[within], widths))[within]
        return y + weight * D.adj(D(x)) if weight else y

    normal_op = linop.LinearOperator(b.shape, eval_fn=normal, adj_fn=normal, input_dtype=b.dtype, jit=True)
    rhs, rtol, steps = blur.adj(jnp.pad(b, widths))[within], float(given["rtol"]), int(given["steps"])
    return lambda: solver.cg(normal_op, rhs, tol=rtol, maxiter=steps, info=False)


if __name__ == "__main__":
    serve(prepare)
