"""JAX: `lax.conv_general_dilated` at full precision, `jax.scipy.signal.convolve` and `fftconvolve`, all jitted."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.signal
import numpy as np
from jax import lax

from ..problem import PADDING, Problem
from .stacked import stacked
from .windows import by_convolving

Convolve = Callable[[Any, Any, Any], Any]


def _extend(problem: Problem) -> Callable[[Any], Any]:
    return lambda x: jnp.pad(x, problem.pad_widths(x), mode=PADDING[problem.point.boundary])


def _ready(function: Callable[..., Any], *arrays: Any) -> Callable[[], Any]:
    """Jit a function of its arrays; wait for its result."""
    jitted = jax.jit(function)
    return lambda: jax.block_until_ready(jitted(*arrays))


def _transposed(forward: Callable[[Any], Any], problem: Problem) -> Callable[[Any], Any]:
    """The adjoint of a linear function of the signal, by transposition."""
    like = jax.ShapeDtypeStruct(problem.x.shape, problem.x.dtype)
    transpose = jax.linear_transpose(forward, like)
    return lambda y: transpose(y)[0]


def _convolving(problem: Problem, convolve: Convolve) -> Callable[[], Any]:
    forward, adjoint = by_convolving(problem, convolve, _extend(problem), jnp.asarray)
    if problem.point.boundary == "symmetric":
        adjoint = _transposed(forward, problem)
    x, y = jnp.asarray(problem.x), jnp.asarray(problem.y)
    if problem.point.operation == "kernel_gradient":
        return _gradient(lambda k, x: convolve(x, k, "same"), jnp.asarray(problem.kernel), x, y)
    return _product(problem, forward, adjoint, x, y)


def _product(problem: Problem, forward: Any, adjoint: Any, x: Any, y: Any) -> Callable[[], Any]:
    """The point's operation, jitted as one; its input is an argument, lest XLA takes it for a constant."""
    if problem.point.operation == "adjoint":
        return _ready(adjoint, y)
    return _ready(forward if problem.point.operation == "forward" else lambda x: adjoint(forward(x)), x)


def _gradient(convolve: Callable[[Any, Any], Any], kernel: Any, x: Any, y: Any) -> Callable[[], Any]:
    """Gradient of 1/2 norm(A(k) x - y)^2 with respect to k."""
    return _ready(jax.grad(lambda k, x, y: 0.5 * jnp.sum((convolve(k, x) - y) ** 2)), kernel, x, y)


def by_direct(problem: Problem) -> Callable[[], Any]:
    """`jax.scipy.signal.convolve`: always a direct sum."""
    return _convolving(problem, lambda x, k, mode: jax.scipy.signal.convolve(x, k, mode, precision="highest"))


def by_fft(problem: Problem) -> Callable[[], Any]:
    """`jax.scipy.signal.fftconvolve`, mapped over the examples of a batch."""

    def convolve(x: jax.Array, k: jax.Array, mode: Any) -> jax.Array:
        if problem.point.layout == "batch":
            return jax.vmap(lambda one: jax.scipy.signal.fftconvolve(one, k[0], mode))(x)
        return jax.scipy.signal.fftconvolve(x, k, mode)

    return _convolving(problem, convolve)


def by_lax(problem: Problem) -> Callable[[], Any]:
    """`lax.conv_general_dilated` with ``precision=HIGHEST``; the adjoint with the flipped kernel, or transposed."""
    how, boundary = stacked(problem), problem.point.boundary
    weight, adjoint_weight = jnp.asarray(how.weight), jnp.asarray(how.adjoint_weight)
    strides = (1,) * how.ndim

    def correlate(x: jax.Array, weight: jax.Array, padding: tuple[int, ...]) -> jax.Array:
        if boundary != "zero":
            x, padding = _extend(problem)(x), (0,) * how.ndim
        return lax.conv_general_dilated(
            x,
            weight,
            strides,
            [(p, p) for p in padding],
            feature_group_count=how.groups,
            precision=lax.Precision.HIGHEST,
        )

    x, y = jnp.asarray(how.x), jnp.asarray(how.y)
    if problem.point.operation == "kernel_gradient":
        run = _gradient(lambda w, x: correlate(x, w, how.padding), weight, x, y)
        return lambda: np.flip(run()[0, 0])
    like = jax.ShapeDtypeStruct(x.shape, x.dtype)

    def forward(x: jax.Array) -> jax.Array:
        return correlate(x, weight, how.padding)

    def adjoint(y: jax.Array) -> jax.Array:
        if boundary == "symmetric":
            return jax.linear_transpose(forward, like)(y)[0]
        return correlate(y, adjoint_weight, how.adjoint_padding)

    run = _product(problem, forward, adjoint, x, y)
    return lambda: how.restored(run())
