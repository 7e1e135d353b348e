"""Convolution and correlation as operators: the public factories and their checks."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .arrays import as_inexact
from .base import LinearOperator, Shape
from .window import MODES, Window, integer, make_window, shape_of
from .windowed import build


def convolution(
    kernel: Any,
    shape: Any,
    *,
    mode: str = "same",
    boundary: Any = "zero",
    origin: Any = "center",
    stride: Any = 1,
    dilation: Any = 1,
    axes: Any = None,
    channels: bool = False,
    method: str = "auto",
    rank: int | None = None,
) -> LinearOperator:
    """Return the convolution with a kernel as an operator, y[i] = sum_m k[m] x[start + stride i - dilation m].

    Parameters
    ----------
    kernel : array
        The taps, one axis for each axis it acts on; real or complex, integers become the default float. With
        ``channels``, ``(out, in, *taps)``.
    shape : int or tuple of int
        Shape of the signals; with ``channels``, ``(in, *signal)``.
    mode : {"same", "full", "valid"}
        Which part of the full convolution: as many samples as the signal, all N + L - 1, or the N - L + 1 (none
        where L > N) that need no extension. L is the dilated kernel's length, dilation (taps - 1) + 1.
    boundary : str or tuple of str
        How the signal goes on beyond its ends in ``same``: ``zero``, ``wrap`` (periodic), ``symmetric`` (half-sample),
        ``reflect`` (whole-sample), ``edge``, ``antireflect`` (2 x[0] - x[j]); as `numpy.pad` extends.
    origin : {"center", "scipy"}, int or tuple
        The kernel element that lies on the output sample in ``same``: L//2 as in MATLAB and scipy.ndimage, (L-1)//2 as
        in scipy.signal, or an index.
    stride, dilation : int or tuple of int
        Keep every stride-th sample; put the taps dilation samples apart.
    axes : int or tuple of int, optional
        The axes of ``shape`` that the kernel acts on; the last ones by default. The others are carried along.
    channels : bool
        Whether the kernel mixes channels: y[o] = sum_i k[o, i] * x[i].
    method : {"auto", "stencil", "separable", "fourier", "overlap", "dct", "xla"}
        The engine; it never changes the numbers beyond rounding. ``auto`` takes the least predicted time: by shapes,
        and by sparsity, rank and symmetry where the kernel is concrete. `explain` tells which and why, and what a NaN
        does; `tune` measures. ``separable``, ``overlap`` (no channels) and ``dct`` (``symmetric``, symmetric
        kernels) refuse kernels that they cannot do exactly.
    rank : int, optional
        With ``method="separable"`` and a concrete kernel of two axes: replace the kernel by the nearest sum of so many
        outer products. This is an approximation; `explain` tells how far it can be off.

    Returns
    -------
    LinearOperator
        Its dtype is the kernel's.

    Raises
    ------
    ValueError
        For unknown names, an empty kernel, an origin outside the kernel, ``full`` or ``valid`` with a boundary other
        than ``zero``, or shapes that do not fit.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([1.0, 2.0, 3.0], 4, boundary="symmetric")
    >>> print(A.as_matrix())
    [[5. 1. 0. 0.]
     [3. 2. 1. 0.]
     [0. 3. 2. 1.]
     [0. 0. 3. 3.]]
    >>> print(A @ [1.0, 0.0, 0.0, 1.0])
    [5. 3. 1. 3.]
    """
    array = as_inexact(kernel, "kernel")
    in_shape, axes, window = _geometry(
        array,
        shape,
        axes,
        channels,
        mode=mode,
        boundary=boundary,
        origin=origin,
        stride=stride,
        dilation=dilation,
    )
    return build(array, window, in_shape, axes, channels=channels, method=method, rank=rank)


def correlation(
    kernel: Any,
    shape: Any,
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
    """Return the correlation with a kernel, y[i] = sum_m conj(k[m]) x[stride i - c + dilation m].

    The centre c is dilation * origin in ``same``, L - 1 (L the dilated kernel's length) in ``full`` and 0 in ``valid``.
    The kernel is conjugated, as `scipy.signal.correlate` does and MATLAB's filter2 does not. Parameters, result and
    errors are those of `convolution`; the operator is the convolution with the flipped conjugated kernel.

    Examples
    --------
    >>> import convops as co
    >>> print(co.correlation([1.0, 2.0], 3, mode="valid").as_matrix())
    [[1. 2. 0.]
     [0. 1. 2.]]
    """
    array = as_inexact(kernel, "kernel")
    options = {"mode": mode, "boundary": boundary, "stride": stride, "dilation": dilation}
    in_shape, axes, window = _geometry(array, shape, axes, channels, origin=origin, **options)
    flipped = jnp.flip(jnp.conj(array), tuple(range(-window.ndim, 0)))
    mirrored = tuple(k - 1 - o for k, o in zip(window.kernel, window.origin, strict=True))
    window = make_window(window.signal, window.kernel, origin=mirrored, **options)
    return build(flipped, window, in_shape, axes, channels=channels, method=method)


def _geometry(
    kernel: jax.Array, shape: Any, axes: Any, channels: bool, **options: Any
) -> tuple[Shape, tuple[int, ...], Window]:
    """Shape of the signal, the axes that the kernel acts on, and the window along them."""
    in_shape = shape_of(shape)
    ndim = kernel.ndim - 2 * bool(channels)
    if ndim < 1:
        raise ValueError(
            f"`kernel` has shape {kernel.shape}; give at least one axis of taps" + channels * " behind (out, in)"
        )
    if channels and 0 in kernel.shape[:2]:
        raise ValueError(f"`kernel` is empty (shape {kernel.shape}); give at least one channel out and in")
    if channels and kernel.shape[1] != in_shape[0]:
        raise ValueError(
            f"`kernel` has shape {kernel.shape} and `shape` is {in_shape}; with channels=True the kernel is "
            f"(out, in, ...) and the shape (in, ...): {kernel.shape[1]} is not {in_shape[0]}"
        )
    axes = normal_axes(axes, ndim, len(in_shape), first=int(bool(channels)))
    signal = tuple(in_shape[a] for a in axes)
    return in_shape, axes, make_window(signal, kernel.shape[kernel.ndim - ndim :], **options)


def normal_axes(axes: Any, ndim: int, total: int, first: int = 0) -> tuple[int, ...]:
    """The axes that a kernel acts on, as non-negative numbers; the last ones by default."""
    if total - first < ndim:
        raise ValueError(
            f"`shape` has {total} axes and the kernel acts on {ndim}"
            + first * " behind the channels"
            + "; give a shape with at least as many axes as the kernel"
        )
    if axes is None:
        return tuple(range(total - ndim, total))
    given = tuple(axes) if isinstance(axes, Sequence) else (axes,)
    found = tuple(integer(a, "axes") + (total if integer(a, "axes") < 0 else 0) for a in given)
    if len(found) != ndim or len(set(found)) != ndim or not all(first <= a < total for a in found):
        raise ValueError(
            f"`axes` is {given}; give {ndim} different axes between {first} and {total - 1}, one a kernel axis"
        )
    return found


def convolution_matrix(a: Any, n: int, mode: str = "full") -> jax.Array:
    """Return the dense convolution matrix of an array, as `scipy.linalg.convolution_matrix` does.

    ``convolution_matrix(a, n, mode) @ v`` equals ``numpy.convolve(a, v, mode)`` for a vector of length `n`. NumPy's
    rule holds: ``same`` has max(len(a), n) rows and ``valid`` has max - min + 1, whichever of the two is longer.
    `convolution` swaps nothing.

    Parameters
    ----------
    a : array of shape (..., m)
        Its dtype is kept, integers included. Leading axes are a batch of arrays.
    n : int
        Number of columns.
    mode : {"full", "valid", "same"}

    Returns
    -------
    Array of shape (..., rows, n)

    Raises
    ------
    ValueError
        If `a` is empty or a single number, `n` is not positive, or `mode` is unknown.

    Examples
    --------
    >>> import convops as co
    >>> print(co.convolution_matrix([-1, 4, -2], 5, mode="same"))
    [[ 4 -1  0  0  0]
     [-2  4 -1  0  0]
     [ 0 -2  4 -1  0]
     [ 0  0 -2  4 -1]
     [ 0  0  0 -2  4]]
    """
    if n <= 0:
        raise ValueError("n must be a positive integer.")
    array = jnp.asarray(a)
    if array.size == 0:
        raise ValueError("len(a) must be at least 1.")
    if array.ndim == 0:
        raise ValueError("convolution_matrix expects an array of at least one axis as input")
    if mode not in MODES:
        raise ValueError("'mode' argument must be one of ('full', 'valid', 'same')")
    m = array.shape[-1]
    shorter, longer = sorted((m, n))
    start, rows = {
        "full": (0, m + n - 1),
        "same": ((shorter - 1) // 2, longer),
        "valid": (shorter - 1, longer - shorter + 1),
    }[mode]
    tap = start + np.arange(rows)[:, None] - np.arange(n)
    inside = (tap >= 0) & (tap < m)
    return jnp.where(inside, array[..., np.where(inside, tap, 0)], jnp.zeros((), array.dtype))
