"""Separable convolution: k = sum_r u_r (x) v_r (x) ..., one pass along each axis for each term.

The terms come from singular value decompositions of a concrete kernel, as many as leave less than its rounding;
extension, stride and window act axis by axis, so that every mode and boundary separates with the kernel.
"""

import math
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..sums import pairwise
from ..window import Window
from . import stencil
from .facts import Facts, Unsuitable
from .work import Work

Factors = tuple[jax.Array, ...]  # one (terms, length) array an axis


class Structure(NamedTuple):
    """The number of separable terms."""

    terms: int


def plan(facts: Facts) -> Structure:
    """Count the terms of a concrete kernel; refuse one that is not a short sum of separable ones."""
    if facts.channels is not None:
        raise Unsuitable("a kernel that mixes channels is not separable")
    if facts.window.ndim == 1:
        raise Unsuitable("a kernel of one axis has nothing to separate")
    if facts.numbers is None:
        raise Unsuitable("the kernel is traced: its rank is not known")
    if facts.terms is None:
        raise Unsuitable("the kernel is not a short sum of separable ones")
    return Structure(len(facts.terms))


def prepare(kernel: jax.Array, window: Window, structure: Structure, facts: Facts) -> Factors:
    """Return the terms' factors, one array an axis, in the widest dtype that is enabled."""
    del window, structure
    assert facts.terms is not None
    complex_or_real = complex if jnp.iscomplexobj(kernel) else float
    return tuple(jnp.asarray(np.stack(axis), complex_or_real) for axis in zip(*facts.terms, strict=True))


def forward(kernel: jax.Array, data: Factors, x: jax.Array, window: Window, structure: Structure) -> jax.Array:
    """Convolve along one axis after the other, term by term."""
    return _passed(stencil.forward, _like(kernel, data, x), x, passes(window), structure)


def adjoint(kernel: jax.Array, data: Factors, y: jax.Array, window: Window, structure: Structure) -> jax.Array:
    """Correlate along one axis after the other, term by term."""
    return _passed(stencil.adjoint, _like(kernel, data, y), y, passes(window, backwards=True), structure)


def _like(kernel: jax.Array, data: Factors, x: jax.Array) -> Factors:
    """The factors with the kernel's precision, or the signal's if that is more."""
    real = jnp.finfo(jnp.result_type(kernel, x)).dtype
    return tuple(factor.astype(jnp.result_type(real, 1j) if jnp.iscomplexobj(factor) else real) for factor in data)


def _passed(
    apply: Any, data: Factors, x: jax.Array, steps: list[tuple[int, Window]], structure: Structure
) -> jax.Array:
    terms = []
    for term in range(structure.terms):
        y = x
        for axis, window in steps:
            shape = [1] * window.ndim
            shape[axis] = -1
            y = apply(data[axis][term].reshape(shape), None, y, window, stencil.Structure())
        terms.append(y)
    return pairwise(terms)


def describe(window: Window, structure: Structure, itemsize: int) -> str:
    """Taps, and what one application takes beside its input and output."""
    size = math.prod(k + r for k, r in zip(window.length, window.reach, strict=True)) * itemsize
    return (
        f"{structure.terms} separable term{'s' * (structure.terms > 1)}, {sum(window.kernel)} taps each instead of "
        f"{math.prod(window.kernel)}; two padded copies of at most {size:,} bytes a signal"
    )


def work(facts: Facts, structure: Structure) -> Work:
    """Count one pass along each axis for each term."""
    total = Work()
    for _, window in passes(facts.window):
        taps = math.prod(window.kernel)
        total += stencil.sum_work(facts, window, taps, structure.terms)
    return total


def truncated(kernel: np.ndarray, rank: int) -> np.ndarray:
    """Return the nearest kernel of two axes that is a sum of `rank` outer products, in the Frobenius norm."""
    left, values, right = np.linalg.svd(kernel.astype(np.result_type(kernel, np.float64)), full_matrices=False)
    return ((left[:, :rank] * values[:rank]) @ right[:rank]).astype(kernel.dtype)


def dropped(facts: Facts) -> float:
    """Return the sum of |taps| that rounding the tail away leaves out."""
    assert facts.terms is not None
    assert facts.numbers is not None
    total = sum(reduce(np.multiply.outer, term) for term in facts.terms)
    return float(np.sum(np.abs(facts.numbers - total)))


def passes(window: Window, backwards: bool = False) -> list[tuple[int, Window]]:
    """Return the window of each axis's pass, the last axis first.

    That order is the faster one both ways: XLA fuses a pass into the padding of the next, which is only quick
    where it pads rows. Axes passed already have their output length, or backwards their signal's.
    """
    steps = []
    for axis in reversed(range(window.ndim)):
        done = [(a > axis) != backwards for a in range(window.ndim)]
        sizes = [c if d else n for c, n, d in zip(window.count, window.signal, done, strict=True)]

        def only(values: tuple, others: list, axis: int = axis) -> tuple:
            return tuple(v if a == axis else other for a, (v, other) in enumerate(zip(values, others, strict=True)))

        ones, zeros = [1] * window.ndim, [0] * window.ndim
        one = Window(
            signal=only(window.signal, sizes),
            kernel=only(window.kernel, ones),
            mode=window.mode,
            boundary=only(window.boundary, ["zero"] * window.ndim),
            origin=only(window.origin, zeros),
            start=only(window.start, zeros),
            step=only(window.step, ones),
            count=only(window.count, sizes),
            dilation=only(window.dilation, ones),
        )
        steps.append((axis, one))
    return steps
