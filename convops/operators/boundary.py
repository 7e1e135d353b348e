"""The extension P of a signal beyond its ends, and its adjoint P^H, for each boundary.

Every boundary here is linear and piecewise simple: on a run of neighbouring positions j the extended signal is
``e[j] = sign * x[source + stride * (j - j0)] + first * x[0] + last * x[N-1]`` with constants a run. ``extend``
joins the runs, ``fold`` adds each back to where it came from. The rules are those of `numpy.pad`, several
reflections included.
"""

import itertools
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .window import Window

_MAX_RUNS = 8  # beyond this many runs along an axis (kernels longer than the signal) a gather compiles faster


class Run(NamedTuple):
    """Neighbouring positions of the extended signal that share one rule."""

    begin: int  # position in the extended signal, counted from its own start
    length: int
    source: int  # index of the signal sample at `begin`
    stride: int  # 1 forwards, -1 backwards, 0 the same sample again
    sign: int
    first: int
    last: int


class Rule(NamedTuple):
    """The extension at each position: index, sign and the two end coefficients, and runs of them."""

    index: np.ndarray
    sign: np.ndarray
    first: np.ndarray
    last: np.ndarray
    runs: tuple[Run, ...]


@lru_cache(maxsize=64)
def rule(n: int, low: int, high: int, boundary: str) -> Rule:
    """How a signal of length `n` extends to the positions low .. high."""
    j = np.arange(low, high + 1)
    one, zero = np.ones_like(j), np.zeros_like(j)
    if n == 1 and boundary in ("reflect", "antireflect"):
        boundary = "edge"  # numpy.pad: nothing to reflect, the one sample repeats
    period = n - 1 if boundary in ("reflect", "antireflect") else n
    block, rest = np.divmod(j, period)
    back = block % 2 != 0
    sign, first, last, stride = one, zero, zero, one
    match boundary:
        case "zero" | "edge":
            block = np.where(j < 0, -1, np.where(j < n, 0, 1))
            index, stride = np.clip(j, 0, n - 1), np.where(block == 0, 1, 0)
            sign = np.where(block == 0, 1, 0) if boundary == "zero" else one
        case "wrap":
            index = rest
        case "symmetric":
            index, stride = np.where(back, n - 1 - rest, rest), np.where(back, -1, 1)
        case _:  # whole-sample reflection: even blocks forwards, odd blocks backwards
            index, stride = np.where(back, n - 1 - rest, rest), np.where(back, -1, 1)
            if boundary == "antireflect":  # e = x + 2q (x[N-1] - x[0]), or 2 x[N-1] - x + 2q (x[N-1] - x[0])
                turns = 2 * (block // 2)
                sign, first, last = np.where(back, -1, 1), -turns, turns + 2 * back
    inside = (j >= 0) & (j < n)
    index, block = np.where(inside, j, index), np.where(inside, 0, block)
    sign, stride = np.where(inside, 1, sign), np.where(inside, 1, stride)
    first, last = np.where(inside, 0, first), np.where(inside, 0, last)
    changes = [0, *(np.flatnonzero(np.diff(block) | np.diff(inside)) + 1).tolist(), len(j)]
    runs = tuple(
        Run(a, b - a, int(index[a]), int(stride[a]), int(sign[a]), int(first[a]), int(last[a]))
        for a, b in itertools.pairwise(changes)
        if b > a
    )
    return Rule(index, sign, first, last, runs)


def extend(x: jax.Array, window: Window, which: tuple[bool, ...]) -> jax.Array:
    """Extend the trailing axes of `x` named by `which` to the positions low .. high that the window reads."""
    lead = x.ndim - window.ndim
    for a in np.flatnonzero(which):
        x = extend_axis(x, lead + int(a), window.low[a], window.high[a], window.boundary[a])
    return x


def fold(y: jax.Array, window: Window, which: tuple[bool, ...]) -> jax.Array:
    """Adjoint of `extend`: add what lies beyond the signal back to where it came from."""
    lead = y.ndim - window.ndim
    for a in np.flatnonzero(which):
        y = fold_axis(y, lead + int(a), window.signal[a], window.low[a], window.high[a], window.boundary[a])
    return y


def extend_axis(x: jax.Array, axis: int, low: int, high: int, boundary: str) -> jax.Array:
    """Extend one axis of `x` to the positions low .. high (a crop where they lie inside)."""
    n = x.shape[axis]
    if boundary == "zero":
        return _pad(x, axis, -low, high - n + 1)
    how = rule(n, low, high, boundary)
    ends = lax.slice_in_dim(x, 0, 1, axis=axis), lax.slice_in_dim(x, n - 1, n, axis=axis)
    if len(how.runs) > _MAX_RUNS:
        return _combine(jnp.take(x, how.index, axis=axis), ends, *_columns(how, x, axis))
    pieces = []
    for run in how.runs:
        piece = _combine(_read(x, run, axis), ends, run.sign, run.first, run.last)
        pieces.append(piece)
    return lax.concatenate(pieces, axis) if len(pieces) > 1 else pieces[0]


def fold_axis(y: jax.Array, axis: int, n: int, low: int, high: int, boundary: str) -> jax.Array:
    """Adjoint of `extend_axis`: from the positions low .. high back to the `n` samples of the signal."""
    if boundary == "zero":
        return _pad(y, axis, low, n - 1 - high)
    how = rule(n, low, high, boundary)
    if len(how.runs) > _MAX_RUNS:
        sign, first, last = _columns(how, y, axis)
        shape = (*y.shape[:axis], n, *y.shape[axis + 1 :])
        where = (slice(None),) * axis + (how.index,)
        x = jnp.zeros(shape, y.dtype).at[where].add(sign * y)
        heads, tails = (jnp.sum(_times(c, y), axis, keepdims=True) for c in (first, last))
        return x + _pad(heads, axis, 0, n - 1) + _pad(tails, axis, n - 1, 0)
    inside = how.runs[_inside(how)]
    total = lax.slice_in_dim(y, inside.begin, inside.begin + inside.length, axis=axis)
    total = _pad(total, axis, inside.source, n - inside.source - inside.length)
    for run in how.runs:
        for at, piece in _written_back(y, run, axis, n) if run is not inside else ():
            total = _add(total, piece, axis, at)
    return total


def _inside(how: Rule) -> int:
    """Number of the run that is the signal itself: the one the others are added to, in place and band by band."""
    plain = [run[3:] == (1, 1, 0, 0) for run in how.runs]  # stride, sign, first, last
    return max(range(len(how.runs)), key=lambda i: (plain[i], how.runs[i].length))


def _written_back(y: jax.Array, run: Run, axis: int, n: int):
    """Yield what one run adds, and the index where it does."""
    part = lax.slice_in_dim(y, run.begin, run.begin + run.length, axis=axis)
    if run.sign:
        piece, at = part, run.source
        if run.stride == 0:
            piece = jnp.sum(part, axis, keepdims=True)
        elif run.stride == -1:
            piece, at = lax.rev(part, (axis,)), run.source - run.length + 1
        yield at, piece if run.sign == 1 else -piece
    mass = jnp.sum(part, axis, keepdims=True) if run.first or run.last else part
    if run.first:
        yield 0, run.first * mass
    if run.last:
        yield n - 1, run.last * mass


def _add(total: jax.Array, piece: jax.Array, axis: int, at: int) -> jax.Array:
    held = lax.slice_in_dim(total, at, at + piece.shape[axis], axis=axis)
    return lax.dynamic_update_slice_in_dim(total, held + piece, at, axis)


def _read(x: jax.Array, run: Run, axis: int) -> jax.Array:
    if run.stride == 0:
        one = lax.slice_in_dim(x, run.source, run.source + 1, axis=axis)
        return jnp.broadcast_to(one, (*x.shape[:axis], run.length, *x.shape[axis + 1 :]))
    if run.stride == 1:
        return lax.slice_in_dim(x, run.source, run.source + run.length, axis=axis)
    start = run.source - run.length + 1
    return lax.rev(lax.slice_in_dim(x, start, run.source + 1, axis=axis), (axis,))


def _combine(piece: jax.Array, ends, sign, first, last) -> jax.Array:
    if isinstance(sign, int):
        piece = piece if sign == 1 else sign * piece
        for coefficient, end in zip((first, last), ends, strict=True):
            piece = piece + coefficient * end if coefficient else piece
        return piece
    return sign * piece + _times(first, ends[0]) + _times(last, ends[1])


def _times(coefficients: jax.Array, x: jax.Array) -> jax.Array:
    """The product, zero where a coefficient is, even of a NaN."""
    return jnp.where(coefficients == 0, 0, coefficients * x)


def _columns(how: Rule, x: jax.Array, axis: int):
    shape = [1] * x.ndim
    shape[axis] = -1
    real = jnp.finfo(x.dtype).dtype
    return tuple(jnp.asarray(c.reshape(shape), real) for c in (how.sign, how.first, how.last))


def _pad(x: jax.Array, axis: int, before: int, after: int) -> jax.Array:
    widths = [(0, 0, 0)] * x.ndim
    widths[axis] = (before, after, 0)
    return lax.pad(x, jnp.zeros((), x.dtype), widths)


def matrix(n: int, low: int, high: int, boundary: str) -> np.ndarray:
    """The extension along one axis as a dense (high - low + 1, n) matrix of small integers."""
    how = rule(n, low, high, boundary)
    rows = np.arange(len(how.index))
    dense = np.zeros((len(rows), n), dtype=np.int32)
    np.add.at(dense, (rows, how.index), how.sign)
    dense[:, 0] += how.first
    dense[:, n - 1] += how.last
    return dense
