"""Sets that the solution must lie in: 0 inside, infinity outside, and the prox is the projection."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from optax import projections

from ..operators.arrays import traced
from ..operators.base import Shape
from ..operators.elementary import identity
from . import checks
from .base import Penalty, Term


class Constraint(Penalty):
    """A closed convex set: what the constraints share."""

    @property
    def _cone(self) -> bool:
        """Whether it keeps every non-negative number as it is."""
        return False

    def _inside(self, x: jax.Array) -> jax.Array:
        """Whether x lies in the set."""
        raise NotImplementedError(f"{type(self).__name__} does not define _inside")

    def _value(self, x: jax.Array) -> jax.Array:
        return jnp.where(self._inside(x), 0, jnp.inf).astype(x.dtype)

    def _terms(self, shape: Shape) -> tuple[Term, ...]:
        return (Term(identity(shape), self),)

    def _times(self, factor: jax.Array) -> Any:
        return self

    def _check(self, x: jax.Array) -> None:
        checks.real_only(x, type(self).__name__)

    @property
    def exact(self) -> bool:
        return True


class NonNegative(Constraint):
    """No negative number: 0 where x >= 0, infinity elsewhere.

    Examples
    --------
    >>> import convops as co
    >>> print(co.NonNegative().prox([1.0, -2.0]), co.NonNegative()([1.0, -2.0]))
    [1. 0.] inf
    """

    def __init__(self) -> None:
        pass

    def _inside(self, x: jax.Array) -> jax.Array:
        return jnp.all(x >= 0)

    def _prox(self, x: jax.Array, step: jax.Array) -> jax.Array:
        return projections.projection_non_negative(x)

    @property
    def _place(self) -> str:
        return "interval"

    @property
    def _cone(self) -> bool:
        return True


class Box(Constraint):
    """Every number between two bounds: 0 where lower <= x <= upper, infinity elsewhere.

    Parameters
    ----------
    lower, upper : float or array
        Numbers, or arrays of the shape of x; they may be infinite.

    Raises
    ------
    ValueError
        For NaN, or a lower bound above the upper one.

    Examples
    --------
    >>> import convops as co
    >>> print(co.Box(0.0, 1.0).prox([0.5, -2.0, 3.0]))
    [0.5 0.  1. ]
    """

    lower: jax.Array
    upper: jax.Array

    def __init__(self, lower: Any, upper: Any) -> None:
        lower, upper = checks.bound_of(lower, "lower"), checks.bound_of(upper, "upper")
        if not traced(lower) and not traced(upper) and (np.asarray(lower) > np.asarray(upper)).any():
            raise ValueError(
                f"`lower` is {checks.told(lower)} and `upper` {checks.told(upper)}: no number lies between them"
            )
        self._hold(lower=lower, upper=upper)

    def _ends(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return checks.fitted(self.lower, x, "lower"), checks.fitted(self.upper, x, "upper")

    def _inside(self, x: jax.Array) -> jax.Array:
        lower, upper = self._ends(x)
        return jnp.all((x >= lower) & (x <= upper))

    def _prox(self, x: jax.Array, step: jax.Array) -> jax.Array:
        return projections.projection_box(x, *self._ends(x))

    @property
    def _place(self) -> str:
        return "interval"


class Simplex(Constraint):
    """Non-negative numbers with a given sum, as the pixels of a point-spread function.

    Parameters
    ----------
    total : float
        The sum; positive. The value takes it for met to the square root of the rounding unit.

    Raises
    ------
    ValueError
        For a total that is not positive.

    Examples
    --------
    >>> import convops as co
    >>> print(co.Simplex().prox([0.5, 1.0, -1.0]))
    [0.25 0.75 0.  ]
    """

    total: jax.Array

    def __init__(self, total: Any = 1.0) -> None:
        total = checks.positive_of(total, "total")
        if total.ndim:
            raise ValueError(f"`total` has shape {total.shape}; give one positive number")
        self._hold(total=total)

    def _inside(self, x: jax.Array) -> jax.Array:
        total = self.total.astype(x.dtype)
        slack = jnp.sqrt(jnp.finfo(x.dtype).eps) * total
        return jnp.all(x >= 0) & (jnp.abs(jnp.sum(x) - total) <= slack)

    def _prox(self, x: jax.Array, step: jax.Array) -> jax.Array:
        return projections.projection_simplex(x, self.total.astype(x.dtype))
