"""The convolution as one operation that knows its derivatives.

The form <y, k * x> is linear in the output y, the kernel k and the signal x. Leaving one of them out gives three
bilinear maps, each other's transposes: `convolve` (k, x) -> y, `correlate` (k, y) -> x and `estimate` (x, y) -> k,
none of them conjugating. Differentiating a sum over taps itself would transpose every slice into a padded image,
which takes many times longer.
"""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Levels = tuple[tuple[bool, bool], ...]  # for each vmap, the outermost first: which operands have its axis in front


class Products:
    """The three maps of one way to compute a convolution, from functions of (a, b, window, structure)."""

    def __init__(self, name: str, convolve: Callable, correlate: Callable, estimate: Callable) -> None:
        self._name, self._functions = name, (convolve, correlate, estimate)

    @cached_property
    def _primitives(self) -> tuple[Any, Any, Any]:
        """The operations as JAX knows them, made when first needed: the import stays quick."""
        from jax.interpreters import ad

        y_of, x_of, k_of = (_primitive(f"{self._name}_{f.__name__}", f) for f in self._functions)
        ad.defbilinear(y_of, _transpose(k_of, 1, known_first=True), _transpose(x_of, 0, known_first=True))
        ad.defbilinear(x_of, _transpose(k_of, 1, known_first=False), _transpose(y_of, 0, known_first=True))
        ad.defbilinear(k_of, _transpose(x_of, 1, known_first=False), _transpose(y_of, 0, known_first=False))
        return y_of, x_of, k_of

    def convolve(self, k: jax.Array, x: jax.Array, window: Any, structure: Any) -> jax.Array:
        """Return the convolution of k and x."""
        return _bind(self._primitives[0], k, x, window, structure)

    def correlate(self, k: jax.Array, y: jax.Array, window: Any, structure: Any) -> jax.Array:
        """Return the part of <y, k * x> that x meets."""
        return _bind(self._primitives[1], k, y, window, structure)

    def estimate(self, x: jax.Array, y: jax.Array, window: Any, structure: Any) -> jax.Array:
        """Return the part of <y, k * x> that k meets."""
        return _bind(self._primitives[2], x, y, window, structure)


def _bind(primitive: Any, a: jax.Array, b: jax.Array, window: Any, structure: Any) -> jax.Array:
    """Apply to operands of one dtype; a real one acts on the real and the imaginary part of a complex one apart."""
    if jnp.iscomplexobj(a) and not jnp.iscomplexobj(b):
        return lax.complex(*(_bind(primitive, part, b, window, structure) for part in (a.real, a.imag)))
    if jnp.iscomplexobj(b) and not jnp.iscomplexobj(a):
        return lax.complex(*(_bind(primitive, a, part, window, structure) for part in (b.real, b.imag)))
    dtype = jnp.result_type(a, b)
    return primitive.bind(a.astype(dtype), b.astype(dtype), window=window, structure=structure, levels=())


def _transpose(primitive: Any, side: int, known_first: bool) -> Callable:
    """The rule that applies `primitive` to the known operand (left, 0, or right, 1) and to the cotangent."""

    def rule(cotangent: Any, left: Any, right: Any, *, levels: Levels, **options: Any) -> Any:
        known = (left, right)[side]
        pairs = [(level[side], True) for level in levels]
        operands = (known, cotangent) if known_first else (cotangent, known)
        pairs = pairs if known_first else [pair[::-1] for pair in pairs]
        found = primitive.bind(*operands, levels=tuple(pairs), **options)
        shared = tuple(i for i, level in enumerate(levels) if not level[1 - side])
        return jnp.sum(found, shared) if shared else found

    return rule


def _primitive(name: str, function: Callable) -> Any:
    from jax.extend.core import Primitive
    from jax.interpreters import batching, mlir

    primitive = Primitive(name)

    def evaluate(a: jax.Array, b: jax.Array, *, window: Any, structure: Any, levels: Levels) -> jax.Array:
        mapped = partial(function, window=window, structure=structure)
        for level in reversed(levels):
            mapped = jax.vmap(mapped, tuple(0 if has else None for has in level))
        return mapped(a, b)

    def shapes(a: Any, b: Any, **options: Any) -> Any:
        found = jax.eval_shape(partial(evaluate, **options), *(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (a, b)))
        return a.update(shape=found.shape, dtype=found.dtype)

    def batch(operands: Any, axes: Any, *, levels: Levels, **options: Any) -> tuple[jax.Array, int]:
        level = tuple(axis is not batching.not_mapped for axis in axes)
        moved = [jnp.moveaxis(x, axis, 0) if has else x for x, axis, has in zip(operands, axes, level, strict=True)]
        return primitive.bind(*moved, levels=(level, *levels), **options), 0

    primitive.def_impl(partial(jax.jit, static_argnames=("window", "structure", "levels"))(evaluate))
    primitive.def_abstract_eval(shapes)
    batching.primitive_batchers[primitive] = batch
    mlir.register_lowering(primitive, mlir.lower_fun(evaluate, multiple_results=False))
    return primitive
