"""The quadratic penalty."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators import transforms
from ..operators.arrays import as_inexact
from ..operators.base import LinearOperator, Shape
from ..operators.spectral import gram_symbol
from ..operators.sums import square
from . import checks
from .analysis import like, norm_bound, operator_on, transform_of
from .base import Penalty, Term


class Quadratic(Penalty):
    """weight/2 norm(L (x - mean))^2.

    The prox is a closed form where L is diagonal or the FFT or the DCT-II diagonalises L^H L, as for differences and
    periodic convolutions; elsewhere it is a solve by conjugate gradients.

    Parameters
    ----------
    L : LinearOperator or "gradient", optional
        The identity by default. ``"gradient"`` is `convops.gradient` of the shape that comes.
    weight : float
        Non-negative.
    mean : array, optional
        What x is drawn to; zero by default.

    Raises
    ------
    ValueError
        For a negative or NaN weight, or an `L` that is no operator.

    Examples
    --------
    >>> import convops as co
    >>> penalty = co.Quadratic(co.difference(3, boundary="symmetric"), 2.0)
    >>> print(penalty([1.0, 2.0, 4.0]), penalty.gradient([1.0, 2.0, 4.0]))
    5.0 [-2. -2.  4.]
    >>> print(penalty.prox([1.0, 2.0, 4.0], step=0.5).astype("float16"))
    [1.625 2.25  3.125]
    """

    L: Any
    weight: jax.Array
    mean: jax.Array | None

    def __init__(self, L: Any = None, weight: Any = 1.0, *, mean: Any = None) -> None:
        mean = None if mean is None else as_inexact(mean, "mean")
        weight = checks.weight_of(weight)
        if weight.ndim:
            raise ValueError(f"`weight` has shape {weight.shape}; give one number, and weigh pixels in `L`")
        self._hold(L=transform_of(L), weight=weight, mean=mean)

    def _value(self, x: jax.Array) -> jax.Array:
        z = operator_on(self.L, x.shape, "L")._matvec(self._centred(x))
        return self._weight(x) / 2 * square(z)

    def _terms(self, shape: Shape) -> tuple[Term, ...]:
        op = operator_on(self.L, shape, "L")
        mean = None if self.mean is None else op._matvec(jnp.broadcast_to(self.mean, shape))
        return (Term(op, Quadratic(None, self.weight, mean=mean)),)

    def _times(self, factor: jax.Array) -> "Quadratic":
        return Quadratic(self.L, factor * self.weight, mean=self.mean)

    def _prox(self, x: jax.Array, step: jax.Array) -> jax.Array:
        strength = step * self._weight(x)
        if self.L is None:
            shift = 0 if self.mean is None else strength * self._mean(x)
            return (x + shift) / (1 + strength)
        solved = _solved(operator_on(self.L, x.shape, "L"), strength, self._centred(x))
        return solved if self.mean is None else solved + self._mean(x)

    def _bound(self, shape: Shape) -> jax.Array:
        return self.weight if self.L is None else self.weight * norm_bound(operator_on(self.L, shape, "L")) ** 2

    def _check(self, x: jax.Array) -> None:
        if self.mean is not None and self.mean.ndim and self.mean.shape != x.shape:
            raise ValueError(f"`mean` has shape {self.mean.shape}, but `x` has shape {x.shape}")
        if self.mean is not None and jnp.iscomplexobj(self.mean) and not jnp.iscomplexobj(x):
            raise ValueError("`mean` is complex and `x` is real: give a real mean, or complex numbers")

    def _weight(self, x: jax.Array) -> jax.Array:
        return self.weight.astype(jnp.finfo(x.dtype).dtype)

    def _mean(self, x: jax.Array) -> jax.Array:
        assert self.mean is not None
        return self.mean if jnp.iscomplexobj(self.mean) else self.mean.astype(jnp.finfo(x.dtype).dtype)

    def _centred(self, x: jax.Array) -> jax.Array:
        return x if self.mean is None else x - self._mean(x)

    @property
    def _place(self) -> str:
        return "quadratic" if self.L is None else "other"

    @property
    def smooth(self) -> bool:
        return True

    @property
    def exact(self) -> bool:
        return True


def _solved(L: LinearOperator, strength: jax.Array, b: jax.Array) -> jax.Array:
    """Solve (I + strength L^H L) u = b."""
    real = not jnp.issubdtype(L.dtype, jnp.complexfloating)
    for transform in transforms.NAMES if real or jnp.iscomplexobj(b) else ():
        found = gram_symbol(L, transform)
        if found is not None:
            axes = tuple(sorted(found.axes))
            values = jnp.real(found.values).astype(strength.dtype)
            halved = real and transform == "fft" and axes
            gain = 1 / (1 + strength * (transforms.half(values, axes) if halved else values))
            return transforms.filtered(b, gain, transform, axes, real)
    if "diagonal" in L.tags:
        return b / (1 + strength * jnp.real(L._rmatvec(L._matvec(jnp.ones_like(b)))))

    def normal(u: jax.Array) -> jax.Array:
        return u + strength * like(b, L._rmatvec(L._matvec(u)))

    tolerance = 1e-6 if jnp.finfo(b.dtype).bits == 32 else 1e-12
    return jax.scipy.sparse.linalg.cg(normal, b, tol=tolerance, maxiter=500)[0]
