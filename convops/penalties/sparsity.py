"""Sums of absolute values and of lengths: L1, GroupL1, total variation."""

from typing import Any

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator, Shape
from ..operators.pytree import static
from . import checks, dual
from .analysis import Differences, operator_on, orthonormal, transform_of
from .base import Penalty, Term
from .pointwise import limited, modulus, shrunk


class L1(Penalty):
    """weight sum |W x|: few coefficients of W x are not zero.

    The prox is a closed form without a transform (soft thresholding) and with an orthonormal one; with any other
    operator it is computed by iterations.

    Parameters
    ----------
    weight : float or array
        Non-negative; an array of the shape of W x weighs every coefficient.
    transform : LinearOperator or "gradient", optional
        W, e.g. `convops.wavelet`; the identity by default. Of complex numbers the modulus is taken.

    Raises
    ------
    ValueError
        For a negative or NaN weight, or a transform that is no operator.

    Examples
    --------
    >>> import convops as co
    >>> print(co.L1(0.5)([3.0, -1.0]), co.L1(0.5).prox([3.0, -1.0, 0.2]))
    2.0 [ 2.5 -0.5  0. ]
    >>> print(co.L1(0.5, transform=co.wavelet(4)).prox([4.0, 2.0, 5.0, 5.0]).astype("float16"))
    [3.646 2.354 4.5   4.5  ]
    """

    weight: jax.Array
    transform: Any

    def __init__(self, weight: Any = 1.0, *, transform: Any = None) -> None:
        self._hold(weight=checks.weight_of(weight), transform=transform_of(transform))

    def _value(self, x: jax.Array) -> jax.Array:
        size = modulus(operator_on(self.transform, x.shape)._matvec(x))
        return jnp.sum(checks.fitted(self.weight, size) * size)

    def _terms(self, shape: Shape) -> tuple[Term, ...]:
        return (Term(operator_on(self.transform, shape), L1(self.weight)),)

    def _times(self, factor: jax.Array) -> "L1":
        return L1(factor * self.weight, transform=self.transform)

    def _prox(self, x: jax.Array, step: jax.Array) -> jax.Array:
        if self.transform is None:
            return shrunk(x, step * checks.fitted(self.weight, x))
        return through(self, x, step)

    def _conjugate_prox(self, v: jax.Array, step: jax.Array) -> jax.Array:
        if self.transform is None:
            return limited(v, checks.fitted(self.weight, v))
        return super()._conjugate_prox(v, step)

    @property
    def _place(self) -> str:
        return "pointwise" if self.transform is None else "other"

    @property
    def exact(self) -> bool:
        return self.transform is None or orthonormal(self.transform)


class GroupL1(Penalty):
    """weight times the sum of the 2-norms of W x along an axis (or axes): whole groups are zero together.

    Parameters
    ----------
    weight : float or array
        Non-negative; an array weighs every group: it has the shape of W x without the axes of the groups.
    axis : int or tuple of int
        The axes that the 2-norms are taken along.
    transform : LinearOperator or "gradient", optional
        W; the identity by default.

    Raises
    ------
    ValueError
        For a negative or NaN weight, or a transform that is no operator.

    Examples
    --------
    >>> import convops as co
    >>> x = [[3.0, 0.3], [4.0, 0.4]]
    >>> print(co.GroupL1(2.0)(x))
    11.0
    >>> print(co.GroupL1(2.5).prox(x))
    [[1.5 0. ]
     [2.  0. ]]
    """

    weight: jax.Array
    transform: Any
    axis: tuple[int, ...] = static()

    def __init__(self, weight: Any = 1.0, *, axis: Any = 0, transform: Any = None) -> None:
        weight = checks.weight_of(weight)
        self._hold(weight=weight, transform=transform_of(transform), axis=checks.axes_given(axis))

    def _value(self, x: jax.Array) -> jax.Array:
        size = modulus(operator_on(self.transform, x.shape)._matvec(x), self.axis)
        return jnp.sum(checks.fitted(self.weight, size) * size)

    def _terms(self, shape: Shape) -> tuple[Term, ...]:
        return (Term(operator_on(self.transform, shape), GroupL1(self.weight, axis=self.axis)),)

    def _times(self, factor: jax.Array) -> "GroupL1":
        return GroupL1(factor * self.weight, axis=self.axis, transform=self.transform)

    def _prox(self, x: jax.Array, step: jax.Array) -> jax.Array:
        if self.transform is None:
            return shrunk(x, step * self._weight(x), self.axis)
        return through(self, x, step)

    def _conjugate_prox(self, v: jax.Array, step: jax.Array) -> jax.Array:
        if self.transform is None:
            return limited(v, self._weight(v), self.axis)
        return super()._conjugate_prox(v, step)

    def _weight(self, z: jax.Array) -> jax.Array:
        return checks.fitted(self.weight, jax.eval_shape(lambda z: modulus(z, self.axis), z))  # type: ignore[arg-type]

    def _check(self, x: jax.Array) -> None:
        ndim = x.ndim if not isinstance(self.transform, LinearOperator) else len(self.transform.out_shape)
        ndim += isinstance(self.transform, Differences)
        if not all(-ndim <= a < ndim for a in self.axis) or len({a % ndim for a in self.axis}) < len(self.axis):
            raise ValueError(f"`axis` is {self.axis} for arrays with {ndim} axes; give different ones below {ndim}")

    @property
    def exact(self) -> bool:
        return self.transform is None or orthonormal(self.transform)


