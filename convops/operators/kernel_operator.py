"""The convolution as a linear map of its kernel: the im2col matrix of a signal."""

import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .arrays import as_inexact, traced
from .base import LinearOperator, Shape
from .convolution import normal_axes
from .engines import fourier, stencil
from .engines.estimating import estimated, few_taps
from .pytree import static
from .window import Window, make_window, shape_of

METHODS = ("stencil", "fourier")


class KernelOperator(LinearOperator):
    """The convolution of a fixed signal with a kernel that varies; built by `kernel_operator`.

    ``signal`` holds the signal, extended to all that the window reads, its convolved axes last; ``data`` its
    spectrum. By the symmetry of the full convolution the signal plays the kernel of the window `swapped`.
    """

    signal: jax.Array
    data: Any
    in_shape: Shape = static()
    out_shape: Shape = static()
    window: Window = static()
    axes: tuple[int, ...] = static()
    channels: bool = static()
    method: str = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return self._computed(x, self.out_shape, KernelOperator._forward)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return self._computed(y, self.in_shape, KernelOperator._adjoint)

    def _computed(self, x: jax.Array, shape: Shape, product: Any) -> jax.Array:
        """Apply a product in the precision of the signal or of `x`, half precision computed in single."""
        dtype = jnp.result_type(self.signal, x)
        if self.window.empty:
            return jnp.zeros(shape, dtype)
        real = jnp.finfo(jnp.promote_types(dtype, jnp.float32)).dtype
        held, wide = self.signal.dtype, jnp.promote_types(self.signal.dtype, real)
        op = self if wide == held else replace(self, signal=self.signal.astype(wide))
        if wide != jnp.promote_types(held, jnp.float32):  # what is kept of the signal is less precise
            op = _prepared(op, op.signal)
        return product(op, x.astype(jnp.promote_types(x.dtype, real))).astype(dtype)

    def _forward(self, x: jax.Array) -> jax.Array:
        if self.method == "stencil":
            y = stencil.combine(self.signal, self.window, *stencil.terms(x, self.window, None))
        else:
            y = self._by_fourier(x)
        return jnp.moveaxis(y, tuple(range(-self.window.ndim, 0)), self.axes)

    def _adjoint(self, y: jax.Array) -> jax.Array:
        y = jnp.moveaxis(y, self.axes, tuple(range(-self.window.ndim, 0)))
        if self.method == "stencil":
            return estimated(jnp.conj(self.signal), y, self.window, self.channels, direct=True)
        return self._adjoint_by_fourier(y)

    def _by_fourier(self, x: jax.Array) -> jax.Array:
        """Sum over the input channels, for each output channel and each carried signal."""
        signal, data, window = self._signals(self.signal), self._signals(self.data), swapped(self.window)
        kernels = spread(self._kernels(x), self.window)
        one = jax.vmap(lambda s, spectrum, k: fourier.forward(s, spectrum, k, window), (0, 0, None))  # carried
        mixed = jax.vmap(lambda k: jnp.sum(jax.vmap(one)(signal, data, k), 0))  # out
        return mixed(kernels).reshape(self._moved_shape())

    def _adjoint_by_fourier(self, y: jax.Array) -> jax.Array:
        signal, data, window = self._signals(self.signal), self._signals(self.data), swapped(self.window)
        y = y.reshape(self._outputs(), -1, *window.count)
        one = jax.vmap(lambda s, spectrum, part: fourier.adjoint(s, spectrum, part, window))  # carried
        mixed = jax.vmap(lambda part: jnp.sum(jax.vmap(one, (0, 0, None))(signal, data, part), 1))  # in; out
        found = mixed(y)[(..., *(slice(None, None, step) for step in self.window.dilation))]
        return found.reshape(self.in_shape)

    def _outputs(self) -> int:
        return self.in_shape[0] if self.channels else 1

    def _signals(self, array: jax.Array) -> jax.Array:
        """The signal or its spectrum as (in, carried, ...)."""
        return array.reshape(array.shape[0] if self.channels else 1, -1, *array.shape[-self.window.ndim :])

    def _kernels(self, x: jax.Array) -> jax.Array:
        """A kernel as (out, in, ...)."""
        return x if self.channels else x[None, None]

    def _moved_shape(self) -> Shape:
        """The output's shape with the convolved axes last."""
        carried = self.signal.shape[int(self.channels) : self.signal.ndim - self.window.ndim]
        return (*self.in_shape[: int(self.channels)], *carried, *self.window.count)

    @property
    def dtype(self) -> jnp.dtype:
        return self.signal.dtype

    def _inexact_leaves(self) -> list[jax.Array]:
        return [self.signal]

    def conj(self) -> LinearOperator:
        return _prepared(self, jnp.conj(self.signal)) if jnp.iscomplexobj(self.signal) else self

    def _scaled(self, factor: jax.Array) -> LinearOperator:
        return _prepared(self, factor * self.signal)

    def _as_matrix(self) -> jax.Array:
        d, places = self.window.ndim, []
        for a in range(d):  # tables of positions in the extended signal, on axes (i_1, ..., i_d, m_1, ..., m_d)
            table = self._places(a)
            shape = [1] * (2 * d)
            shape[a], shape[d + a] = table.shape
            places.append(table.reshape(shape))
        found = jnp.moveaxis(self._signals(self.signal)[(..., *places)], 0, 1 + d)  # carried, i, in, m
        columns = math.prod(self.in_shape) // self._outputs()
        moved = jnp.kron(jnp.eye(self._outputs(), dtype=found.dtype), found.reshape(-1, columns))
        numbers = np.arange(self.shape[0]).reshape(self.out_shape)
        order = np.moveaxis(numbers, self.axes, tuple(range(-d, 0))).ravel()
        return moved[np.argsort(order)]

    @property
    def nnz(self) -> int:
        """How often samples that are not zero are read: all inside the signal where it is traced."""
        if self.window.empty:
            return 0
        signal = self._signals(self.signal)
        read = np.ones(signal.shape, bool) if traced(signal) else np.asarray(signal) != 0
        times = read.sum((0, 1))
        for axis in range(self.window.ndim):
            times = np.tensordot(times, self._reads(axis), (0, 0))
        return self._outputs() * int(times)

    def _reads(self, axis: int) -> np.ndarray:
        """How many pairs of an output sample and a tap read each sample of the extended signal along an axis."""
        window = self.window
        times = np.bincount(self._places(axis).ravel(), minlength=window.length[axis] + window.reach[axis])
        inside = np.arange(window.low[axis], window.high[axis] + 1)
        return times * ((window.boundary[axis] != "zero") | (inside >= 0) & (inside < window.signal[axis]))

    def _places(self, axis: int) -> np.ndarray:
        """Position in the extended signal that each output sample (rows) reads with each tap (columns)."""
        window = self.window
        outputs = window.length[axis] - 1 + window.step[axis] * np.arange(window.count[axis])
        return outputs[:, None] - window.dilation[axis] * np.arange(window.kernel[axis])

    def _coordinates(self) -> Any:
        parts = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0, self.dtype))]
        if self.window.empty:
            return parts[0]
        window, outputs = self.window, self._outputs()
        rows = np.moveaxis(np.arange(self.shape[0]).reshape(self.out_shape), self.axes, range(-window.ndim, 0))
        rows = rows.reshape(outputs, -1, *window.count)
        columns = np.arange(self.shape[1]).reshape(outputs, -1, *window.kernel)
        signal, places = np.asarray(self._signals(self.signal)), [self._places(a) for a in range(window.ndim)]
        for tap in np.ndindex(window.kernel):
            read = signal[(..., *np.ix_(*(place[:, m] for place, m in zip(places, tap, strict=True))))]
            channel, *where = np.nonzero(read)
            for o in range(outputs):
                parts.append((rows[(o, *where)], columns[(o, channel, *tap)], read[(channel, *where)]))
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def _detail(self) -> str:
        kernel = "x".join(map(str, self.window.kernel))
        return f"{kernel} kernel, {self.window.describe()}, {self.method}"


