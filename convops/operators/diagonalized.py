"""Spectral: an operator that the FFT or the DCT-II diagonalises, known by its eigenvalues."""

import math
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from . import eigenvalue, transforms
from .adjoint import HELD
from .arrays import as_inexact
from .base import LinearOperator, Shape
from .pytree import static
from .window import shape_of


class Spectral(LinearOperator):
    """T^-1 diag(eigenvalues) T with T the FFT or the orthonormal DCT-II; built by `spectral` and `diagonalized`.

    Attributes
    ----------
    spectrum : Array
        The eigenvalues, with as many axes as the signal (length 1 along carried axes where they do not vary); of a real
        operator under the FFT, the half that a real transform keeps. See ``eigenvalues`` for all of them.
    in_shape, out_shape : tuple of int
    transform : {"fft", "dct"}
    axes : tuple of int
        The axes that are transformed.
    real : bool
        Whether the matrix is real.
    facts : frozenset
        What is known beside the spectrum's dtype: see ``tags``.
    """

    spectrum: jax.Array
    in_shape: Shape = static()
    out_shape: Shape = static()
    transform: str = static()
    axes: tuple[int, ...] = static()
    real: bool = static()
    facts: frozenset[str] = static(default=frozenset())

    def _matvec(self, x: jax.Array) -> jax.Array:
        return self._filtered(self.spectrum, x)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return self._filtered(jnp.conj(self.spectrum), y)

    def _filtered(self, gain: jax.Array, x: jax.Array) -> jax.Array:
        x = x.astype(jnp.result_type(self.dtype, x))
        return transforms.filtered(x, gain, self.transform, self.axes, self.real)

    @property
    def dtype(self) -> jnp.dtype:
        dtype = self.spectrum.dtype
        return jnp.finfo(dtype).dtype if self.real else jnp.result_type(dtype, jnp.complex64)

    def _inexact_leaves(self) -> list[jax.Array]:
        return [jnp.zeros((), self.dtype)]

    @property
    def eigenvalues(self) -> jax.Array:
        """The eigenvalues, one a frequency along `axes`, in the transform's order; length 1 along other axes."""
        if self.real and self.transform == "fft":
            return transforms.whole(self.spectrum, self.axes, self.in_shape[self.axes[-1]])
        return self.spectrum

    @property
    def tags(self) -> frozenset[str]:
        return self.facts | (set() if jnp.iscomplexobj(self.spectrum) else {"selfadjoint"})

    @property
    def nnz(self) -> int:
        return math.prod(self.in_shape) * math.prod(self.in_shape[a] for a in self.axes)

    # the algebra

    @property
    def H(self) -> LinearOperator:
        """The adjoint, with the conjugate eigenvalues; ``A.H.H is A``."""
        if not jnp.iscomplexobj(self.spectrum):
            return self
        held = self.__dict__.get(HELD)
        found = None if held is None else held()
        if found is None:
            found = replace(self, spectrum=jnp.conj(self.spectrum))
            object.__setattr__(found, HELD, lambda: self)
            object.__setattr__(self, HELD, weakref.ref(found))
        return found

    def conj(self) -> LinearOperator:
        if self.real or not jnp.issubdtype(self.dtype, jnp.complexfloating):
            return self
        values = jnp.conj(self.spectrum)
        return replace(self, spectrum=transforms.mirrored(values, self.axes) if self.transform == "fft" else values)

    def gram(self) -> LinearOperator:
        return self._with(jnp.real(self.spectrum * jnp.conj(self.spectrum)), psd=True)

    def _with(self, spectrum: jax.Array, psd: bool = False) -> "Spectral":
        """The operator with another spectrum of the same kind."""
        facts = self.facts - {"psd"} | ({"psd"} if psd else set())
        return replace(self, spectrum=spectrum, facts=facts)

    def _scaled(self, factor: jax.Array) -> LinearOperator:
        if jnp.iscomplexobj(factor) and self.real:
            return replace(self, spectrum=factor * self.eigenvalues, real=False, facts=self.facts - {"psd"})
        return self._with(factor * self.spectrum)

    def _fuse_product(self, other: LinearOperator) -> LinearOperator | None:
        return self._fused(other, lambda a, b: a * b)

    def _fuse_before(self, other: LinearOperator) -> LinearOperator | None:
        return self._fuse_product(other)  # what one transform diagonalises commutes

    def _fuse_sum(self, other: LinearOperator) -> LinearOperator | None:
        return self._fused(other, lambda a, b: a + b)

    def _fused(self, other: LinearOperator, function: Callable) -> "Spectral | None":
        """The operator whose eigenvalues are a function of this one's and another's, where those commute."""
        from .spectral import Symbol, joined, symbol

        alike = isinstance(other, Spectral) and (other.transform, other.axes) == (self.transform, self.axes)
        if isinstance(other, Spectral) and alike and other.real == self.real:
            return replace(self, spectrum=function(self.spectrum, other.spectrum), facts=self.facts & other.facts)
        if isinstance(other, Spectral) and alike:
            values, kept = other.eigenvalues, other.facts
        else:
            found = symbol(other, self.transform)
            both = joined([Symbol(self.eigenvalues, frozenset(self.axes)), found])
            if both is None or found is None or both[1] != set(self.axes):
                return None
            values, kept = found.values, frozenset({"circulant"} if constant(found.values, self.axes) else set())
            if all(getattr(leaf, "weak_type", False) for leaf in other._inexact_leaves()):  # no arrays of its own
                values = transforms.precise(values, self.spectrum.dtype)
        whole = function(self.eigenvalues, values)
        real = self.real and not jnp.issubdtype(other.dtype, jnp.complexfloating)
        facts = (self.facts & kept) - {"psd"}
        return stored(whole, self.in_shape, self.transform, self.axes, real, facts)

    # functions of the operator

    def inverse(self) -> "Spectral":
        """Return the inverse, with the reciprocal eigenvalues.

        Raises ValueError where an eigenvalue is zero to rounding (traced ones divide by zero).
        """
        eigenvalue.check_regular(self.spectrum, "inverse()")
        return self._with(1 / self.spectrum, psd="psd" in self.facts)

    def pseudo_inverse(self, rcond: float | None = None) -> "Spectral":
        """Return the Moore-Penrose inverse: eigenvalues of size up to rcond * norm are taken for zero.

        `rcond` is 100 times the rounding unit unless given (2e-14 in double and 1e-5 in single precision).
        """
        return self._with(eigenvalue.reciprocal(self.spectrum, rcond), psd="psd" in self.facts)

    def power(self, exponent: float) -> "Spectral":
        """Return the power A^p, for any real number p: the principal branch where it is not an integer.

        Raises ValueError for a negative power of a singular operator, and for a fractional power of a real operator
        with negative eigenvalues, whose power is not real (NaN where the eigenvalues are traced).
        """
        values, psd = eigenvalue.power(self.spectrum, exponent, self.real, "psd" in self.facts)
        return self._with(values, psd=psd)

    def sqrt(self) -> "Spectral":
        """Return the principal square root, ``power(0.5)``."""
        return self.power(0.5)

    def solve(self, b: Any) -> jax.Array:
        """Return A^-1 b for an array of ``in_shape``, a flat one, or leading batch axes."""
        return self.inverse().matvec(b)

    def log_determinant(self) -> jax.Array:
        """Return log|det A|, minus infinity where A is singular."""
        return self.slogdet()[1]

    def slogdet(self) -> tuple[jax.Array, jax.Array]:
        """Return the sign (or complex phase) of the determinant and log|det A|, as `numpy.linalg.slogdet` does."""
        values = self.eigenvalues
        sign, logarithm = eigenvalue.slogdet(values, math.prod(self.in_shape) // values.size)
        return (jnp.sign(jnp.real(sign)) if self.real else sign), logarithm

    def _norm(self) -> jax.Array:
        """Largest size of an eigenvalue: exact."""
        return jnp.max(jnp.abs(self.spectrum))

    def _coordinates(self) -> Any:
        from .entries import mixed_coordinates

        return mixed_coordinates(self, self.axes)

    def _detail(self) -> str:
        return f"{self.transform} over axes {self.axes}"


def spectral(
    eigenvalues: Any, transform: str = "fft", axes: Any = None, real: bool | None = None, *, shape: Any = None
) -> Spectral:
    """Return the operator T^-1 diag(eigenvalues) T, with T the FFT or the orthonormal DCT-II.

    Under the FFT it is circulant (block circulant with circulant blocks over two axes, and so on); under the DCT-II it
    is the convolution with a symmetric kernel under the boundary ``symmetric``.

    Parameters
    ----------
    eigenvalues : array
        One a frequency, in the order of `numpy.fft.fftn` or `scipy.fft.dctn`; real or complex. Along axes that are not
        transformed they may vary (a block diagonal operator) or have length 1.
    transform : {"fft", "dct"}
    axes : int or tuple of int, optional
        The axes that are transformed; all by default.
    real : bool, optional
        Whether the matrix is real. Under the FFT that takes eigenvalues with lambda(-k) = conj(lambda(k)); unless given
        it is found out (traced eigenvalues then make a complex operator).
    shape : int or tuple of int, optional
        Shape of the signals; that of the eigenvalues by default.

    Returns
    -------
    Spectral
        With ``eigenvalues``, ``inverse()``, ``pseudo_inverse()``, ``power(p)``, ``sqrt()``, ``solve(b)``,
        ``log_determinant()``, ``slogdet()`` and an exact ``norm()``. Sums and products with operators that the same
        transform diagonalises are one such operator.

    Raises
    ------
    ValueError
        For an unknown transform, axes or a shape that do not fit, or ``real=True`` for a matrix that is not.

    Examples
    --------
    >>> import convops as co
    >>> A = co.spectral([4.0, 2.0, 1.0, 2.0])
    >>> print(A.as_matrix().round(2) + 0.0)
    [[2.25 0.75 0.25 0.75]
     [0.75 2.25 0.75 0.25]
     [0.25 0.75 2.25 0.75]
     [0.75 0.25 0.75 2.25]]
    >>> print((A.sqrt() @ A.sqrt() @ A.inverse()).eigenvalues.round(3))
    [1. 1. 1. 1.]
    """
    values = as_inexact(eigenvalues, "eigenvalues")
    in_shape = values.shape if shape is None else shape_of(shape)
    if transform not in transforms.NAMES:
        raise ValueError(f"`transform` is {transform!r}; accepted are {', '.join(map(repr, transforms.NAMES))}")
    axes = transforms.axes_of(axes, len(in_shape))
    fits = values.ndim == len(in_shape) and all(
        n == k or (k == 1 and a not in axes) for a, (n, k) in enumerate(zip(in_shape, values.shape, strict=False))
    )
    if not fits or 0 in in_shape:
        raise ValueError(
            f"`eigenvalues` has shape {values.shape} for signals of shape {in_shape} transformed along axes {axes}; "
            "give one eigenvalue a frequency, and along other axes one a sample or length 1"
        )
    return build(values, in_shape, transform, axes, real)


def build(values: jax.Array, in_shape: Shape, transform: str, axes: tuple[int, ...], real: bool | None) -> Spectral:
    """Return the operator with eigenvalues on the full grid, checked to be real where it is said to be."""
    values = values.astype(jnp.promote_types(values.dtype, jnp.float32))
    if real is not False:
        found = eigenvalue.are_real(values, transform, axes)
        if real and found is False:
            raise ValueError(
                "`real` is True, but the eigenvalues are not those of a real matrix: "
                + ("lambda(-k) must be conj(lambda(k))" if transform == "fft" else "they must be real")
            )
        real = bool(found) if real is None else True
    facts = frozenset({"circulant"} if transform == "fft" and constant(values, axes) else set())
    return stored(values, in_shape, transform, axes, real, facts)


def constant(values: jax.Array, axes: tuple[int, ...]) -> bool:
    """Whether eigenvalues are the same for all signals along the axes that are carried."""
    return all(n == 1 for a, n in enumerate(values.shape) if a not in axes)


def stored(values: jax.Array, in_shape: Shape, transform: str, axes: tuple[int, ...], real: bool, facts: Any):
    """The operator from eigenvalues on the full grid."""
    if real and transform == "fft":
        values = transforms.half(values, axes)
    elif not real and transform == "dct":
        values = values.astype(jnp.result_type(values.dtype, jnp.complex64))
    return Spectral(
        spectrum=values, in_shape=in_shape, out_shape=in_shape, transform=transform, axes=axes, real=real, facts=facts
    )
