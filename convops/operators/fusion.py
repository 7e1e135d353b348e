"""Products and sums of convolutions that are one convolution.

On ``full`` and on a periodic boundary the product of convolutions is the convolution with the convolved kernels, and
A^H A that with the kernel's autocorrelation. A sum over the same window adds the kernels, aligned at their origins.
Kernels in half precision stay apart in products: what they make together may exceed its range.
"""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from .window import Window, make_window

if TYPE_CHECKING:
    from .windowed import Convolution

_WORTHWHILE = 0.8  # the part of the fused product's time below which two products stay apart


def product(left: "Convolution", right: "Convolution") -> "Convolution | None":
    """Return left @ right as one convolution, where it is one."""
    from .windowed import build

    a, b = left.window, right.window
    alike = left.axes == right.axes and a.dilation == b.dilation and set(b.step) == {1}
    if not alike or left.channels or right.channels or not (_open(a, b) or _periodic(a, b)):
        return None
    if _half(jnp.result_type(left.kernel, right.kernel)):
        return None
    kernel = _convolved(left.kernel, right.kernel, a, b)
    window = make_window(
        b.signal,
        kernel.shape,
        mode=a.mode,
        boundary=a.boundary,
        origin=tuple(p + q for p, q in zip(a.origin, b.origin, strict=True)) if a.mode == "same" else "center",
        stride=a.step,
        dilation=a.dilation,
    )
    return build(kernel, window, right.in_shape, right.axes, method=_method(left, right), strict=False)


def total(left: "Convolution", right: "Convolution") -> "Convolution | None":
    """Return left + right as one convolution, where it is one."""
    from .windowed import rebuild

    a, b = left.window, right.window
    alike = (a.mode, a.boundary, a.step, a.dilation) == (b.mode, b.boundary, b.step, b.dilation)
    if not alike or left.axes != right.axes or left.channels != right.channels:
        return None
    if a.mode != "same":
        return rebuild(left, left.kernel + right.kernel) if a.kernel == b.kernel else None
    origin = tuple(map(max, a.origin, b.origin))
    tail = tuple(max(k - p, m - q) for k, p, m, q in zip(a.kernel, a.origin, b.kernel, b.origin, strict=True))
    kernel = _aligned(left.kernel, a, origin, tail) + _aligned(right.kernel, b, origin, tail)
    window = make_window(
        a.signal,
        kernel.shape[-a.ndim :],
        boundary=a.boundary,
        origin=origin,
        stride=a.step,
        dilation=a.dilation,
    )
    return rebuild(left, kernel, window, method=_method(left, right))


def gram(op: "Convolution") -> "Convolution | None":
    """Return A^H A as the convolution with the autocorrelation, where it is one.

    The autocorrelation has four times the taps on two axes: on ``full`` a small kernel's two products are the faster.
    """
    from .windowed import build

    window = op.window
    exact = window.circulant or (window.mode == "full" and set(window.step) == {1})
    if not exact or op.channels or _half(op.kernel.dtype):
        return None
    centred = make_window(
        window.signal,
        tuple(2 * k - 1 for k in window.kernel),
        boundary=window.boundary,
        origin=tuple(k - 1 for k in window.kernel),
        dilation=window.dilation,
    )
    dense = op.method == "stencil" and op.structure.taps is None
    if dense and window.mode == "full" and 2 * op._predicted(window) < _WORTHWHILE * op._predicted(centred):
        return None
    flipped = jnp.flip(jnp.conj(op.kernel), tuple(range(-window.ndim, 0)))
    kernel = _convolved(flipped, op.kernel, window, window)
    facts = frozenset({"selfadjoint", "psd"})
    return build(kernel, centred, op.in_shape, op.axes, method=op.requested, facts=facts, strict=False)


def _half(dtype: jnp.dtype) -> bool:
    return jnp.finfo(dtype).bits < 32


def _open(a: Window, b: Window) -> bool:
    return a.mode == b.mode == "full"


def _periodic(a: Window, b: Window) -> bool:
    return a.mode == b.mode == "same" and set(a.boundary) == set(b.boundary) == {"wrap"}


def _convolved(left: jax.Array, right: jax.Array, a: Window, b: Window) -> jax.Array:
    """Full convolution of two kernels."""
    from .windowed import build

    window = make_window(b.kernel, a.kernel, mode="full")
    return build(left, window, b.kernel, tuple(range(b.ndim)))._matvec(right)


def _aligned(kernel: jax.Array, window: Window, origin: tuple[int, ...], tail: tuple[int, ...]) -> jax.Array:
    """Pad a kernel with zeros so that its origin moves to `origin` and `tail` taps follow from there."""
    widths = [(0, 0)] * (kernel.ndim - window.ndim)
    for k, o, to, after in zip(window.kernel, window.origin, origin, tail, strict=True):
        widths.append((to - o, after - (k - o)))
    return jnp.pad(kernel, widths)


def _method(left: "Convolution", right: "Convolution") -> str:
    return left.requested if left.requested == right.requested else "auto"
