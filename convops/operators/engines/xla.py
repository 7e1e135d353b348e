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
from .slicing import padded
from .stencil import reach
from .work import Work


def plan(facts: Facts) -> None:
    """Refuse kernels of more axes than XLA's convolutions have."""
    if facts.window.ndim > 3:
        raise Unsuitable("XLA convolves along at most 3 axes")


def prepare(kernel: jax.Array, window: Window, structure: None, facts: Facts) -> jax.Array | None:
    """Return the flipped kernel where it mixes channels."""
    del structure, facts
    return _flipped(kernel, window) if _mixes(kernel, window) else None


def forward(kernel: jax.Array, data: jax.Array, x: jax.Array, window: Window, structure: None) -> jax.Array:
    """Convolve the trailing axes of `x`."""
    if _mixes(kernel, window):
        return _forward(data, x, window)
    return PRODUCTS.convolve(kernel.reshape(window.kernel), x, window, structure)


def adjoint(kernel: jax.Array, data: jax.Array, y: jax.Array, window: Window, structure: None) -> jax.Array:
    """Correlate with the conjugated kernel over the same window, then fold the extension back."""
    del data
    if _mixes(kernel, window):
        return _backward(jnp.conj(kernel), y, window)
    return PRODUCTS.correlate(jnp.conj(kernel).reshape(window.kernel), y, window, structure)


def convolve(kernel: jax.Array, x: jax.Array, window: Window, structure: None) -> jax.Array:
    """y[i] = sum_m k[m] e[start + step i - d m]."""
    del structure
    return _forward(_flipped(kernel, window), x, window)


def correlate(kernel: jax.Array, y: jax.Array, window: Window, structure: None) -> jax.Array:
    """Transpose of `convolve` in the signal."""
    del structure
    return _backward(kernel, y, window)


def estimate(x: jax.Array, y: jax.Array, window: Window, structure: None) -> jax.Array:
    """Transpose of `convolve` in the kernel."""
    del structure
    return estimated(reach(x, window), y, window, False, few_taps(window, False))


def _mixes(kernel: jax.Array, window: Window) -> bool:
    """Whether several channels go in or out: XLA's own derivatives are the faster ones then."""
    return math.prod(kernel.shape[: kernel.ndim - window.ndim]) > 1


def _flipped(kernel: jax.Array, window: Window) -> jax.Array:
    return jnp.flip(kernel, tuple(range(-window.ndim, 0)))


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
    outside = [(max(before, 0), max(after, 0)) for before, after in widths]
    if dtype == jnp.float64:  # where XLA pads doubles itself it reads beyond the end of large arrays, on some CPUs
        outside = [(0, 0)] * window.ndim
    inside = [(w[0] - o[0], w[1] - o[1], 0) for w, o in zip(widths, outside, strict=True)]  # crops what nothing reads
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


PRODUCTS = Products("xla", convolve, correlate, estimate)