def swapped(window: Window) -> Window:
    """The window in which the extended signal is the kernel and the dilated kernel the signal."""
    reach = tuple(k + r for k, r in zip(window.length, window.reach, strict=True))
    ndim = window.ndim
    start = tuple(k - 1 for k in window.length)
    ones, zeros = (1,) * ndim, (0,) * ndim
    return Window(window.length, reach, "full", ("zero",) * ndim, zeros, start, window.step, window.count, ones)


def spread(kernel: jax.Array, window: Window) -> jax.Array:
    """Put the taps `dilation` samples apart."""
    widths = [(0, 0, 0)] * (kernel.ndim - window.ndim) + [(0, 0, d - 1) for d in window.dilation]
    return lax.pad(kernel, jnp.zeros((), kernel.dtype), widths)


def kernel_operator(
    signal: Any,
    kernel_shape: Any,
    *,
    mode: str = "same",
    boundary: Any = "zero",
    origin: Any = "center",
    stride: Any = 1,
    dilation: Any = 1,
    axes: Any = None,
    channels: bool = False,
    method: str = "auto",
) -> LinearOperator:
    """Return the map from a kernel to its convolution with a fixed signal (the im2col matrix of the signal).

    ``kernel_operator(x, k.shape, **how) @ k`` equals ``convolution(k, x.shape, **how) @ x``: for estimating a
    point-spread function and for blind work.

    Parameters
    ----------
    signal : array
        What `convolution` calls x; with ``channels``, ``(in, *signal)``.
    kernel_shape : int or tuple of int
        Shape of the kernels; with ``channels``, ``(out, in, *taps)``.
    mode, boundary, origin, stride, dilation, axes, channels
        As in `convolution`.
    method : {"auto", "stencil", "fourier"}

    Returns
    -------
    LinearOperator
        From ``kernel_shape`` to the shape of the convolution; its dtype is the signal's.

    Raises
    ------
    ValueError
        As `convolution` does.

    Examples
    --------
    >>> import convops as co
    >>> print(co.kernel_operator([1.0, 2.0, 3.0, 4.0], 2, mode="valid").as_matrix())
    [[2. 1.]
     [3. 2.]
     [4. 3.]]
    """
    array = as_inexact(signal, "signal")
    in_shape = shape_of(kernel_shape, "kernel_shape")
    ndim = len(in_shape) - 2 * bool(channels)
    if ndim < 1:
        raise ValueError(f"`kernel_shape` is {in_shape}; with channels=True give (out, in, *taps)")
    if channels and (array.ndim == 0 or array.shape[0] != in_shape[1]):
        raise ValueError(
            f"`signal` has shape {array.shape}; for `kernel_shape` {in_shape} give {in_shape[1]} channels first"
        )
    axes = normal_axes(axes, ndim, array.ndim, first=int(bool(channels)))
    window = make_window(
        tuple(array.shape[a] for a in axes),
        in_shape[len(in_shape) - ndim :],
        mode=mode,
        boundary=boundary,
        origin=origin,
        stride=stride,
        dilation=dilation,
    )
    if method not in ("auto", *METHODS):
        raise ValueError(f"`method` is {method!r}; accepted are 'auto', {', '.join(map(repr, METHODS))}")
    out = list(array.shape)
    for axis, size in zip(axes, window.count, strict=True):
        out[axis] = size
    moved = jnp.moveaxis(array, axes, tuple(range(-ndim, 0)))
    op = KernelOperator(
        signal=moved if window.empty else stencil.reach(moved, window),
        data=None,
        in_shape=in_shape,
        out_shape=(*in_shape[:1], *out[1:]) if channels else tuple(out),
        window=window,
        axes=axes,
        channels=bool(channels),
        method=("stencil" if few_taps(window, bool(channels)) else "fourier") if method == "auto" else method,
    )
    return _prepared(op, op.signal)


def _prepared(op: KernelOperator, signal: jax.Array) -> KernelOperator:
    """Return `op` with a signal and what the engine keeps of it."""
    if op.method == "stencil" or op.window.empty:
        return replace(op, signal=signal)
    window = swapped(op.window)
    flat = signal.reshape(-1, *window.kernel)
    wide = flat.astype(jnp.promote_types(flat.dtype, jnp.float32))
    data: Any = jax.vmap(lambda s: fourier.prepare(s, window))(wide)
    return replace(op, signal=signal, data=data.reshape(*signal.shape[: -window.ndim], *data.shape[1:]))