class TotalVariation(Penalty):
    """weight times the sum of the lengths of the differences: flat regions with sharp edges, in any dimension.

    Isotropic: the 2-norm over the directions at every pixel; anisotropic: absolute values. With channels the 2-norm
    goes over directions and channels at once, so that edges coincide (Bresson & Chan, Inverse Probl. Imaging 2 (2008)
    455). The prox is computed by iterations on the dual.

    Parameters
    ----------
    weight : float or array
        Non-negative; an array weighs every pixel (without `channel_axis`) of an isotropic one.
    isotropic : bool
    axes : int or tuple of int, optional
        The axes that differences are taken along; all (but the channels') by default.
    channel_axis : int, optional
        The axis of the colours of one image.
    boundary : str or tuple of str
        As in `convops.gradient`: ``symmetric`` takes no difference across the edge, ``wrap`` is for periodic scenes.

    Raises
    ------
    ValueError
        For a negative or NaN weight, an unknown boundary, or axes that do not fit.

    References
    ----------
    Rudin, Osher & Fatemi, Physica D 60 (1992) 259; Beck & Teboulle, IEEE Trans. Image Process. 18 (2009) 2419.

    Examples
    --------
    >>> import convops as co
    >>> tv = co.TotalVariation(0.5)
    >>> print(tv([0.0, 1.0, 5.0]), tv.prox([0.0, 1.0, 5.0]).round(3))
    2.5 [0.5 1.  4.5]
    """

    weight: jax.Array
    transform: Any
    isotropic: bool = static()
    channel_axis: int | None = static()

    def __init__(
        self,
        weight: Any = 1.0,
        *,
        isotropic: bool = True,
        axes: Any = None,
        channel_axis: int | None = None,
        boundary: Any = "symmetric",
    ) -> None:
        checks.boundary_of(boundary)
        boundary = tuple(boundary) if isinstance(boundary, tuple | list) else boundary
        channel = None if channel_axis is None else checks.axes_given(channel_axis, "channel_axis")[0]
        along = Differences(None if axes is None else checks.axes_given(axes, "axes"), channel, boundary)
        weight = checks.weight_of(weight)
        self._hold(weight=weight, transform=along, isotropic=bool(isotropic), channel_axis=channel)

    def _value(self, x: jax.Array) -> jax.Array:
        ((op, function),) = self._terms(x.shape)
        return function._value(op._matvec(x))

    def _terms(self, shape: Shape) -> tuple[Term, ...]:
        op = operator_on(self.transform, shape)
        if not self.isotropic:
            return (Term(op, L1(self.weight)),)
        channel = () if self.channel_axis is None else (self.channel_axis % len(shape) + 1,)
        return (Term(op, GroupL1(self.weight, axis=(0, *channel))),)

    def _times(self, factor: jax.Array) -> "TotalVariation":
        return TotalVariation(
            factor * self.weight,
            isotropic=self.isotropic,
            axes=self.transform.axes,
            channel_axis=self.channel_axis,
            boundary=self.transform.boundary,
        )


def through(penalty: Penalty, x: jax.Array, step: jax.Array) -> jax.Array:
    """The prox of a function of a transform: W^H prox W x where W is orthonormal, else by the dual."""
    ((op, function),) = penalty._terms(x.shape)
    if penalty.exact:
        return op._rmatvec(function._prox(op._matvec(x), step))
    return dual.converged(penalty, x, step)
