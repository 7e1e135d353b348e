"""Huber's function: quadratic where small, absolute value where large."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators.base import Shape
from ..operators.pytree import static
from . import checks
from .analysis import Differences, norm_bound, operator_on, orthonormal, transform_of
from .base import Penalty, Term
from .pointwise import modulus, shrunk
from .sparsity import through


class Huber(Penalty):
    """weight sum h(|W x|), h(t) = t^2 / (2 delta) up to delta and t - delta/2 beyond: smooth, and tends to `L1`.

    Parameters
    ----------
    weight : float or array
        Non-negative; an array weighs every modulus.
    delta : float
        Where it changes from quadratic to linear; positive.
    transform : LinearOperator or "gradient", optional
        W; the identity by default. ``"gradient"`` gives the Huber total variation, of the lengths of the gradients.
    axis : int or tuple of int, optional
        Take h of 2-norms along these axes of W x; axis 0 by default for ``"gradient"``, elsewhere of every number.

    Raises
    ------
    ValueError
        For a negative or NaN weight, a `delta` that is not positive, or a transform that is no operator.

    References
    ----------
    Huber, Ann. Math. Statist. 35 (1964) 73.

    Examples
    --------
    >>> import convops as co
    >>> penalty = co.Huber(2.0, delta=0.5)
    >>> print(penalty([0.5, 3.0]), penalty.gradient([0.25, 3.0]), penalty.prox([1.25, 3.0]).round(2))
    6.0 [1. 2.] [0.25 1.  ]
    """

    weight: jax.Array
    delta: jax.Array
    transform: Any
    axis: tuple[int, ...] | None = static()

    def __init__(self, weight: Any = 1.0, *, delta: Any, transform: Any = None, axis: Any = None) -> None:
        delta = checks.positive_of(delta, "delta")
        if delta.ndim:
            raise ValueError(f"`delta` has shape {delta.shape}; give one positive number")
        transform = transform_of(transform)
        axis = 0 if axis is None and isinstance(transform, Differences) else axis
        axes = None if axis is None else checks.axes_given(axis)
        self._hold(weight=checks.weight_of(weight), delta=delta, transform=transform, axis=axes)

    def _value(self, x: jax.Array) -> jax.Array:
        size = modulus(operator_on(self.transform, x.shape)._matvec(x), self.axis)
        delta = self.delta.astype(size.dtype)
        bent = jnp.minimum(size, delta)  # t^2/(2 delta) and t - delta/2 in one formula without a branch
        return jnp.sum(checks.fitted(self.weight, size) * bent * (size - bent / 2) / delta)

    def _terms(self, shape: Shape) -> tuple[Term, ...]:
        return (Term(operator_on(self.transform, shape), Huber(self.weight, delta=self.delta, axis=self.axis)),)

    def _times(self, factor: jax.Array) -> "Huber":
        return Huber(factor * self.weight, delta=self.delta, transform=self.transform, axis=self.axis)

    def _prox(self, x: jax.Array, step: jax.Array) -> jax.Array:
        if self.transform is not None:
            return through(self, x, step)
        size = jax.eval_shape(lambda z: modulus(z, self.axis), x)
        weight = checks.fitted(self.weight, size)  # type: ignore[arg-type]
        return shrunk(x, step * weight, self.axis, self.delta.astype(weight.dtype))

    def _bound(self, shape: Shape) -> jax.Array:
        largest = jnp.max(self.weight) / self.delta
        return largest if self.transform is None else largest * norm_bound(operator_on(self.transform, shape)) ** 2

    @property
    def _place(self) -> str:
        return "pointwise" if self.transform is None and self.axis is None else "other"

    @property
    def smooth(self) -> bool:
        return True

    @property
    def exact(self) -> bool:
        return self.transform is None or orthonormal(self.transform)
