"""SCICO's `Convolve` and `CircularConvolve`, jitted as they are by default."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import scico.linop

from ..problem import Problem
from .windows import kernel_beside


def _applied(problem: Problem, A: Any) -> Callable[[], Any]:
    x, y = jnp.asarray(problem.x), jnp.asarray(problem.y)
    operation = problem.point.operation
    if operation == "forward":
        return lambda: jax.block_until_ready(A(x))
    if operation == "adjoint":
        return lambda: jax.block_until_ready(A.adj(y))
    return lambda: jax.block_until_ready(A.gram(x))


def direct(problem: Problem) -> Callable[[], Any]:
    """`scico.linop.Convolve`: a direct sum."""
    kernel = jnp.asarray(kernel_beside(problem, problem.kernel))
    A = scico.linop.Convolve(kernel, problem.x.shape, input_dtype=problem.x.dtype, mode=problem.point.mode)
    return _applied(problem, A)


def circular(problem: Problem) -> Callable[[], Any]:
    """`scico.linop.CircularConvolve`, the kernel's centre at the origin."""
    point = problem.point
    centre = tuple(k // 2 for k in point.kernel)
    A = scico.linop.CircularConvolve(
        jnp.asarray(problem.kernel), problem.x.shape, point.ndim, problem.x.dtype, h_center=centre
    )
    return _applied(problem, A)
