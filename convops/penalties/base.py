"""Penalty: what a solver adds to the misfit, a frozen dataclass and a pytree with its weight among the leaves."""

import dataclasses
import inspect
from functools import partial
from typing import Any, NamedTuple, Self, dataclass_transform

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator, Shape
from ..operators.pytree import register, static
from ..operators.window import shape_of
from . import checks, dual
from .analysis import like


class Term(NamedTuple):
    """One part of a penalty: ``function(operator @ x)``, the function having a prox in closed form.

    Attributes
    ----------
    operator : LinearOperator
        From the shape of x.
    function : Penalty
        Of arrays of ``operator.out_shape``.
    """

    operator: LinearOperator
    function: "Penalty"


@dataclass_transform(
    frozen_default=True, eq_default=False, kw_only_default=True, field_specifiers=(static, dataclasses.field)
)
class Penalty:
    """A function of an image with a weight, a value, a proximal map and, where it is smooth, a gradient.

    Penalties add up (``a + b``) and have positive multiples (``2.0 * a``). They go through jit as arguments: weights
    and arrays are leaves, so that nothing is compiled anew when only numbers change, and vmap and grad reach them.

    Examples
    --------
    >>> import convops as co
    >>> penalty = co.L1(0.5) + co.NonNegative()
    >>> print(penalty([3.0, 0.2]), penalty.prox([3.0, 0.2]), penalty.prox([3.0, -1.0], step=2.0))
    1.6 [2.5 0. ] [2. 0.]
    """

    __array_ufunc__ = None  # numpy leaves `number * penalty` to the penalty

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__init__ is not object.__init__ and not inspect.get_annotations(cls):
            cls.__init__ = cls.__init__  # a subclass without fields of its own keeps the one that it inherits
        register(cls)

    def _hold(self, **fields: Any) -> None:
        """Set the fields of a penalty under construction."""
        self.__dict__.update(fields)

    # what a subclass writes

    def _value(self, x: jax.Array) -> jax.Array:
        """The value, unchecked."""
        raise NotImplementedError(f"{type(self).__name__} does not define _value")

    def _terms(self, shape: Shape) -> tuple[Term, ...]:
        """The terms for arrays of a shape."""
        raise NotImplementedError(f"{type(self).__name__} does not define _terms")

    def _times(self, factor: jax.Array) -> Self:
        """The positive multiple."""
        raise NotImplementedError(f"{type(self).__name__} does not define _times")

    def _prox(self, x: jax.Array, step: jax.Array) -> jax.Array:
        """The proximal map, unchecked; by the dual unless a subclass has a closed form."""
        return dual.converged(self, x, step)

    def _conjugate_prox(self, v: jax.Array, step: jax.Array) -> jax.Array:
        """The proximal map of the conjugate, unchecked, by Moreau's identity unless something shorter is known."""
        return v - step * self._prox(v / step, 1 / step)

    def _bound(self, shape: Shape) -> jax.Array:
        """A bound of the gradient's Lipschitz constant."""
        raise NotImplementedError(f"{type(self).__name__} does not define _bound")

    def _check(self, x: jax.Array) -> None:
        """Refuse arrays that the penalty does not take."""

    @property
    def _place(self) -> str:
        """What the prox of a sum makes of it: 'quadratic', 'pointwise', 'interval' or 'other'."""
        return "other"

    # facts

    @property
    def smooth(self) -> bool:
        """Whether the gradient is Lipschitz continuous."""
        return False

    @property
    def convex(self) -> bool:
        """Whether the function is convex."""
        return True

    @property
    def exact(self) -> bool:
        """Whether `prox` is a closed form; else it is computed by iterations, and `warm_prox` goes on from the last."""
        return False

    @property
    def parts(self) -> tuple["Penalty", ...]:
        """The summands: the penalty itself unless it is a sum."""
        return (self,)

    @property
    def lifts(self) -> bool:
        """Whether it is a minimum over further unknowns, so that `lifted` has terms and `terms` has not."""
        return False

    # what a user calls

    def __call__(self, x: Any) -> jax.Array:
        """Return the value, a real scalar, weight included; 0 or infinity for a constraint."""
        return _value(self, self._checked(x))

    def prox(self, x: Any, step: Any = 1.0) -> jax.Array:
        """Return argmin_u penalty(u) + norm(u - x)^2 / (2 step), the global minimiser.

        Parameters
        ----------
        x : array
        step : float
            Positive.

        Returns
        -------
        Array
            Of the shape and dtype of x. Where there is no closed form (`exact` is False), iterations stop when they
            change x by less than 1e-6 of its norm in single and 1e-9 in double precision, or after 500; `TGV` takes up
            to 2000 steps, to 1e-8 in double precision. Derivatives, in both modes, are those of the solution, by 625
            further steps (2500 for `TGV`) that stay at it: to about 1e-3 of their norm where the prox is smooth, and
            of first order only. Reverse mode keeps as many states as twice the root of that; `warm_prox` has
            derivatives through its own few steps.
        """
        x = self._checked(x)
        return _prox(self, x, checks.step_of(step, _wide(x).dtype))

    def conjugate_prox(self, v: Any, step: Any = 1.0) -> jax.Array:
        """Return the prox of the conjugate function, v - step prox(v / step, 1 / step) (Moreau's identity)."""
        v = self._checked(v)
        return _conjugate_prox(self, v, checks.step_of(step, _wide(v).dtype))

    def gradient(self, x: Any) -> jax.Array:
        """Return the gradient (for complex x the direction of steepest ascent), with 0 where there is a kink."""
        return _gradient(self, self._checked(x))

    def curvature(self, shape: Any) -> jax.Array:
        """Return an upper bound of the gradient's Lipschitz constant for arrays of a shape.

        Raises ValueError where the penalty is not smooth.
        """
        if not self.smooth:
            raise ValueError(f"{self!r} is not smooth: its gradient has no Lipschitz constant; use its `prox`")
        return self._bound(shape_of(shape))

    def terms(self, shape: Any) -> tuple[Term, ...]:
        """Return the terms (operator, function) with penalty(x) = sum of function(operator @ x).

        Every function has a prox in closed form: this is what splitting methods work on.
        """
        return self._terms(shape_of(shape))

    def lifted(self, shape: Any) -> tuple[Shape, tuple[Term, ...]]:
        """Return the shape of the joint unknown, x and what the penalty is minimised over, and the terms on it.

        For most penalties these are the shape of x and `terms`; for `TGV` the joint unknown holds x at index 0.
        """
        shape = shape_of(shape)
        return shape, self._terms(shape)

    def dual_start(self, x: Any) -> Any:
        """Return zeros to start `warm_prox` from: a pytree, empty where the prox is a closed form."""
        return dual.zeros(self, _wide(self._checked(x)))

    def warm_prox(self, x: Any, step: Any, dual: Any, steps: int = 10) -> tuple[jax.Array, Any]:
        """Take some steps towards the prox from a dual point, and return it with the dual point reached.

        Parameters
        ----------
        x : array
        step : float
        dual : pytree
            As `dual_start` or the last call returned it; it stays a good start when x, step or the weight change.
        steps : int

        Returns
        -------
        u : Array
        dual : pytree
        """
        x = self._checked(x)
        return _warm_prox(self, x, checks.step_of(step, _wide(x).dtype), dual, checks.steps_of(steps))

    # algebra

    def __add__(self, other: Any) -> "Penalty":
        from .sums import Sum

        if isinstance(other, Penalty):
            return Sum(self.parts + other.parts)
        return self if isinstance(other, int | float) and other == 0 else NotImplemented  # sum() starts from 0

    def __radd__(self, other: Any) -> "Penalty":
        return self.__add__(other)

    def __mul__(self, factor: Any) -> Self:
        return self._times(checks.factor_of(factor))

    def __rmul__(self, factor: Any) -> Self:
        return self._times(checks.factor_of(factor))

    def __repr__(self) -> str:
        told = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self) if f.name[0] != "_")  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(f'{n}={checks.told(v)}' for n, v in told if v is not None)})"

    def _checked(self, x: Any) -> jax.Array:
        from ..operators.arrays import as_inexact

        x = as_inexact(x, "x")
        self._check(x)
        return x


@jax.jit
def _value(penalty: Penalty, x: jax.Array) -> jax.Array:
    return penalty._value(_wide(x)).astype(jnp.finfo(x.dtype).dtype)


@jax.jit
def _gradient(penalty: Penalty, x: jax.Array) -> jax.Array:
    return jnp.conj(jax.grad(penalty._value)(_wide(x))).astype(x.dtype)


@jax.jit
def _prox(penalty: Penalty, x: jax.Array, step: jax.Array) -> jax.Array:
    return like(x, penalty._prox(_wide(x), step))


@jax.jit
def _conjugate_prox(penalty: Penalty, v: jax.Array, step: jax.Array) -> jax.Array:
    return penalty._conjugate_prox(_wide(v), step).astype(v.dtype)


def _wide(x: jax.Array) -> jax.Array:
    """At least single precision: squares of half precision vanish, and its FFT does not exist."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


@partial(jax.jit, static_argnames="steps")
def _warm_prox(penalty: Penalty, x: jax.Array, step: jax.Array, start: Any, steps: int) -> tuple[jax.Array, Any]:
    u, reached = dual.advanced(penalty, _wide(x), step, start, steps)
    return u.astype(x.dtype), reached
