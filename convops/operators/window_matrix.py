"""The matrix of a window of a convolution: dense by gather, its coordinates, and how many there are.

Along one axis the matrix is E P: ``E[i, t] = k[(L - 1 + step i - t) / d]`` (L dilated) reads the extended signal at
position low + t, and P is the extension. Axes that the kernel leaves alone multiply by an identity.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from . import boundary as boundaries
from .window import Window


class Layout(NamedTuple):
    """Where a window acts: array shapes, its axes in them, and whether axis 0 holds channels."""

    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    axes: tuple[int, ...]
    channels: bool

    @property
    def carried(self) -> list[int]:
        """The axes that the kernel leaves alone."""
        return [a for a in range(len(self.in_shape)) if a not in self.axes and not (a == 0 and self.channels)]


def dense(kernel: jax.Array, window: Window, layout: Layout) -> jax.Array:
    """The (m, n) matrix; differentiable in the kernel."""
    d = window.ndim
    lead = kernel.ndim - d
    padded = jnp.pad(kernel, [(0, 0)] * lead + [(0, 1)] * d)  # index L reads a zero
    places = []
    for axis in range(d):
        shape = [1] * (2 * d)
        index = _taps_read(window, axis)
        shape[2 * axis : 2 * axis + 2] = index.shape
        places.append(index.reshape(shape))
    matrix = padded[(..., *places)]  # (out, in)?, i_1, t_1, i_2, t_2, ...
    for axis in range(d):
        if window.extended[axis]:
            span = window.signal[axis], window.low[axis], window.high[axis], window.boundary[axis]
            extension = jnp.asarray(boundaries.matrix(*span), kernel.dtype)
            where = lead + 2 * axis + 1
            contracted = jnp.tensordot(matrix, extension, (where, 0), precision=jax.lax.Precision.HIGHEST)
            matrix = jnp.moveaxis(contracted, -1, where)
    return _assemble(matrix, window, layout)


def _assemble(matrix: jax.Array, window: Window, layout: Layout) -> jax.Array:
    """Put (out, in)?, i_1, j_1, ... and an identity a carried axis into the order of the arrays."""
    lead = 2 if layout.channels else 0
    rows = {0: 0} if layout.channels else {}
    columns = {0: 1} if layout.channels else {}
    for k, axis in enumerate(layout.axes):
        rows[axis], columns[axis] = lead + 2 * k, lead + 2 * k + 1
    for axis in layout.carried:
        size = layout.in_shape[axis]
        rows[axis], columns[axis] = matrix.ndim, matrix.ndim + 1
        matrix = jnp.tensordot(matrix, jnp.eye(size, dtype=matrix.dtype), 0)
    everything = range(len(layout.in_shape))
    matrix = matrix.transpose([rows[a] for a in everything] + [columns[a] for a in everything])
    return matrix.reshape(math.prod(layout.out_shape), math.prod(layout.in_shape))


def count(kernel: np.ndarray, window: Window, layout: Layout) -> int:
    """Number of structurally non-zero entries: those that some non-zero tap reaches."""
    carried = math.prod(layout.in_shape[a] for a in layout.carried)
    slices = kernel.reshape(-1, *window.kernel)
    return carried * sum(_count(part != 0, window) for part in slices)


def _count(taps: np.ndarray, window: Window) -> int:
    """Entries of one channel's matrix."""
    if window.empty or not taps.any():
        return 0
    if taps.all():
        return math.prod(_distinct(window, axis) for axis in range(window.ndim))
    if not any(window.extended):
        return _sparse_count(taps, window)
    used = [np.flatnonzero(taps.any(tuple(b for b in range(window.ndim) if b != a))) for a in range(window.ndim)]
    core = taps[np.ix_(*used)].astype(np.float32)  # a matrix product of floats is the fast one
    return _reached(core[..., None], [_patterns(window, axis, u) for axis, u in enumerate(used)])


def _reached(taps: np.ndarray, patterns: list[dict[bytes, tuple[np.ndarray, int]]]) -> int:
    """Contract each axis of the taps with its (sample, tap) incidences in turn, and count what is not zero.

    The last axis of `taps` holds the samples of the axes contracted so far.
    """
    first, *rest = patterns
    if not rest:
        tables, times = zip(*first.values(), strict=True)
        hits = np.count_nonzero(np.concatenate(tables) @ taps, axis=1)
        return int(hits @ np.repeat(times, [len(table) for table in tables]))
    total = 0
    for table, times in first.values():
        contracted = np.moveaxis(np.tensordot(table, taps, (1, 0)), 0, -1)
        total += times * _reached(contracted.reshape(*contracted.shape[: len(rest)], -1), rest)
    return total


def _sparse_count(taps: np.ndarray, window: Window) -> int:
    """Entries without an extension: each tap reaches an entry of its own wherever it stays inside the signal."""
    inside = np.ones(())
    for axis in range(window.ndim):
        last = window.start[axis] + window.step[axis] * np.arange(window.count[axis])
        tap = window.dilation[axis] * np.arange(window.kernel[axis])
        first, beyond = np.searchsorted(last, tap), np.searchsorted(last, tap + window.signal[axis])
        inside = np.multiply.outer(inside, beyond - first)
    return int(np.sum(inside * taps))


