"""The operators of total generalised variation, on an image and a field of vectors stacked in one array u.

u[0] is the image, u[1:] the field w with one component for every direction of differences.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..operators.base import LinearOperator, Shape
from ..operators.differences import difference
from ..operators.pytree import static


class Component(LinearOperator):
    """u -> u[0]: the image alone."""

    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return x[0]

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        return jnp.zeros(self.in_shape, y.dtype).at[0].set(y)

    def _norm(self) -> jax.Array:
        return jnp.ones(())


class Mismatch(LinearOperator):
    """u -> D u[0] - w, where there is a difference: a forward difference has none at a mirrored edge."""

    differences: tuple[LinearOperator, ...]
    axes: tuple[int, ...] = static()
    mirrored: tuple[bool, ...] = static()
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        return jnp.stack([d._matvec(x[0]) for d in self.differences]) - self._kept(x[1:])

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        image = sum(d._rmatvec(y[i]) for i, d in enumerate(self.differences))
        return jnp.concatenate([jnp.expand_dims(jnp.asarray(image), 0), -self._kept(y)])

    def joined(self, x: jax.Array) -> jax.Array:
        """The image with its differences for a field, those next to a mirrored edge repeated: exact where affine."""
        field = []
        for d, axis, mirrored in zip(self.differences, self.axes, self.mirrored, strict=True):
            part, n = d._matvec(x), x.shape[axis]
            if mirrored and n > 1:
                last = lax.slice_in_dim(part, n - 2, n - 1, axis=axis)
                part = jnp.concatenate([lax.slice_in_dim(part, 0, n - 1, axis=axis), last], axis)
            field.append(part)
        return jnp.stack([x, *field])

    def _kept(self, w: jax.Array) -> jax.Array:
        """The field where there are differences, zero elsewhere."""
        if not any(self.mirrored):
            return w
        shape = self.out_shape[1:]
        edges = [_edge(shape, a) if m else True for a, m in zip(self.axes, self.mirrored, strict=True)]
        keep = np.stack([np.broadcast_to(edge, shape) for edge in edges])
        return jnp.where(keep, w, 0)

    def _norm(self) -> jax.Array:
        return jnp.sqrt(1 + sum((d._norm() ** 2 for d in self.differences), jnp.zeros(())))


class SymmetrisedGradient(LinearOperator):
    """u -> E w: the symmetric part of the derivative of w, its entries off the diagonal times sqrt(2).

    With these factors the 2-norm over the n (n + 1)/2 entries is the Frobenius norm of the symmetric matrix.
    """

    differences: tuple[LinearOperator, ...]
    in_shape: Shape = static()
    out_shape: Shape = static()

    def _matvec(self, x: jax.Array) -> jax.Array:
        parts = []
        for i, j in self._pairs():
            part = self.differences[i]._matvec(x[1 + j])
            parts.append(part if i == j else (part + self.differences[j]._matvec(x[1 + i])) * math.sqrt(1 / 2))
        return jnp.stack(parts)

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        field = [jnp.zeros(self.in_shape[1:], y.dtype) for _ in range(len(self.differences) + 1)]
        for part, (i, j) in zip(y, self._pairs(), strict=True):
            part = part if i == j else part * math.sqrt(1 / 2)
            field[1 + j] += self.differences[i]._rmatvec(part)
            if i != j:
                field[1 + i] += self.differences[j]._rmatvec(part)
        return jnp.stack(field)

    def _pairs(self) -> list[tuple[int, int]]:
        n = len(self.differences)
        return [(i, j) for i in range(n) for j in range(i, n)]

    def _norm(self) -> jax.Array:
        """The norm of the whole derivative, of which this is a projection."""
        return jnp.sqrt(sum((d._norm() ** 2 for d in self.differences), jnp.zeros(())))


def _edge(shape: Shape, axis: int) -> np.ndarray:
    """False at the last index of an axis."""
    return np.indices(shape, sparse=True)[axis] < shape[axis] - 1


def component(shape: Shape, joint: Shape) -> LinearOperator:
    """Return u -> u[0]."""
    return Component(in_shape=joint, out_shape=shape)


def mismatch(shape: Shape, axes: tuple[int, ...], boundary: tuple[str, ...]) -> LinearOperator:
    """Return u -> D u[0] - w."""
    n = len(axes)
    return Mismatch(
        differences=tuple(difference(shape, a, boundary=b) for a, b in zip(axes, boundary, strict=True)),
        axes=axes,
        mirrored=tuple(b == "symmetric" for b in boundary),
        in_shape=(1 + n, *shape),
        out_shape=(n, *shape),
    )


def symmetrised_gradient(shape: Shape, axes: tuple[int, ...], boundary: tuple[str, ...]) -> LinearOperator:
    """Return u -> E w, by backward differences: those between the forward differences of the image."""
    n = len(axes)
    return SymmetrisedGradient(
        differences=tuple(
            difference(shape, a, kind="backward", boundary=b) for a, b in zip(axes, boundary, strict=True)
        ),
        in_shape=(1 + n, *shape),
        out_shape=(n * (n + 1) // 2, *shape),
    )
