"""XLA's own convolution, in full precision: for many channels, and for accelerators.

XLA correlates, so that the kernel is flipped. Complex numbers are split into real and imaginary parts.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from ..boundary import extend, fold
from ..window import Window
from .bilinear import Products
from .estimating import estimated, few_taps
from .facts import Facts, Unsuitable
from .slicing import padded, settled
from .stencil import reach
from .work import Work


def plan(facts: Facts) -> None:
    """Refuse kernels of more axes than XLA's convolutions have."""
    if facts.window.ndim > 3:
        raise Unsuitable("XLA convolves along at most 3 axes")


def prepare(kernel: jax.Array, window: Window, structure: None, facts: Facts | None) -> jax.Array:
    """Return the flipped kernel."""
    del structure, facts
    return jnp.flip(kernel, tuple(range(-window.ndim, 0)))


def forward(kernel: jax.Array, data: jax.Array, x: jax.Array, window: Window, structure: None) -> jax.Array:
    """Convolve the trailing axes of `x`."""
    if _alone_in_double(kernel, x, window):
        return PRODUCTS.convolve(kernel, x, window, structure)
    return _forward(data, x, window)


def adjoint(kernel: jax.Array, data: jax.Array, y: jax.Array, window: Window, structure: None) -> jax.Array:
    """Correlate with the conjugated kernel over the same window, then fold the extension back."""
    del data
    if _alone_in_double(kernel, y, window):
        return PRODUCTS.correlate(jnp.conj(kernel), y, window, structure)
    return _backward(jnp.conj(kernel), y, window)


def _alone_in_double(kernel: jax.Array, x: jax.Array, window: Window) -> bool:
    """Whether derivatives by XLA itself would read beyond the end of large arrays, as its own padding does."""
    return kernel.ndim == window.ndim and jnp.finfo(jnp.result_type(kernel, x)).bits == 64


def _forward(flipped: jax.Array, x: jax.Array, window: Window) -> jax.Array:
    x = extend(x, window, window.extended)
    widths = [
        (0, 0) if e else (-low, high - n + 1)
        for e, low, high, n in zip(window.extended, window.low, window.high, window.signal, strict=True)
    ]
    return _convolved(flipped, x, widths, window, window.step)


def _backward(kernel: jax.Array, y: jax.Array, window: Window) -> jax.Array:
    """Transpose of `_forward` in the signal."""
    y = padded(y, [(0, 0, s - 1) for s in window.step])
    widths = [
        (start, n + length - 2 - start - reach)
        for start, n, length, reach in zip(window.offset, window.source, window.length, window.reach, strict=True)
    ]
    if kernel.ndim > window.ndim:
        kernel = jnp.swapaxes(kernel, 0, 1)
    return fold(_convolved(kernel, y, widths, window, (1,) * window.ndim), window, window.extended)


def describe(window: Window, structure: None, itemsize: int) -> str:
    """What one application takes beside its input and output."""
    del window, structure, itemsize
    return "one convolution by XLA in full precision"


def work(facts: Facts, structure: None) -> Work:
    """Count the products, which take longer the fewer channels there are."""
    del structure
    outputs = math.prod(facts.window.count) * facts.carried
    into, out = facts.mixed
    parts = facts.planes * (2 if facts.complex else 1) * (20 if facts.window.ndim == 3 else 1)  # 3-D has no fast path
    return Work(
        calls=4,
        bytes=4 * outputs * (into + out) * facts.itemsize,
        patches=outputs * (facts.size * into / (1 + into / 6) + 55) * parts,  # channels share what gathering costs
        products=outputs * facts.size * into * out * parts,
    )


def _convolved(kernel: jax.Array, x: jax.Array, widths, window: Window, step: tuple[int, ...]) -> jax.Array:
    """y[i] = sum_m kernel[m] x[step i + d m - before], carried axes as the batch."""
    if jnp.iscomplexobj(kernel):
        real, imag = (_convolved(part, x, widths, window, step) for part in (kernel.real, kernel.imag))
        return lax.complex(real, imag) if not jnp.iscomplexobj(x) else real + 1j * imag
    if jnp.iscomplexobj(x):
        return lax.complex(*(_convolved(kernel, part, widths, window, step) for part in (x.real, x.imag)))
    dtype = jnp.result_type(kernel, x)
    kernel, x = kernel.astype(dtype), x.astype(dtype)
    mixes = kernel.ndim > window.ndim
    inside = [(min(before, 0), min(after, 0), 0) for before, after in widths]  # crops what nothing reads
    outside = [(max(before, 0), max(after, 0)) for before, after in widths]
    if dtype == jnp.float64:  # where XLA pads doubles itself it reads beyond the end of large arrays, on some CPUs
        x = settled(padded(x, [(before, after, 0) for before, after in widths]))
        inside, outside = [(0, 0, 0)] * window.ndim, [(0, 0)] * window.ndim
    x = padded(x, inside)
    lead, space = x.shape[: x.ndim - window.ndim], x.shape[x.ndim - window.ndim :]
    batch = jnp.moveaxis(x.reshape(lead[0], -1, *space), 0, 1) if mixes else x.reshape(-1, 1, *space)
    y = lax.conv_general_dilated(
        batch,
        kernel if mixes else kernel[None, None],
        step,
        outside,
        rhs_dilation=window.dilation,
        precision=lax.Precision.HIGHEST,
    )
    y = jnp.moveaxis(y, 1, 0) if mixes else y
    return y.reshape(*((kernel.shape[0], *lead[1:]) if mixes else lead), *y.shape[2:])


def _convolve(kernel: jax.Array, x: jax.Array, window: Window, structure: None) -> jax.Array:
    return _forward(prepare(kernel, window, structure, None), x, window)


def _correlate(kernel: jax.Array, y: jax.Array, window: Window, structure: None) -> jax.Array:
    del structure
    return _backward(kernel, y, window)


def _estimate(x: jax.Array, y: jax.Array, window: Window, structure: None) -> jax.Array:
    del structure
    return estimated(reach(x, window), y, window, False, few_taps(window, False))


PRODUCTS = Products("xla", _convolve, _correlate, _estimate)