def _distinct(window: Window, axis: int) -> int:
    """How many pairs (output, sample) the taps of one axis reach."""
    inner, outer = _outputs(window, axis)
    taps = np.arange(window.kernel[axis])
    total = len(inner) * len(taps)
    chunk = max(1, 10**7 // len(taps))
    for part in range(0, len(outer), chunk):
        index, head, tail = _reads(window, axis, outer[part : part + chunk], taps)
        ordered = np.sort(index, 1)  # -1 where no sample strictly inside is read
        total += int(np.count_nonzero((np.diff(ordered, axis=1, prepend=-1) != 0) & (ordered >= 0)))
        total += int(np.count_nonzero(head.any(1)) + np.count_nonzero(tail.any(1)))
    return total


def _patterns(window: Window, axis: int, taps: np.ndarray) -> dict[bytes, tuple[np.ndarray, int]]:
    """The (sample, tap) incidences that occur along an axis, empty samples left out, and how often each does."""
    inner, outer = _outputs(window, axis)
    found: dict[bytes, tuple[np.ndarray, int]] = {}
    rows = [inner[:1]] if len(inner) else []
    for outputs in [*rows, *outer[:, None]]:
        index, head, tail = (part[0] for part in _reads(window, axis, outputs, taps))
        table = np.concatenate([np.unique(index[index >= 0])[:, None] == index, head[None] != 0, tail[None] != 0])
        table = table[table.any(1)]
        table = table[np.lexsort(table.T)]
        times = len(inner) if len(inner) and outputs[0] == inner[0] else 1
        key = table.tobytes()
        found[key] = (table.astype(np.float32), found[key][1] + times if key in found else times)
    return found


def _outputs(window: Window, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Output samples whose taps all lie inside the signal, and the others."""
    outputs = np.arange(window.count[axis])
    last = window.start[axis] + window.step[axis] * outputs
    inside = (last - (window.length[axis] - 1) >= 0) & (last < window.signal[axis])
    return outputs[inside], outputs[~inside]


def _reads(window: Window, axis: int, outputs: np.ndarray, taps: np.ndarray) -> tuple[np.ndarray, ...]:
    """What each tap (columns) reads for each output (rows): a sample, and coefficients of the two end samples.

    The sample is one strictly inside the signal, and -1 where there is none.
    """
    rule, where = _rule(window, axis, outputs, taps)
    n = window.signal[axis]
    index, sign = rule.index[where], rule.sign[where]
    head = sign * (index == 0) + rule.first[where]
    tail = sign * (index == n - 1) + rule.last[where] if n > 1 else np.zeros_like(head)
    return np.where((index > 0) & (index < n - 1) & (sign != 0), index, -1), head, tail


def _rule(window: Window, axis: int, outputs: np.ndarray, taps: np.ndarray) -> tuple[boundaries.Rule, np.ndarray]:
    rule = boundaries.rule(window.signal[axis], window.low[axis], window.high[axis], window.boundary[axis])
    offset = window.length[axis] - 1
    return rule, offset + window.step[axis] * outputs[:, None] - window.dilation[axis] * taps


def coordinates(kernel: np.ndarray, window: Window, layout: Layout) -> Any:
    """Row, column and value of every entry; entries that several taps reach repeat."""
    lead = kernel.shape[: kernel.ndim - window.ndim]
    parts = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0, kernel.dtype))]
    row_strides, column_strides = (_strides(s) for s in (layout.out_shape, layout.in_shape))
    for place in np.argwhere(kernel != 0):
        rows, columns, values = np.zeros(1, int), np.zeros(1, int), kernel[tuple(place)].reshape(1)
        if lead:
            rows, columns = rows + place[0] * row_strides[0], columns + place[1] * column_strides[0]
        steps = [_axis_entries(window, k, m) for k, m in enumerate(place[len(lead) :])]
        sizes = [layout.in_shape[a] for a in layout.carried]
        steps += [(np.arange(n), np.arange(n), np.ones(n, int)) for n in sizes]
        for axis, (i, j, v) in zip([*layout.axes, *layout.carried], steps, strict=True):
            rows = (rows[:, None] + i * row_strides[axis]).ravel()
            columns = (columns[:, None] + j * column_strides[axis]).ravel()
            values = (values[:, None] * v).ravel()
        parts.append((rows, columns, values))
    return tuple(np.concatenate(p) for p in zip(*parts, strict=True))


def _axis_entries(window: Window, axis: int, tap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Output sample, signal sample and coefficient of everything that one tap reads along an axis."""
    outputs, taps = np.arange(window.count[axis]), np.array([tap])
    rule, where = _rule(window, axis, outputs, taps)
    index, head, tail = (part[:, 0] for part in _reads(window, axis, outputs, taps))
    inside = index >= 0
    i = np.concatenate([outputs[inside], outputs[head != 0], outputs[tail != 0]])
    ends = np.zeros(np.count_nonzero(head), int), np.full(np.count_nonzero(tail), window.signal[axis] - 1)
    values = np.concatenate([rule.sign[where][:, 0][inside], head[head != 0], tail[tail != 0]])
    return i, np.concatenate([index[inside], *ends]), values


def _taps_read(window: Window, axis: int) -> np.ndarray:
    """Which tap output sample i puts on each position (signal samples where nothing is extended); L for none."""
    low, high = window.low[axis], window.high[axis]
    samples = np.arange(low, high + 1) if window.extended[axis] else np.arange(window.signal[axis])
    outputs = window.start[axis] + window.step[axis] * np.arange(window.count[axis])
    tap, rest = np.divmod(outputs[:, None] - samples, window.dilation[axis])
    length = window.kernel[axis]
    return np.where((rest == 0) & (tap >= 0) & (tap < length), tap, length)


def _strides(shape: tuple[int, ...]) -> list[int]:
    return [math.prod(shape[a + 1 :]) for a in range(len(shape))]
