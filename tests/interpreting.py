"""Run a JAX function without compiling it for its shapes.

Under the trace `Numbers`, each operation that the function would hand to XLA is done at once. Those that move or add
numbers are done by NumPy, which has nothing to compile; every other one (FFT, scatter, ...) is executed by JAX itself.
The function sees tracers, as under `jax.jit`. `test_interpreting.py` compares with compiled programs.
"""

from functools import lru_cache

import jax
import numpy as np
from jax.core import ShapedArray, Trace, Tracer
from jax.extend.core import set_current_trace


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


def dynamic_update_slice(x, part, *start):
    y = np.array(x)
    begins = [int(np.clip(b, 0, n - k)) for b, n, k in zip(start, x.shape, part.shape, strict=True)]
    y[tuple(slice(b, b + k) for b, k in zip(begins, part.shape, strict=True))] = part
    return y


NUMPY = {
    "add": lambda x, y, **_: x + y,
    "broadcast_in_dim": broadcast_in_dim,
    "concatenate": lambda *xs, dimension: np.concatenate(xs, dimension),
    "conj": lambda x, **_: np.conj(x),
    "convert_element_type": lambda x, new_dtype, **_: np.asarray(x).astype(jax.dtypes.canonicalize_dtype(new_dtype)),
    "dynamic_update_slice": dynamic_update_slice,
    "lt": lambda x, y: x < y,
    "mul": lambda x, y, **_: x * y,
    "neg": lambda x, **_: -x,
    "pad": pad,
    "reduce_sum": lambda x, axes, **_: np.sum(x, tuple(axes)),
    "reshape": lambda x, new_sizes, **_: np.reshape(x, new_sizes),
    "rev": lambda x, dimensions: np.flip(x, dimensions),
    "select_n": lambda which, *cases: np.choose(which, cases),
    "slice": cut,
    "squeeze": lambda x, dimensions: np.squeeze(x, dimensions),
    "sub": lambda x, y, **_: x - y,
    "transpose": lambda x, permutation: np.transpose(x, permutation),
}


described = lru_cache(4096)(ShapedArray)


class Number(Tracer):
    """An array that is known, to JAX a traced one; what takes no promotion is done without asking JAX."""

    __slots__ = ("value",)

    def __init__(self, trace, value, weak_type=False):
        super().__init__(trace, described(value.shape, value.dtype, weak_type))
        self.value = value

    def _like(self, other):
        return isinstance(other, Number) and self.aval is other.aval and not self.weak_type

    def __add__(self, other):
        return (
            Number(self._trace, np.asarray(self.value + other.value)) if self._like(other) else super().__add__(other)
        )

    def __mul__(self, other):
        if self._like(other) or (isinstance(other, Number) and described((), other.dtype, False) is self.aval):
            return Number(self._trace, np.asarray(self.value * other.value))
        return super().__mul__(other)

    def astype(self, dtype, **options):
        same = np.dtype(dtype) == self.dtype and not self.weak_type
        return self if same else super().astype(dtype, **options)

    def __iter__(self):
        return (Number(self._trace, np.asarray(part), self.weak_type) for part in self.value)


class Numbers(Trace):
    """Every operation is done when it is met, and its result known."""

    def stage_value(self, val):
        kind = jax.typeof(val)
        return val if isinstance(val, Number) else Number(self, np.asarray(val, kind.dtype), kind.weak_type)

    def process_primitive(self, primitive, tracers, params):
        values = [x.value if isinstance(x, Number) else np.asarray(x, jax.typeof(x).dtype) for x in tracers]
        name = primitive.name
        if name in NUMPY:
            weak_type = params["weak_type"] if "weak_type" in params else all(jax.typeof(x).weak_type for x in tracers)
            return Number(self, np.asarray(NUMPY[name](*values, **params)), weak_type)
        if name == "optimization_barrier":
            return list(tracers)
        if name.startswith("stencil_"):  # the package's own operation: what it does, one by one
            with set_current_trace(self):
                return primitive.impl.__wrapped__(*tracers, **params)
        outputs = primitive.bind(*values, **params)  # within `bind` JAX computes
        if primitive.multiple_results:
            return [Number(self, np.asarray(y), y.weak_type) for y in outputs]
        return Number(self, np.asarray(outputs), outputs.weak_type)

    def process_custom_jvp_call(self, primitive, fun, jvp, tracers, **_):
        with set_current_trace(self):
            return fun.call_wrapped(*tracers)


def interpreted(function, *inputs):
    """`function(*inputs)`, a tuple of arrays, as NumPy arrays."""
    trace = Numbers()
    with jax.disable_jit(), set_current_trace(trace):
        outputs = function(*map(trace.stage_value, inputs))
    return [y.value if isinstance(y, Number) else np.asarray(y) for y in outputs]
