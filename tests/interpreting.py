"""Run a JAX function once without compiling it for its shapes.

`jax.make_jaxpr` writes down the operations that the function would hand to XLA. Those that move or add numbers are
done here by NumPy, which has nothing to compile; every other one (FFT, scatter, ...) is executed by JAX itself.
"""

from functools import partial

import jax
import numpy as np
from jax.extend.core import Literal


def pad(x, value, padding_config):
    """lax.pad: (before, after, between) along each axis, negative ones cut."""
    shape = [
        low + high + n + max(n - 1, 0) * between
        for n, (low, high, between) in zip(x.shape, padding_config, strict=True)
    ]
    y = np.full(shape, value, x.dtype)
    target, source = [], []
    for n, size, (low, _, between) in zip(x.shape, shape, padding_config, strict=True):
        places = low + (between + 1) * np.arange(n)
        source.append(np.flatnonzero((places >= 0) & (places < size)))
        target.append(places[source[-1]])
    y[np.ix_(*target)] = x[np.ix_(*source)]
    return y


def cut(x, start_indices, limit_indices, strides):
    steps = strides or (1,) * x.ndim
    bounds = zip(start_indices, limit_indices, steps, strict=True)
    return x[tuple(slice(start, limit, step) for start, limit, step in bounds)]


def broadcast_in_dim(x, shape, broadcast_dimensions, **_):
    placed = [1] * len(shape)
    for axis, n in zip(broadcast_dimensions, np.shape(x), strict=True):
        placed[axis] = n
    return np.broadcast_to(np.reshape(x, placed), shape)


NUMPY = {
    "add": lambda x, y, **_: x + y,
    "broadcast_in_dim": broadcast_in_dim,
    "concatenate": lambda *xs, dimension: np.concatenate(xs, dimension),
    "conj": lambda x, **_: np.conj(x),
    "convert_element_type": lambda x, new_dtype, **_: np.asarray(x).astype(new_dtype),
    "mul": lambda x, y, **_: x * y,
    "neg": lambda x, **_: -x,
    "pad": pad,
    "reduce_sum": lambda x, axes, **_: np.sum(x, tuple(axes)),
    "reshape": lambda x, new_sizes, **_: np.reshape(x, new_sizes),
    "rev": lambda x, dimensions: np.flip(x, dimensions),
    "slice": cut,
    "squeeze": lambda x, dimensions: np.squeeze(x, dimensions),
    "sub": lambda x, y, **_: x - y,
    "transpose": lambda x, permutation: np.transpose(x, permutation),
}


def evaluate(jaxpr, consts, inputs):
    """The outputs of a jaxpr, operation by operation."""
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *inputs), strict=True))
    for equation in jaxpr.eqns:
        arguments = [np.asarray(v.val if isinstance(v, Literal) else values[v]) for v in equation.invars]
        outputs = operate(equation, arguments)
        values.update(zip(equation.outvars, outputs, strict=True))
    return [v.val if isinstance(v, Literal) else values[v] for v in jaxpr.outvars]


def operate(equation, arguments):
    primitive, params = equation.primitive, equation.params
    if primitive.name in ("jit", "pjit"):
        inner = params["jaxpr"]
        return evaluate(inner.jaxpr, inner.consts, arguments)
    if primitive.name == "optimization_barrier":
        return arguments
    if primitive.name.startswith("stencil_"):  # the package's own operation: what it does, one by one
        inner = jax.make_jaxpr(partial(primitive.impl.__wrapped__, **params))(*arguments)
        return evaluate(inner.jaxpr, inner.consts, arguments)
    if primitive.name in NUMPY:
        output = np.asarray(NUMPY[primitive.name](*arguments, **params))
        promised = equation.outvars[0].aval
        assert (output.shape, output.dtype) == (promised.shape, promised.dtype), equation
        return [output]
    outputs = primitive.bind(*arguments, **params)
    return outputs if primitive.multiple_results else [outputs]


def interpreted(function, *inputs):
    """`function(*inputs)`, a tuple of arrays, as NumPy arrays."""
    closed = jax.make_jaxpr(function)(*inputs)
    as_jax_has_them = [np.asarray(x, v.aval.dtype) for x, v in zip(inputs, closed.jaxpr.invars, strict=True)]
    return [np.asarray(y) for y in evaluate(closed.jaxpr, closed.consts, as_jax_has_them)]
