"""Moduli and shrinkage with finite derivatives, also at zero."""

import math

import jax
import jax.numpy as jnp

Axes = tuple[int, ...] | None


def modulus(z: jax.Array, axes: Axes = None, keep: bool = False) -> jax.Array:
    """Absolute values, or 2-norms along some axes, with the derivative 0 at zero."""
    if axes is None and not jnp.iscomplexobj(z):
        return jnp.abs(z)
    square = jnp.real(z) ** 2 + jnp.imag(z) ** 2 if jnp.iscomplexobj(z) else z**2
    if axes is not None:
        square = jnp.sum(square, axes, keepdims=keep)
    return jnp.where(square == 0, 0, jnp.sqrt(jnp.where(square == 0, 1, square)))


def shrunk(z: jax.Array, threshold: jax.Array, axes: Axes = None, knee: jax.Array | float = 0.0) -> jax.Array:
    """Shorten z (or its vectors along some axes) by a threshold, those shorter than threshold + knee in proportion.

    The factor is 1 - threshold / max(norm(z), threshold + knee): with the knee 0 soft thresholding.
    """
    if axes is None and not jnp.iscomplexobj(z) and isinstance(knee, float) and knee == 0:
        return z - jnp.clip(z, -threshold, threshold)
    length = modulus(z, axes, keep=True)
    threshold, knee = spread(threshold, axes), spread(jnp.asarray(knee, threshold.dtype), axes)
    known = jnp.isfinite(threshold)  # infinite ones, of steps that overflow, leave nothing
    threshold = jnp.where(known, threshold, 0)
    floor = jnp.maximum(length, threshold + knee)
    return z * jnp.where(known, 1 - threshold / jnp.where(floor == 0, 1, floor), 0)


def limited(z: jax.Array, radius: jax.Array, axes: Axes = None) -> jax.Array:
    """Project z (or its vectors along some axes) onto the ball of a radius."""
    if axes is None and not jnp.iscomplexobj(z):
        return jnp.clip(z, -radius, radius)
    radius = spread(radius, axes)
    known = jnp.isfinite(radius)
    radius = jnp.where(known, radius, 0)
    floor = jnp.maximum(modulus(z, axes, keep=True), radius)
    return z * jnp.where(known, radius / jnp.where(floor == 0, 1, floor), 1)


def spread(weight: jax.Array, axes: Axes) -> jax.Array:
    """A weight of every group, with the axes of the groups put back."""
    return weight if axes is None or weight.ndim == 0 else jnp.expand_dims(weight, axes)


def fractional_shrunk(z: jax.Array, threshold: jax.Array, power: float) -> jax.Array:
    """The global minimiser of threshold |u|^power + 1/2 |u - z|^2, with 0 < power < 1, entry by entry.

    It is z times a gain that depends on kappa = threshold |z|^(power - 2) alone, and zero where kappa is above the
    value at which both minima are equal (Krishnan & Fergus, NIPS 2009).
    """
    size = modulus(z)
    ratio = (2 - power) / (2 * (1 - power))
    most = ratio ** (power - 2) / (2 * (1 - power))
    safe = jnp.where(size == 0, 1, size)
    kappa = threshold * safe ** (power - 2)
    kept = (size > 0) & (kappa < most)
    kappa = jnp.where(kept, kappa, 0)
    if math.isclose(power, 1 / 2):
        gain = _gain_of_half(kappa)
    elif math.isclose(power, 2 / 3):
        gain = _gain_of_two_thirds(kappa)
    else:
        gain = _gain(kappa, power, 1 / ratio)
    return jnp.where(kept, z * gain, 0)


def _gain_of_half(kappa: jax.Array) -> jax.Array:
    """The largest root of the cubic in the square root of the gain, by the cosine (Vieta)."""
    angle = jnp.arccos(kappa * (3**1.5 / 4))
    return (2 / 3) * (1 + jnp.cos((2 * math.pi - 2 * angle) / 3))


def _gain_of_two_thirds(kappa: jax.Array) -> jax.Array:
    """The largest root of q^4 - q + 2 kappa / 3 with gain q^3, by Ferrari's resolvent eta^3 - k eta - 1."""
    k = (8 / 3) * kappa
    a = jnp.cbrt(0.5 + jnp.sqrt(0.25 - (k / 3) ** 3))  # the root is real: k < 1.6
    root = jnp.sqrt(a + k / (3 * a))
    return ((root + jnp.sqrt(2 / root - root**2)) / 2) ** 3


def _gain(kappa: jax.Array, power: float, least: float) -> jax.Array:
    """The largest root of g - 1 + kappa power g^(power - 1): Newton's steps from 1 fall to it without overshooting."""
    g = jnp.ones_like(kappa)
    for _ in range(8):
        slope = 1 - kappa * power * (1 - power) * g ** (power - 2)
        g = jnp.maximum(g - (g - 1 + kappa * power * g ** (power - 1)) / slope, least)
    return g
