"""Least squares that a transform takes apart, coefficient by coefficient.

With ``A = U diag(s) V^H``, U and V unitary (from the FFT, the DCT-II, or the SVDs of Kronecker factors), and
``L^H L = V diag(d) V^H``, the minimiser of 1/2 norm(A x - b)^2 + weight/2 norm(L x)^2 has the coefficients
``s beta / (s^2 + weight d)`` with beta = U^H b. Operators h_i stacked on one V act as s^2 = sum |h_i|^2 and
s beta = sum conj(h_i) b_i.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..operators import transforms
from ..operators.arrays import positive_ratio, traced
from ..operators.base import LinearOperator
from ..operators.blocks import Kronecker, VerticalStack
from ..operators.cosine_filter import MOST, cosine_filter
from ..operators.elementary import Identity
from ..operators.separation import KroneckerSVD, factors, kronecker_svd, separated
from ..operators.spectral import Symbol, gram_symbol, joined, symbol
from ..operators.sums import inner, length
from ..operators.windowed import Convolution
from .checks import reported
from .solution import CONVERGED, NONFINITE, Solution

LARGEST_SVD = 1024  # sides of the matrices whose SVD is cheaper than conjugate gradients


class Coefficients(NamedTuple):
    """A least-squares problem as one scalar problem a coefficient; the arrays broadcast against each other."""

    square: jax.Array  # eigenvalues s^2 of A^H A
    rough: jax.Array  # eigenvalues d of L^H L
    rhs: jax.Array  # A^H b: s beta
    power: jax.Array  # |beta|^2
    count: jax.Array  # coefficients that each stands for: 2 where a real transform keeps one of a conjugate pair
    outside: jax.Array  # energy of the data that no x reaches
    beyond: jax.Array  # how many more data than coefficients there are

    @property
    def complex(self) -> bool:
        """Whether the coefficients are complex, so that those of white noise are circular."""
        return jnp.iscomplexobj(self.rhs)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Transform:
    """V: the FFT, scaled to be unitary, or the DCT-II, along some axes of arrays of one shape."""

    name: str = field(metadata={"static": True})
    axes: tuple[int, ...] = field(metadata={"static": True})
    shape: tuple[int, ...] = field(metadata={"static": True})
    real: bool = field(metadata={"static": True})

    def forward(self, x: jax.Array) -> jax.Array:
        """V^H x."""
        return transforms.forward(x, self.name, self.axes, self.real) / self._scale

    def backward(self, coefficients: jax.Array) -> jax.Array:
        """V c."""
        sizes = tuple(self.shape[a] for a in self.axes)
        return transforms.backward(coefficients * self._scale, self.name, self.axes, sizes, self.real)

    def filter(self, gain: jax.Array) -> Callable[[jax.Array], jax.Array]:
        """Return x -> V gain V^H x for a real gain, to be applied many times."""
        if self.name == "dct" and len(self.axes) <= MOST:
            return cosine_filter(gain, self.axes)
        return jax.tree_util.Partial(_filtered, self, gain)

    def kept(self, values: jax.Array) -> jax.Array:
        """What is kept of values on the grid, which may have length 1 along axes where they do not vary."""
        sizes = [n if a in self.axes else values.shape[a] for a, n in enumerate(self.shape)]
        whole = jnp.broadcast_to(values, sizes)
        return transforms.half(whole, self.axes) if self._halved else whole

    @property
    def count(self) -> jax.Array:
        """How many coefficients each that is kept stands for."""
        if not self._halved:
            return jnp.ones((), int)
        n = self.shape[self.axes[-1]]
        twice = jnp.full(n // 2 + 1, 2).at[0].set(1)
        twice = twice.at[n // 2].set(1) if n % 2 == 0 else twice
        return twice.reshape([-1 if a == self.axes[-1] else 1 for a in range(len(self.shape))])

    @property
    def _halved(self) -> bool:
        return self.real and self.name == "fft" and bool(self.axes)

    @property
    def _scale(self) -> float:
        return math.sqrt(math.prod(self.shape[a] for a in self.axes)) if self.name == "fft" else 1.0


def _filtered(basis: Transform, gain: jax.Array, x: jax.Array) -> jax.Array:
    return basis.backward(gain * basis.forward(x))


def shared(A: LinearOperator, L: LinearOperator, dtype: Any) -> Transform | KroneckerSVD | None:
    """What makes A and L^H L diagonal, or None where nothing is known to; for x of a dtype (see `dtype_of`)."""
    blocks = A.blocks if isinstance(A, VerticalStack) else (A,)
    concrete = not any(map(traced, jax.tree.leaves((A, L))))
    for name in transforms.NAMES if concrete else ("fft",):
        if (found := _outlines([*((symbol, block) for block in blocks), (gram_symbol, L)], name)) is not None:
            real = not jnp.issubdtype(dtype, jnp.complexfloating)
            return Transform(name, tuple(sorted(found[1])), A.in_shape, real)
    return kronecker_svd(A) if concrete and isinstance(L, Identity) and _small_product(A) else None


def _outlines(pairs: Any, name: str) -> Any:
    """Outlines that `joined` has joined; where one is unknown nobody looks at those after it."""
    parts = []
    for function, op in pairs:
        part = _outline(function, op, name)
        if part is None:
            return None
        parts.append(part)
    return joined(parts)


def _outline(function: Any, op: LinearOperator, name: str) -> Symbol | None:
    """The symbol, with no more than the shape of its values; the numbers are looked at by the DCT-II alone."""
    if name != "fft":
        return function(op, name)
    leaves, tree = jax.tree.flatten(op)
    shapes = tuple(jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
    return _by_shapes(function, tree, shapes, bool(jax.config.read("jax_enable_x64")))


@lru_cache(maxsize=256)
def _by_shapes(function: Any, tree: Any, shapes: tuple[jax.ShapeDtypeStruct, ...], double: bool) -> Symbol | None:
    """The symbol by the FFT of an operator with leaves of these shapes; tracing it takes longer than a small solve."""
    del double  # what dtypes it has depends on it
    found: list[Symbol | None] = []

    def values(op: LinearOperator) -> jax.Array | None:
        found.append(function(op, "fft"))
        return None if found[-1] is None else found[-1].values

    outline = jax.eval_shape(values, jax.tree.unflatten(tree, shapes))
    return None if found[-1] is None else found[-1]._replace(values=outline)


def _small_product(A: LinearOperator) -> bool:
    """Whether A is a Kronecker product of matrices that are small enough to decompose."""
    if 0 in A.out_shape:
        return False
    if isinstance(A, Kronecker):
        return all(max(f.shape) <= LARGEST_SVD for f in factors(A))
    if not isinstance(A, Convolution) or A.channels or max((*A.in_shape, *A.out_shape)) > LARGEST_SVD:
        return False
    try:
        separated(A)
    except ValueError:
        return False
    return True


def coefficients(A: LinearOperator, L: LinearOperator, b: jax.Array, basis: Transform | KroneckerSVD) -> Coefficients:
    """The data, A and L in the basis that `shared` found."""
    if isinstance(basis, KroneckerSVD):
        return _by_svd(basis, b)
    if basis.name == "fft":
        return _by_fft(A, L, b, basis)
    return _combined(*_symbols(A, L, basis), b, basis)


@jax.jit
def _by_fft(A: LinearOperator, L: LinearOperator, b: jax.Array, basis: Transform) -> Coefficients:
    return _combined(*_symbols(A, L, basis), b, basis)


def _symbols(A: LinearOperator, L: LinearOperator, basis: Transform) -> tuple[list[jax.Array], jax.Array]:
    found = [symbol(block, basis.name) for block in (A.blocks if isinstance(A, VerticalStack) else (A,))]
    penalty = gram_symbol(L, basis.name)
    assert penalty is not None
    blocks = [basis.kept(part.values) for part in found if part is not None]
    return blocks, basis.kept(jnp.real(penalty.values))


@jax.jit
def _combined(blocks: list[jax.Array], rough: jax.Array, b: jax.Array, basis: Transform) -> Coefficients:
    """The coefficients of one observation, or of several of one scene."""
    H = [transforms.precise(h, b.dtype) for h in blocks]
    data = [basis.forward(part) for part in b.reshape(-1, *basis.shape)]
    square = _total([jnp.real(h * jnp.conj(h)) for h in H])
    rhs = _total([jnp.conj(h) * y for h, y in zip(H, data, strict=True)])
    energy = _total([jnp.real(y * jnp.conj(y)) for y in data])
    seen = square > 0
    power = positive_ratio(jnp.real(rhs * jnp.conj(rhs)), square)
    rest = energy - power if len(data) > 1 else jnp.where(seen, 0, energy)
    count = jnp.broadcast_to(basis.count, rhs.shape)
    outside = jnp.sum(count * jnp.maximum(rest, 0))
    beyond = jnp.asarray((len(data) - 1) * math.prod(basis.shape))
    return Coefficients(square, rough.astype(square.dtype), rhs, power, count, outside, beyond)


def _total(parts: list[jax.Array]) -> jax.Array:
    return sum(parts[1:], parts[0])


@jax.jit
def _by_svd(svd: KroneckerSVD, b: jax.Array) -> Coefficients:
    values = svd.singular_values
    beta = svd.forward(b)
    power = jnp.real(beta * jnp.conj(beta))
    outside = jnp.maximum(jnp.real(jnp.sum(jnp.conj(b) * b)) - jnp.sum(power), 0)
    beyond = jnp.asarray(b.size - beta.size)
    ones = jnp.ones_like(values)
    outside = jnp.where(beyond > 0, outside, 0)  # a square U reaches everything
    return Coefficients(values**2, ones, values * beta, power, ones.astype(int), outside, beyond)


def residual_factor(problem: Coefficients, weight: jax.Array, iterations: int = 1) -> jax.Array:
    """1 - phi: the part of each coefficient of the data that stays in the residual."""
    penalty = weight * problem.rough
    return positive_ratio(penalty, problem.square + penalty, otherwise=1) ** iterations


@partial(jax.jit, static_argnames="iterations")
def solved(problem: Coefficients, weight: jax.Array, basis: Transform | KroneckerSVD, iterations: int) -> jax.Array:
    """The (iterated) Tikhonov solution; its coefficients are zero where A and L both vanish."""
    denominator = problem.square + weight * problem.rough
    gain = positive_ratio(1, denominator)
    t = residual_factor(problem, weight)
    return basis.backward(problem.rhs * gain * sum(t**j for j in range(iterations)))


def told(A: LinearOperator, b: jax.Array, x: jax.Array, flat: bool) -> Solution:
    """What is told of a closed form that is a function of the data; zero where it is not finite."""
    fine = jnp.all(jnp.isfinite(x))
    x = jnp.where(fine, x, 0)
    r = b - A.matvec(x)
    residual = reported(length(r))
    return Solution(
        x=x.reshape(-1) if flat else x,
        converged=fine,
        num_steps=jnp.zeros((), int),
        residual_norm=residual,
        objective=reported(inner(r, r) / 2),
        history={"residual_norm": residual[None]},
        code=jnp.where(fine, CONVERGED, NONFINITE),
    )
