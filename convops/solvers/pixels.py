"""The diagonal of V diag(v) V^H in closed form: the variance of each pixel where that of each coefficient is known.

It is ``sum_k |V[i, k]|^2 v[k]``: the same for every pixel under the FFT, and axis after axis under the DCT-II and for
the factors of a Kronecker product, whose bases are products.
"""

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.separation import KroneckerSVD, along
from .perturbing import Precision
from .spectral import Transform


def pixel_variance(model: Precision) -> jax.Array:
    """The diagonal of N^-1, infinite where a pixel has a part in a direction that neither A nor L sees."""
    assert model.basis is not None
    values, known = model.variances
    variance = _diagonal(model.basis, model, values)
    # what is unknown of a pixel, between 0 and 1
    blind = _diagonal(model.basis, model, jnp.where(known, 0, 1).astype(values.dtype))
    if model.thin:
        assert isinstance(model.basis, KroneckerSVD)
        rest = _missed(model.basis)
        some = model.weight > 0
        variance = variance + jnp.where(some, rest / jnp.where(some, model.weight, 1), 0)
        blind = blind + jnp.where(some, 0, rest)
    rounding = 16 * jnp.finfo(values.dtype).eps * jnp.maximum(jnp.max(blind), jnp.finfo(values.dtype).tiny)
    return jnp.where(blind > rounding, jnp.inf, jnp.maximum(variance, 0))


def _diagonal(basis: Transform | KroneckerSVD, model: Precision, values: jax.Array) -> jax.Array:
    if isinstance(basis, KroneckerSVD):
        for axis, v in enumerate(basis.right):
            values = along((jnp.abs(v) ** 2).T, values, axis)
        return values.reshape(basis.in_shape)
    if basis.name == "fft":
        total = jnp.sum(basis.count * values, axis=basis.axes, keepdims=True)
        values = total / np.prod([basis.shape[a] for a in basis.axes])
    else:
        for axis in basis.axes:
            values = jnp.moveaxis(_cosines(jnp.moveaxis(values, axis, -1)), -1, axis)
    return jnp.broadcast_to(values, model.A.in_shape)


def _cosines(v: jax.Array) -> jax.Array:
    """sum_k s[k]^2 cos(pi k (2 i + 1) / 2N)^2 v[k] along the last axis, by an FFT, for cos^2 a = (1 + cos 2a) / 2."""
    n = v.shape[-1]
    k = np.arange(n)
    scaled = v * jnp.asarray(np.where(k == 0, 0.5, 1) / n, v.dtype).reshape((1,) * (v.ndim - 1) + (n,))
    turned = scaled * jnp.asarray(np.exp(1j * np.pi * k / n), jnp.result_type(v.dtype, jnp.complex64)).reshape(
        (1,) * (v.ndim - 1) + (n,)
    )
    return jnp.sum(scaled, -1, keepdims=True) + n * jnp.real(jnp.fft.ifft(turned))


def _missed(svd: KroneckerSVD) -> jax.Array:
    """The share of each pixel in the directions that the basis misses: 1 - sum_k |V[i, k]|^2, exactly 0 where none."""
    share = jnp.ones((), svd.values[0].dtype)
    for v in svd.right:
        kept = jnp.sum(jnp.abs(v) ** 2, 0) if v.shape[0] < v.shape[1] else jnp.ones(v.shape[1], share.dtype)
        share = share[..., None] * kept.reshape((1,) * share.ndim + (-1,))
    return jnp.maximum(1 - share, 0).reshape(svd.in_shape)
