"""What is timed of convops: the operator that `auto` builds, the one of every engine, and what building costs."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import convops as co
from convops.operators.engines import ENGINES

from .grid import Point
from .problem import Problem
from .registry import XLA_IN_3D

AUTO = "convops"
FORWARD = "convops forward"
KERNEL_OPERATOR = "convops kernel_operator"
MOST_TAPS = {"stencil": 400}  # non-zero taps: beyond them a sum takes seconds to compile, and is not the best
MOST_WORK = {"stencil": 2e10, "xla": 2e8}  # beyond it an engine takes seconds, and is not the best


@dataclasses.dataclass(frozen=True)
class Built:
    """A function to time, the engine behind it, and what it took to make it, in seconds."""

    run: Callable[[], Any]
    engine: str
    construct: float
    compile: float


def precision(point: Point) -> contextlib.AbstractContextManager[Any]:
    """Double precision for the points that ask for it."""
    return jax.enable_x64(True) if point.dtype == "float64" else contextlib.nullcontext()


def engines(point: Point, kernel: np.ndarray, patience: float = 1.0) -> list[str]:
    """The engines that are asked for at a point."""
    most = MOST_WORK | ({"xla": XLA_IN_3D} if point.ndim == 3 else {})
    taps = np.count_nonzero(kernel) if point.layout != "kernels" else math.prod(point.kernel)
    return [
        name
        for name in ENGINES
        if taps <= MOST_TAPS.get(name, math.inf) and point.work <= patience * most.get(name, math.inf)
    ]


def build(problem: Problem, method: str = "auto", operation: str = "") -> Built:
    """The point's operation with an engine; raises ValueError where the engine cannot do it."""
    operation = operation or problem.point.operation
    if operation == "kernel_gradient":
        return _gradient(problem, method)
    operator, construct = _timed(lambda: _operator(problem, method))
    engine = getattr(getattr(operator, "op", operator), "method", "")
    if operation == "gram":
        operator, more = _timed(operator.gram)
        construct += more
        engine = getattr(operator, "method", engine)
    if operation == "adjoint":
        return _built(lambda A, y: A.rmatvec(y), (operator, jnp.asarray(problem.y)), engine, construct)
    return _built(lambda A, x: A.matvec(x), (operator, jnp.asarray(problem.x)), engine, construct)


def build_kernel_operator(problem: Problem) -> Built:
    """The gradient with respect to the kernel from the operator that is linear in it."""
    point = problem.point
    how: dict[str, Any] = {"mode": point.mode, "boundary": point.boundary}
    operator, construct = _timed(lambda: co.kernel_operator(problem.x, point.kernel, **how))
    arrays = (operator, jnp.asarray(problem.kernel), jnp.asarray(problem.y))
    return _built(lambda K, k, y: K.rmatvec(K.matvec(k) - y), arrays, operator.method, construct)


def _operator(problem: Problem, method: str) -> Any:
    point = problem.point
    how: dict[str, Any] = {"mode": point.mode, "boundary": point.boundary, "method": method}
    if point.layout == "kernels":
        make = jax.vmap(lambda k: co.convolution(k, point.shape, **how))
        return co.batched(make(jnp.asarray(problem.kernel)))
    if point.layout == "channels":
        return co.convolution(problem.kernel, (point.count, *point.shape), channels=True, **how)
    return co.convolution(problem.kernel, point.shape, **how)


def _gradient(problem: Problem, method: str) -> Built:
    """Gradient of 1/2 norm(A(k) x - y)^2 with respect to k, through the factory."""
    point = problem.point
    engine = []

    def loss(k: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        A: Any = co.convolution(k, point.shape, mode=point.mode, boundary=point.boundary, method=method)
        engine.append(A.method)
        return 0.5 * jnp.sum((A.matvec(x) - y) ** 2)

    arrays = tuple(map(jnp.asarray, (problem.kernel, problem.x, problem.y)))
    built = _built(jax.grad(loss), arrays, "", 0.0)
    return dataclasses.replace(built, engine=engine[0])


def _timed(make: Callable[[], Any]) -> tuple[Any, float]:
    """What `make` returns, and the seconds of its second call: the first compiles what all later ones use."""
    jax.block_until_ready(jax.tree.leaves(make()))
    start = time.perf_counter()
    made = make()
    jax.block_until_ready(jax.tree.leaves(made))
    return made, time.perf_counter() - start


def _built(function: Callable[..., Any], arrays: tuple[Any, ...], engine: str, construct: float) -> Built:
    """Jit the function of an operator and an array, both arguments, and time the compilation."""
    jitted = jax.jit(function)
    start = time.perf_counter()
    jitted.lower(*arrays).compile()
    compiling = time.perf_counter() - start
    return Built(lambda: jax.block_until_ready(jitted(*arrays)), engine, construct, compiling)
