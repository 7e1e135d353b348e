"""Sums of penalties."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators.base import Shape
from . import dual
from .base import Penalty, Term


class Sum(Penalty):
    """The sum of penalties, as ``a + b`` makes it.

    The prox is a closed form for one penalty that acts on every number by itself (`L1`, `Huber`, without a transform)
    together with `NonNegative` or `Box` (projection after prox) and squared distances ``Quadratic(None)``; elsewhere it
    is computed by iterations.

    Parameters
    ----------
    summands : sequence of Penalty

    Examples
    --------
    >>> import convops as co
    >>> penalty = co.TotalVariation(0.5) + co.NonNegative()
    >>> penalty
    TotalVariation(weight=0.5, transform='gradient', isotropic=True) + NonNegative()
    >>> print(penalty.prox([-3.0, 1.0, 5.0]).round(2))
    [0.  1.  4.5]
    """

    summands: tuple[Penalty, ...]

    def __init__(self, summands: Any) -> None:
        summands = tuple(summands)
        if not summands or not all(isinstance(part, Penalty) for part in summands):
            raise ValueError("`summands` must be a non-empty sequence of penalties")
        self._hold(summands=tuple(inner for part in summands for inner in part.parts))

    def _value(self, x: jax.Array) -> jax.Array:
        return sum((part._value(x) for part in self.summands), jnp.zeros((), jnp.finfo(x.dtype).dtype))

    def _terms(self, shape: Shape) -> tuple[Term, ...]:
        return tuple(term for part in self.summands for term in part._terms(shape))

    def _times(self, factor: jax.Array) -> "Sum":
        return Sum(tuple(part._times(factor) for part in self.summands))

    def _bound(self, shape: Shape) -> jax.Array:
        return sum((part._bound(shape) for part in self.summands), jnp.zeros(()))

    def _check(self, x: jax.Array) -> None:
        for part in self.summands:
            part._check(x)

    @property
    def smooth(self) -> bool:
        return all(part.smooth for part in self.summands)

    @property
    def convex(self) -> bool:
        return all(part.convex for part in self.summands)

    @property
    def exact(self) -> bool:
        return not self.lifts and not dual.split(self).others

    @property
    def parts(self) -> tuple[Penalty, ...]:
        return self.summands

    @property
    def lifts(self) -> bool:
        return any(part.lifts for part in self.summands)

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.summands))
