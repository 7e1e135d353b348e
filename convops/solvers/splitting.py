"""What methods that split 1/2 norm(A x - b)^2 + sum_i f_i(K_i x) have in common.

The unknown is x, or for a penalty that is a minimum over more (`TGV`) the joint array with x at index 0. For a blur
with unknown surroundings the misfit becomes one more term, of the periodic blur C of the whole scene: with weights w
that are zero beyond the data, f_0(C x) = 1/2 norm(w C x - b)^2 has a prox pixel by pixel, and what is left for x is
periodic (Almeida & Figueiredo, IEEE Trans. Image Process. 22 (2013) 3074).
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators.base import LinearOperator
from ..operators.blocks import vstack
from ..operators.elementary import Identity
from ..operators.spectral import gram_symbol
from ..operators.sums import inner, length, root
from ..operators.unknown_boundary import UnknownBoundary
from ..penalties.base import Penalty, Term
from ..penalties.lifted_operators import Component
from . import spectral
from .checks import dtype_of

GENTLE, SMALLEST, LARGEST = 0.02, 5.0, 60.0  # the penalty parameter by the weight, of total variation on a range of 1
CALM, SLACK = 1e-2, 1e-5  # of the data's variation and of their force: a scale where K x or the duals vanish


class Misfit(Penalty):
    """1/2 norm(keep z - data)^2, keep being None for ones."""

    keep: Any
    data: jax.Array

    def _value(self, x: jax.Array) -> jax.Array:
        r = (x if self.keep is None else self.keep * x) - self.data
        return inner(r, r) / 2

    def _prox(self, x: jax.Array, step: jax.Array) -> jax.Array:
        if self.keep is None:
            return (x + step * self.data) / (1 + step)
        return (x + step * self.keep * self.data) / (1 + step * self.keep**2)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Split:
    """The parts of a problem; `A` is None where the misfit is among the terms."""

    A: LinearOperator | None
    b: jax.Array | None
    terms: tuple[Term, ...]
    parameters: tuple[jax.Array, ...]  # a penalty parameter for each term
    x0: jax.Array
    lifted: bool = field(metadata={"static": True})

    @property
    def misfits(self) -> int:
        """How many of the terms, the first ones, are misfits."""
        return int(bool(self.terms) and isinstance(self.terms[0].function, Misfit))

    def image(self, unknown: jax.Array) -> jax.Array:
        """What of the unknown is the image."""
        return unknown[0] if self.lifted else unknown


def split_of(A: LinearOperator, b: jax.Array, penalty: Penalty, x0: jax.Array, *, as_term: bool | None = None) -> Split:
    """Take a problem apart, with the misfit `as_term` or not; by default it is one where surroundings are unknown."""
    shape, terms = penalty.lifted(A.in_shape)
    lifted = shape != A.in_shape
    if lifted:
        joint = jnp.zeros(shape, x0.dtype).at[0].set(x0)
        A = A @ Component(in_shape=shape, out_shape=A.in_shape)
    else:
        joint = x0
    rho = _parameters(tuple(function for _, function in terms), b)
    unknown = isinstance(A, UnknownBoundary)
    if not (unknown if as_term is None else as_term):
        return Split(A, b, terms, rho, joint, lifted)
    term = _seen(A, b) if unknown else Term(A, Misfit(keep=None, data=b))
    return Split(None, None, (term, *terms), (jnp.ones_like(rho[0]), *rho), joint, lifted)


def _seen(A: UnknownBoundary, b: jax.Array) -> Term:
    """The misfit of a blur with unknown surroundings, as a term of the periodic blur of the scene."""
    real = jnp.finfo(b.dtype).dtype
    weights = A.weighted(jnp.ones(A.out_shape, real)).astype(real)
    return Term(A.blur, Misfit(keep=A.padded(weights), data=A.padded(b)))


@jax.jit
def _parameters(functions: tuple[Penalty, ...], b: jax.Array) -> tuple[jax.Array, ...]:
    return tuple(_parameter(function, b) for function in functions)


def _parameter(function: Penalty, b: jax.Array) -> jax.Array:
    """A penalty parameter to begin with: weight * clip(0.02 / weight, 5, 60) for data with a range of one.

    The weight per range of the data is what sets the scale of a penalty that grows with x; constraints count as 1e-3.
    """
    real, span = jnp.finfo(b.dtype).dtype, span_of(b)
    weight = getattr(function, "weight", None)
    weight = jnp.asarray(1e-3, real) if weight is None else jnp.mean(jnp.asarray(weight, real)) / span
    weight = jnp.where(weight > 0, weight, 1e-3)
    return weight * jnp.clip(GENTLE / weight, SMALLEST, LARGEST)


class Sizes(NamedTuple):
    """What residuals are measured by, so that the level of a scene, which may be large, makes no difference."""

    flat: tuple[jax.Array, ...]  # K_i of a scene that is one everywhere
    spread: jax.Array  # norm(b - mean of b)
    force: jax.Array  # norm(A^H (b - level)), of what of the data no level explains

    def varied(self, split: Split, x: jax.Array, images: tuple[jax.Array, ...]) -> list[jax.Array]:
        """The sizes of K_i x without the mean of x, or of a part of the data where those vanish."""
        level = jnp.mean(split.image(x))
        parts = [length(Kx - level * flat) for Kx, flat in zip(images, self.flat, strict=True)]
        return [jnp.maximum(part, CALM * self.spread) for part in parts]

    def forces(self, duals: jax.Array) -> jax.Array:
        """The size of the duals, or of a part of the force that the data have on x where they vanish."""
        return jnp.maximum(duals, SLACK * self.force)


@jax.jit
def sizes_of(A: LinearOperator, b: jax.Array, split: Split) -> Sizes:
    """Look at the data and the operators."""
    one = jnp.ones_like(split.image(split.x0))
    flat = A._matvec(one)
    square = inner(flat, flat)
    level = jnp.sum(jnp.conj(flat) * b) / jnp.where(square > 0, square, 1)
    unknown = jnp.zeros_like(split.x0).at[0].set(one) if split.lifted else one
    images = tuple(K._matvec(unknown) for K, _ in split.terms)
    return Sizes(images, length(b - jnp.mean(b)), length(A._rmatvec(b - level * flat)))


def kept_if(failed: jax.Array, state: Any, reached: Any) -> Any:
    """The state that was reached, or, where that failed, the one before with the mark of it."""
    return jax.tree.map(lambda new, old: jnp.where(failed, old, new), reached, state)._replace(failed=failed)


def span_of(b: jax.Array, counted: jax.Array | None = None) -> jax.Array:
    """The range of the data (that are counted), 1 where they are constant."""
    size = jnp.abs(b) if jnp.iscomplexobj(b) else b
    where = None if counted is None else jnp.broadcast_to(counted, b.shape)
    span = jnp.max(size, where=where, initial=-jnp.inf) - jnp.min(size, where=where, initial=jnp.inf)
    return jnp.where(jnp.isfinite(span) & (span > 0), span, 1)


class Spectrum(NamedTuple):
    """The problem in x alone, as coefficients: square = |H|^2 and rhs = A^H b (None without A), rough_i = |K_i|^2."""

    basis: spectral.Transform
    data: spectral.Coefficients | None
    rough: tuple[jax.Array, ...]

    def denominator(self, rho: tuple[jax.Array, ...]) -> jax.Array:
        """|H|^2 + sum_i rho_i |K_i|^2."""
        parts = [r * rough for r, rough in zip(rho, self.rough, strict=True)]
        return sum(parts, jnp.zeros(()) if self.data is None else self.data.square)

    def residual_square(self, coefficients: jax.Array) -> jax.Array:
        """norm(A x - b)^2 of an x given by its coefficients."""
        data = self.data
        assert data is not None
        known = data.square > 0
        away = data.square * coefficients - data.rhs
        each = jnp.where(known, jnp.real(away * jnp.conj(away)) / jnp.where(known, data.square, 1), 0)
        return jnp.sum(data.count * each) + data.outside


def spectrum_of(split: Split, alone: bool = False) -> Spectrum | None:
    """The transform that diagonalises A and all K_i^H K_i, or A `alone`, or None where none is known."""
    operators = [operator for operator, _ in split.terms]
    if alone:
        operators = [Identity(in_shape=split.x0.shape, out_shape=split.x0.shape)]
    A: LinearOperator = Identity(in_shape=split.x0.shape, out_shape=split.x0.shape) if split.A is None else split.A
    L = operators[0] if len(operators) == 1 else vstack(operators)
    basis = spectral.shared(A, L, dtype_of(A, L, split.x0))
    if not isinstance(basis, spectral.Transform):
        return None
    roughness = _rough_by_fft if basis.name == "fft" else _rough  # the DCT-II looks at numbers
    rough = roughness(tuple(operators), basis, jnp.finfo(split.x0.dtype).dtype)
    data = None if split.b is None else spectral.coefficients(A, operators[0], split.b, basis)
    return Spectrum(basis, data, rough)


def _rough(operators: tuple[LinearOperator, ...], basis: spectral.Transform, dtype: Any) -> tuple[jax.Array, ...]:
    """The eigenvalues of K_i^H K_i."""
    found = [gram_symbol(operator, basis.name) for operator in operators]
    return tuple(basis.kept(jnp.real(part.values)).astype(dtype) for part in found if part is not None)


_rough_by_fft = partial(jax.jit, static_argnames="dtype")(_rough)


def misfit(split: Split, images: tuple[jax.Array, ...]) -> jax.Array:
    """norm(A x - b) where the misfit is among the terms."""
    return root(2 * split.terms[0].function._value(images[0]))


def value_of(split: Split, images: tuple[jax.Array, ...], residual: jax.Array) -> jax.Array:
    """The objective, constraints left out: K_i x fulfils them in the limit only."""
    extra = jnp.zeros_like(residual)
    for (_, function), image in list(zip(split.terms, images, strict=True))[split.misfits :]:
        value = function._value(image)
        extra = extra + jnp.where(jnp.isfinite(value), value, 0)
    return residual**2 / 2 + extra
