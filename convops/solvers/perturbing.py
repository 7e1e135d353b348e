"""Draws from the Gaussian around a Tikhonov solution: perturb, then optimise.

With ``N = A^H A + weight L^H L`` and white n1, n2 of unit variance, ``N^-1 (A^H n1 + sqrt(weight) L^H n2)`` has the
covariance N^-1, whatever solves with N: a transform, or conjugate gradients.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.arrays import positive_ratio
from ..operators.base import LinearOperator
from ..operators.separation import KroneckerSVD
from . import normal, spectral

TOGETHER = 2**21  # numbers in the draws that are made at a time


class Precision(NamedTuple):
    """N, with what is known to diagonalise it."""

    A: LinearOperator
    L: LinearOperator
    weight: jax.Array
    basis: spectral.Transform | KroneckerSVD | None
    square: jax.Array | None  # eigenvalues s^2 of A^H A and d of L^H L on the basis
    rough: jax.Array | None

    @property
    def variances(self) -> tuple[jax.Array, jax.Array]:
        """1 / (s^2 + weight d) for each coefficient, zero where that is infinite; and where it is not."""
        assert self.square is not None
        assert self.rough is not None
        below = self.square + self.weight * self.rough
        return positive_ratio(1, below), below > 0

    @property
    def thin(self) -> bool:
        """Whether the basis misses directions of x; of those A sees nothing, and L is the identity."""
        return isinstance(self.basis, KroneckerSVD) and any(v.shape[0] < v.shape[1] for v in self.basis.right)


def precision_of(A: LinearOperator, L: LinearOperator, weight: jax.Array, dtype: Any) -> Precision:
    """N for problems of a dtype."""
    basis = spectral.shared(A, L, dtype)
    if basis is None:
        return Precision(A, L, weight, None, None, None)
    problem = spectral.coefficients(A, L, jnp.zeros(A.out_shape, dtype), basis)
    return Precision(A, L, weight, basis, problem.square, problem.rough)


def typed(key: Any) -> jax.Array:
    """Return a random key of jax, old style or new, in the new style."""
    if isinstance(key, jax.Array) and key.ndim == 0 and jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        return key
    raw = jnp.asarray(key) if getattr(key, "dtype", None) == jnp.uint32 and getattr(key, "ndim", 0) == 1 else None
    if raw is not None and raw.shape == jax.random.key_data(jax.random.key(0)).shape:
        return jax.random.wrap_key_data(raw)
    told = f"shape {key.shape} and dtype {key.dtype}" if hasattr(key, "shape") else repr(key)
    raise ValueError(f"`key` is {told}; give one random key: jax.random.key(0) (jax.vmap takes batches)")


@partial(jax.jit, static_argnames=("count", "dtype", "max_steps"))
def draws(model: Precision, key: jax.Array, count: int, dtype: Any, rtol: jax.Array, max_steps: int) -> jax.Array:
    """Draws with the covariance N^-1; the i-th depends on the key and i alone."""
    one = partial(_draw, model, dtype, rtol, max_steps)
    return jax.lax.map(one, _keys(key, count), batch_size=_together(model))


@partial(jax.jit, static_argnames=("count", "dtype", "max_steps"))
def mean_square(model: Precision, key: jax.Array, count: int, dtype: Any, rtol: jax.Array, max_steps: int) -> jax.Array:
    """The mean of |draw|^2 over as many draws, a few of them in memory."""
    one = partial(_draw, model, dtype, rtol, max_steps)
    chunk = max(n for n in range(1, min(count, _together(model)) + 1) if count % n == 0)

    def add(total: jax.Array, keys: jax.Array) -> tuple[jax.Array, None]:
        return total + jnp.sum(jnp.abs(jax.vmap(one)(keys)) ** 2, 0), None

    zeros = jnp.zeros(model.A.in_shape, jnp.finfo(dtype).dtype)
    return jax.lax.scan(add, zeros, _keys(key, count).reshape(-1, chunk))[0] / count


def _keys(key: jax.Array, count: int) -> jax.Array:
    return jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(count))


def _together(model: Precision) -> int:
    return max(TOGETHER // max(model.A.shape), 1)


def _draw(model: Precision, dtype: Any, rtol: jax.Array, max_steps: int, key: jax.Array) -> jax.Array:
    A, L, weight = model.A, model.L, model.weight
    first, second = jax.random.split(key)
    data, prior = jax.random.normal(first, A.out_shape, dtype), jax.random.normal(second, L.out_shape, dtype)
    rhs = A._rmatvec(data) + jnp.sqrt(weight) * L._rmatvec(prior)
    if model.basis is None:
        system = normal.equations(A, L, rhs, weight, rtol, jnp.zeros_like(rtol))
        return normal.by_cg(system, rtol, jnp.zeros_like(rtol), max_steps)[0]
    gain = model.variances[0]
    if isinstance(model.basis, spectral.Transform):
        return model.basis.backward(gain * model.basis.forward(rhs))
    inside = model.basis.analysis(rhs)
    found = model.basis.backward(gain * inside)
    if not model.thin:
        return found
    return found + (rhs - model.basis.backward(inside)) * positive_ratio(1, weight)
