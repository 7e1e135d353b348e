"""Powers of absolute values below one."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators.base import Shape
from ..operators.pytree import static
from . import checks
from .analysis import operator_on, orthonormal, transform_of
from .base import Penalty, Term
from .pointwise import fractional_shrunk, modulus
from .sparsity import through


class HyperLaplacian(Penalty):
    """weight sum |W x|^power with 0 < power < 1: sparser than `L1`, and not convex.

    The prox is the global minimiser: zero up to a threshold, then a closed form for the powers 1/2 and 2/3 and Newton's
    steps for others. It is known without a transform and with an orthonormal one; with other operators, splitting
    methods work on the `terms`.

    Parameters
    ----------
    weight : float or array
        Non-negative; an array weighs every coefficient.
    power : float
        Between 0 and 1. Derivatives of photographs have about 0.5 to 0.8.
    transform : LinearOperator or "gradient", optional
        W; the identity by default. ``"gradient"`` takes every difference by itself.

    Raises
    ------
    ValueError
        For a negative or NaN weight, a power outside of (0, 1), or a transform that is no operator; from `prox`, for an
        operator that is not orthonormal.

    References
    ----------
    Krishnan & Fergus, NIPS 2009.

    Examples
    --------
    >>> import convops as co
    >>> penalty = co.HyperLaplacian(power=0.5)
    >>> print(penalty([4.0, 0.0, 9.0]), penalty.prox([4.0, 1.4, 9.0]).round(1))
    5.0 [3.7 0.  8.8]
    """

    weight: jax.Array
    transform: Any
    power: float = static()

    def __init__(self, weight: Any = 1.0, *, power: float = 2 / 3, transform: Any = None) -> None:
        if not isinstance(power, int | float) or not 0 < power < 1:
            raise ValueError(f"`power` is {power!r}; give a number between 0 and 1 (1 would be co.L1)")
        self._hold(weight=checks.weight_of(weight), transform=transform_of(transform), power=float(power))

    def _value(self, x: jax.Array) -> jax.Array:
        size = modulus(operator_on(self.transform, x.shape)._matvec(x))
        raised = jnp.where(size == 0, 0, jnp.where(size == 0, 1, size) ** self.power)
        return jnp.sum(checks.fitted(self.weight, size) * raised)

    def _terms(self, shape: Shape) -> tuple[Term, ...]:
        return (Term(operator_on(self.transform, shape), HyperLaplacian(self.weight, power=self.power)),)

    def _times(self, factor: jax.Array) -> "HyperLaplacian":
        return HyperLaplacian(factor * self.weight, power=self.power, transform=self.transform)

    def _prox(self, x: jax.Array, step: jax.Array) -> jax.Array:
        if self.transform is not None:
            return through(self, x, step)
        return fractional_shrunk(x, step * checks.fitted(self.weight, x), self.power)

    @property
    def _place(self) -> str:
        return "pointwise" if self.transform is None else "other"

    @property
    def convex(self) -> bool:
        return False

    @property
    def exact(self) -> bool:
        return self.transform is None or orthonormal(self.transform)
