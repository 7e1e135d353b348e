"""Convolutions with a kernel of rank one as Kronecker products, and Kronecker products by their SVD."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .arrays import as_inexact, traced
from .base import LinearOperator, Shape
from .blocks import Kronecker, kronecker
from .convolution import convolution
from .elementary import identity
from .windowed import Convolution


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class KroneckerSVD:
    """The singular value decomposition of a Kronecker product, kept factor by factor; built by `kronecker_svd`.

    A pytree: it goes through jit, vmap and grad. With A = A_1 (x) ... (x) A_d and A_i = U_i diag(s_i) V_i^H, the
    singular values of A are all products of one singular value a factor.

    Attributes
    ----------
    left, values, right : tuple of Array
        U_i, s_i and V_i^H of each factor.
    in_shape, out_shape : tuple of int
    """

    left: tuple[jax.Array, ...]
    values: tuple[jax.Array, ...]
    right: tuple[jax.Array, ...]
    in_shape: Shape = field(metadata={"static": True})
    out_shape: Shape = field(metadata={"static": True})

    @property
    def singular_values(self) -> jax.Array:
        """The singular values on a grid with an axis a factor, falling along each; sort them if you need to."""
        grid = self.values[0]
        for values in self.values[1:]:
            grid = grid[..., None] * values.reshape((1,) * grid.ndim + (-1,))
        return grid

    @property
    def dtype(self) -> jnp.dtype:
        """The dtype of the operator."""
        return jnp.result_type(*self.left, *self.right)

    def norm(self) -> jax.Array:
        """Return the largest singular value."""
        return math.prod((v[0] for v in self.values), start=jnp.ones((), self.values[0].dtype))

    def filtered(self, b: Any, gain: Callable[[jax.Array], jax.Array] | Any) -> jax.Array:
        """Return V diag(gain) U^H b.

        Parameters
        ----------
        b : array
            Data of ``A.out_shape``, flat, or with leading batch axes.
        gain : callable or array
            A function of the singular values, or numbers on their grid (see `singular_values`).
        """
        b = as_inexact(b, "b")
        weights = jnp.asarray(gain(self.singular_values) if callable(gain) else gain)
        if weights.shape != self.singular_values.shape:
            raise ValueError(
                f"`gain` has shape {weights.shape}; give one number a singular value, {self.singular_values.shape}"
            )
        if b.shape == self.out_shape:
            return self._filtered(b, weights)
        if b.shape == (math.prod(self.out_shape),):
            return self._filtered(b, weights).reshape(-1)
        lead = b.ndim - len(self.out_shape)
        if lead > 0 and b.shape[lead:] == self.out_shape:
            found = jax.vmap(lambda part: self._filtered(part, weights))(b.reshape(-1, *self.out_shape))
            return found.reshape(*b.shape[:lead], *self.in_shape)
        raise ValueError(f"`b` has shape {b.shape}; give {self.out_shape}, flat, or with leading batch axes")

    def solve(self, b: Any, weight: Any = 0.0, rcond: float | None = None) -> jax.Array:
        """Return the minimiser of 1/2 norm(A x - b)^2 + weight/2 norm(x)^2, of least norm where `weight` is 0.

        Parameters
        ----------
        b : array
            Data of ``A.out_shape``, flat, or with leading batch axes.
        weight : float
            Non-negative. With 0, singular values up to ``rcond * norm()`` are taken for zero.
        rcond : float, optional
            The rounding unit times the largest side of the factors' matrices unless given.
        """
        if not traced(weight) and not np.all(np.asarray(weight) >= 0):
            raise ValueError(f"`weight` is {weight}; give a number that is not negative")
        sides = [max(u.shape[-2], v.shape[-1]) for u, v in zip(self.left, self.right, strict=True)]
        rcond = float(jnp.finfo(self.dtype).eps) * max(sides) if rcond is None else rcond
        values = self.singular_values
        weight = jnp.asarray(weight, values.dtype)
        keep = (values > rcond * self.norm()) | ((weight > 0) & (values > 0))
        return self.filtered(b, jnp.where(keep, values / jnp.where(keep, values**2 + weight, 1), 0))

    def _filtered(self, b: jax.Array, gain: jax.Array) -> jax.Array:
        return self.backward(gain * self.forward(b))

    def forward(self, b: jax.Array) -> jax.Array:
        """Return U^H b for one array of ``out_shape``, on the grid of the singular values."""
        x = b.reshape([u.shape[0] for u in self.left])
        for axis, u in enumerate(self.left):
            x = along(jnp.conj(u).T, x, axis)
        return x

    def backward(self, coefficients: jax.Array) -> jax.Array:
        """Return V c for coefficients on the grid of the singular values."""
        x = coefficients
        for axis, v in enumerate(self.right):
            x = along(jnp.conj(v).T, x, axis)
        return x.reshape(self.in_shape)

    def analysis(self, x: jax.Array) -> jax.Array:
        """Return V^H x for one array of ``in_shape``, on the grid of the singular values."""
        x = x.reshape([v.shape[1] for v in self.right])
        for axis, v in enumerate(self.right):
            x = along(v, x, axis)
        return x


def kronecker_svd(A: LinearOperator) -> KroneckerSVD:
    """Return the singular value decomposition of a Kronecker product from those of its factors.

    Parameters
    ----------
    A : LinearOperator
        A `kronecker` product (of products), or a convolution that `separated` takes, under any boundary. The factors'
        matrices are built: for a blurred 512 x 512 image two of 512 x 512.

    Returns
    -------
    KroneckerSVD
        With ``singular_values``, ``norm()``, ``solve(b, weight)`` and ``filtered(b, gain)``.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([[1.0, 2.0], [2.0, 4.0]], (3, 3))
    >>> svd = co.kronecker_svd(A)
    >>> print(svd.singular_values.shape, svd.norm().round(0))
    (3, 3) 8.0
    >>> print(svd.solve(A @ [[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [3.0, 1.0, 0.0]]).round(2) + 0.0)
    [[1. 0. 2.]
     [0. 0. 0.]
     [3. 1. 0.]]
    """
    product = A if isinstance(A, Kronecker) else separated(A)
    parts = factors(product)
    found = [jnp.linalg.svd(_wide(f.as_matrix()), full_matrices=False) for f in parts]
    left, values, right = zip(*found, strict=True)
    return KroneckerSVD(left=left, values=values, right=right, in_shape=A.in_shape, out_shape=A.out_shape)


def separated(A: LinearOperator) -> LinearOperator:
    """Return a convolution with a kernel of rank one as the Kronecker product of convolutions along each axis.

    Parameters
    ----------
    A : LinearOperator
        A convolution of any mode and boundary, without channels, whose kernel is concrete and a product k[i, j, ...] =
        k1[i] k2[j] ... to rounding. Axes that it carries along become identities.

    Returns
    -------
    LinearOperator
        A `kronecker` product, or what has a single axis as it is.

    Raises
    ------
    ValueError
        For any other operator, a traced kernel, or one of higher rank.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([[1.0, 2.0, 1.0], [3.0, 6.0, 3.0]], (4, 5), boundary="symmetric")
    >>> co.separated(A).right
    Convolution R(5) -> R(5), 3 kernel, symmetric, stencil
    """
    if not isinstance(A, Convolution) or A.channels:
        raise ValueError(f"`A` is {A!r}; give a convolution without channels")
    if traced(A.kernel):
        raise ValueError(
            "`A` has a traced kernel, of which nobody can see the rank: separate it outside jit, vmap and grad, or "
            "build co.kronecker() of convolutions along each axis"
        )
    return product_of(A, rank_one(np.asarray(A.kernel)))


def product_of(A: Convolution, lines: list[np.ndarray]) -> LinearOperator:
    """The Kronecker product of convolutions like A, with a kernel for each of its axes."""
    found = dict(zip(A.axes, lines, strict=True))
    parts = [_line(A, found[a], a) if a in found else identity(n) for a, n in enumerate(A.in_shape)]
    return reduce(lambda head, tail: kronecker(head, tail), parts)


def rank_one(kernel: np.ndarray, tolerance: float | None = None) -> list[np.ndarray]:
    """Vectors, one an axis, whose outer product is the kernel up to a tolerance: by default rounding, else refused."""
    dtype = kernel.dtype
    limit = 8 * float(jnp.finfo(dtype).eps) if tolerance is None else tolerance
    rest = kernel.astype(np.complex128 if jnp.iscomplexobj(kernel) else np.float64)
    lines = []
    for axis in range(kernel.ndim - 1):
        u, s, v = np.linalg.svd(rest.reshape(kernel.shape[axis], -1), full_matrices=False)
        tail = float(np.sqrt(np.sum(s[1:] ** 2)))
        if tail > limit * s[0]:
            raise ValueError(
                f"`A` has a kernel that is not a product of one vector an axis: the best one is off by "
                f"{tail / s[0]:.3g} of it, beyond rounding ({limit:.3g}); give a kernel of rank one"
            )
        lines.append((u[:, 0] * np.sqrt(s[0])).astype(dtype))
        rest = v[0] * np.sqrt(s[0])
    return [*lines, rest.astype(dtype)]


def _line(A: Convolution, kernel: np.ndarray, axis: int) -> LinearOperator:
    """The convolution along one axis."""
    i = A.axes.index(axis)
    window = A.window
    return convolution(
        kernel,
        window.signal[i],
        mode=window.mode,
        boundary=window.boundary[i],
        origin=window.origin[i],
        stride=window.step[i],
        dilation=window.dilation[i],
    )


def factors(op: LinearOperator) -> list[LinearOperator]:
    """Return the factors of a Kronecker product, of products too."""
    if isinstance(op, Kronecker):
        return [*factors(op.left), *factors(op.right)]
    return [op]


def _wide(matrix: jax.Array) -> jax.Array:
    return matrix.astype(jnp.promote_types(matrix.dtype, jnp.float32))


def along(matrix: jax.Array, x: jax.Array, axis: int) -> jax.Array:
    """Apply a matrix along an axis."""
    moved = jnp.tensordot(matrix, x, (1, axis), precision=jax.lax.Precision.HIGHEST)
    return jnp.moveaxis(moved, 0, axis)
