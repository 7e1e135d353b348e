"""Functions of eigenvalues: powers, reciprocals with a threshold, the determinant."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .arrays import number, positive_ratio, traced


def check_regular(values: jax.Array, what: str) -> None:
    """Refuse concrete eigenvalues of which some are zero to rounding."""
    if traced(values):
        return
    sizes = np.abs(np.asarray(values))
    zeros = int(np.sum(sizes <= np.finfo(sizes.dtype).eps * sizes.max(initial=0)))
    if zeros:
        raise ValueError(
            f"{what} of a singular operator: {zeros} of the {sizes.size} eigenvalues kept are zero to rounding; "
            "use pseudo_inverse()"
        )


def reciprocal(values: jax.Array, rcond: float | None) -> jax.Array:
    """1 / lambda where |lambda| > rcond max|lambda|, else 0."""
    if rcond is None:
        rcond = 100 * float(jnp.finfo(values.dtype).eps)
    elif not traced(rcond):
        rcond = number(rcond, "rcond", "a number of at least 0 and below 1", least=0, below=1)
    sizes = jnp.abs(values)
    keep = sizes > rcond * jnp.max(sizes)
    return jnp.where(keep, 1 / jnp.where(keep, values, 1), 0)


def power(values: jax.Array, exponent: float, real: bool, psd: bool) -> tuple[jax.Array, bool]:
    """lambda^p, and whether all of them are known to be non-negative; refused where it is not defined."""
    exponent = number(exponent, "exponent", "a finite real number")
    if exponent < 0:
        check_regular(values, f"power({exponent:g})")
    symmetric = not jnp.iscomplexobj(values)
    if exponent.is_integer():
        return lax.integer_pow(values, int(exponent)), symmetric and (psd or exponent % 2 == 0)
    if symmetric and not (real or psd):
        values, symmetric = values.astype(jnp.result_type(values.dtype, jnp.complex64)), False
    tolerance = 16 * float(jnp.finfo(values.dtype).eps) * jnp.max(jnp.abs(values))
    below = (jnp.real(values) < -tolerance) & (jnp.abs(jnp.imag(values)) <= tolerance)
    if real and not traced(values) and bool(jnp.any(below)):
        raise ValueError(
            f"power({exponent:g}) of a real operator with negative eigenvalues (the least is "
            f"{float(jnp.min(jnp.where(below, jnp.real(values), 0))):.3g}) is not real; for the complex one use "
            "co.spectral(A.eigenvalues, A.transform, A.axes, real=False, shape=A.in_shape)"
        )
    root = _principal(values, exponent)
    return (jnp.where(below, jnp.nan, root) if real else root), symmetric


def _principal(values: jax.Array, exponent: float) -> jax.Array:
    """The principal power; of zero (and of what is negative by rounding) it is 0, or infinite for a negative one."""
    zero = values == 0 if jnp.iscomplexobj(values) else values <= 0
    return jnp.where(zero, 0.0 if exponent > 0 else jnp.inf, jnp.where(zero, 1, values) ** exponent)


def slogdet(values: jax.Array, copies: int) -> tuple[jax.Array, jax.Array]:
    """Phase of the determinant and the logarithm of its size, each eigenvalue counted `copies` times."""
    sizes = jnp.abs(values)
    phases = positive_ratio(values, sizes)
    return jnp.prod(phases) ** copies, copies * jnp.sum(jnp.log(sizes))


def are_real(values: jax.Array, transform: str, axes: tuple[int, ...]) -> bool | None:
    """Whether eigenvalues belong to a real matrix, to rounding; None where they are traced and may."""
    if transform == "dct":
        return not jnp.iscomplexobj(values)
    if traced(values):
        return None
    array = np.asarray(values)
    opposite = np.conj(np.roll(np.flip(array, axes), (1,) * len(axes), axes))
    return bool(np.max(np.abs(array - opposite)) <= 100 * np.finfo(array.dtype).eps * np.max(np.abs(array)))
