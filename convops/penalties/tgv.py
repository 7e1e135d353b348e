"""Total generalised variation of second order."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators.base import Shape
from ..operators.pytree import static
from ..operators.sums import inner
from ..operators.window import per_axis, shape_of
from . import checks, lifting
from .analysis import Differences
from .base import Penalty, Term
from .lifted_operators import mismatch, symmetrised_gradient
from .sparsity import GroupL1

BOUNDARIES = ("symmetric", "wrap")


class TGV(Penalty):
    """Total generalised variation, min_w weight norm(D x - w)_{2,1} + ratio weight norm(E w)_{2,1}.

    D is the gradient, w a field of vectors, E w the symmetric part of its derivative. Regions become affine where
    `TotalVariation` makes them flat: slopes have no staircases. Under ``symmetric`` D x is compared with w where there
    is a difference, so that the value of an affine image is 0. Value and prox are minimised over w by iterations,
    to about three digits; splitting methods work on `lifted`, the terms of x and w together.

    Parameters
    ----------
    weight : float
        Non-negative.
    ratio : float
        Positive; 2 is usual.
    axes : int or tuple of int, optional
        The axes of the differences; all by default.
    boundary : {"symmetric", "wrap"}
        One for all axes or one an axis.

    Raises
    ------
    ValueError
        For a negative or NaN weight, another boundary, or axes that do not fit; from `terms`, which it has not.

    References
    ----------
    Bredies, Kunisch & Pock, SIAM J. Imaging Sci. 3 (2010) 492.

    Examples
    --------
    >>> import convops as co
    >>> tgv = co.TGV(0.5)
    >>> print(tgv([0.0, 1.0, 2.0, 3.0, 4.0]).round(3), tgv([0.0, 0.0, 0.0, 3.0, 3.0, 3.0]).round(2))
    0.0 1.5
    >>> print(tgv.prox([0.0, 1.0, 2.0, 3.0, 4.0]).astype("float16"))
    [0. 1. 2. 3. 4.]
    """

    weight: jax.Array
    ratio: jax.Array
    _along: Differences
    boundary: Any = static()

    def __init__(self, weight: Any = 1.0, *, ratio: Any = 2.0, axes: Any = None, boundary: Any = "symmetric") -> None:
        weight, ratio = checks.weight_of(weight), checks.positive_of(ratio, "ratio")
        for name, value in (("weight", weight), ("ratio", ratio)):
            if value.ndim:
                raise ValueError(f"`{name}` has shape {value.shape}; give one number")
        boundary = tuple(boundary) if isinstance(boundary, tuple | list) else boundary
        for name in boundary if isinstance(boundary, tuple) else (boundary,):
            if name not in BOUNDARIES:
                raise ValueError(f"`boundary` is {name!r}; accepted are {', '.join(map(repr, BOUNDARIES))}")
        along = Differences(None if axes is None else checks.axes_given(axes, "axes"))
        self._hold(weight=weight, ratio=ratio, _along=along, boundary=boundary)

    def _value(self, x: jax.Array) -> jax.Array:
        """The minimum; its derivatives are those of the sum at the minimiser, and D^T p in x with the dual p."""
        held = jax.lax.stop_gradient((self, x))
        state = lifting.minimised(*held, jnp.zeros((), jnp.finfo(x.dtype).dtype))
        _, (first, second) = self.lifted(x.shape)
        u = jax.lax.stop_gradient(state.u)
        value = first.function._value(first.operator._matvec(u)) + second.function._value(second.operator._matvec(u))
        slope = jax.lax.stop_gradient(first.operator._rmatvec(state.p[0])[0])
        return value + inner(slope, x - held[1])

    def lifted(self, shape: Any) -> tuple[Shape, tuple[Term, ...]]:
        """Return the shape (1 + number of axes, *shape) of x and w in one array, and the two terms on it."""
        shape = shape_of(shape)
        axes = self._along.along(len(shape))
        if not axes:
            raise ValueError(f"`x` has shape {shape}: no axis is left to take differences along")
        boundary = per_axis(self.boundary, len(axes), "boundary")
        first = Term(mismatch(shape, axes, boundary), GroupL1(self.weight))
        second = Term(symmetrised_gradient(shape, axes, boundary), GroupL1(self.ratio * self.weight))
        return first.operator.in_shape, (first, second)

    def _terms(self, shape: Shape) -> tuple[Term, ...]:
        raise ValueError("TGV has no terms in x alone, being a minimum over a field of vectors; take `lifted`")

    def _times(self, factor: jax.Array) -> "TGV":
        return TGV(factor * self.weight, ratio=self.ratio, axes=self._along.axes, boundary=self.boundary)

    def _joined(self, x: jax.Array) -> jax.Array:
        """The joint unknown to start from."""
        return self.lifted(x.shape)[1][0].operator.joined(x)  # type: ignore[attr-defined]

    def _strength(self) -> jax.Array:
        """The size of the dual unknowns."""
        return self.weight

    @property
    def lifts(self) -> bool:
        return True
