"""Bases of Krylov spaces that are kept: A Z_k = U_{k+1} M_k and A^H U_{k+1} = V_{k+1} T_{k+1}, U and V orthonormal.

For Golub and Kahan's process Z = V, M is lower bidiagonal and T its transpose. The flexible process (Chung and Gazzola,
SIAM J. Sci. Comput. 41 (2019) S149) weighs the pixels by what the iterate has there, z_k = sqrt|x_{k-1}| v_k; it and
reorthogonalisation fill the upper triangles of M and T.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..operators.sums import length, product
from .golub_kahan import ratio
from .least_squares import LeastSquares

FLOOR = 1e-6  # of |x| by its maximum in the flexible weights


class Basis(NamedTuple):
    """What the process has made so far, in arrays with room for all its steps."""

    U: jax.Array  # all of them, or the last
    V: jax.Array
    Z: jax.Array | None  # where it is not V
    M: jax.Array
    T: jax.Array
    beta: jax.Array  # norm(b - A x0)
    k: jax.Array


def begin(problem: LeastSquares, steps: int, full: bool, flexible: bool) -> Basis:
    """Start with beta u = b - A x0, alpha v = A^H u; `full` keeps all of U and orthogonalises against all vectors."""
    r = problem.b - problem.A._matvec(problem.x0)
    beta = length(r)
    u = ratio(r, beta)
    v = problem.A._rmatvec(u)
    alpha = length(v)
    U = jnp.zeros((steps + 1 if full else 1, *u.shape), u.dtype).at[0].set(u)
    V = jnp.zeros((steps + 1, *v.shape), v.dtype).at[0].set(ratio(v, alpha))
    square = jnp.zeros((steps + 1, steps + 1), v.dtype if full else beta.dtype)
    Z = jnp.zeros((steps, *v.shape), v.dtype) if flexible else None
    return Basis(U, V, Z, square[:, :steps], square.at[0, 0].set(alpha), beta, jnp.zeros((), int))


def extend(problem: LeastSquares, basis: Basis, y: jax.Array) -> Basis:
    """Take one step: beta u_{k+1} is the rest of A z_k, alpha v_{k+1} that of A^H u_{k+1}."""
    U, V, Z, M, T, first, k = basis
    z = V[k]
    if Z is not None:
        z = jnp.where(k == 0, z, _weights(problem.x0 + combined(basis, y)) * z)
        Z = Z.at[k].set(z)
    full = len(U) > 1
    room = len(V)
    Az = problem.A._matvec(z)
    u, above = _beside_all(Az, U, k + 1) if full else _beside_last(Az, U[0], T[k, k], k, room)
    beta = length(u)
    u = ratio(u, beta)
    M = M.at[:, k].set(above.astype(M.dtype)).at[k + 1, k].set(beta)
    back = problem.A._rmatvec(u)
    v, above = _beside_all(back, V, k + 1) if full else _beside_last(back, V[k], beta, k, room)
    alpha = length(v)
    T = T.at[:, k + 1].set(above.astype(T.dtype)).at[k + 1, k + 1].set(alpha)
    U = U.at[k + 1 if full else 0].set(u)
    return Basis(U, V.at[k + 1].set(ratio(v, alpha)), Z, M, T, first, k + 1)


def combined(basis: Basis, y: jax.Array) -> jax.Array:
    """Z y."""
    vectors = basis.V if basis.Z is None else basis.Z
    return jnp.tensordot(y.astype(vectors.dtype), vectors[: len(y)], 1, precision="highest")


def _beside_last(x: jax.Array, last: jax.Array, coefficient: jax.Array, k: jax.Array, room: int):
    """What x has beside the last vector, of which its part is known; in exact arithmetic that is all."""
    return x - coefficient * last, jnp.zeros(room, coefficient.dtype).at[k].set(coefficient)


def _beside_all(x: jax.Array, vectors: jax.Array, count: jax.Array):
    """What x has beside the first `count` vectors, and its coefficients; twice is enough (Kahan and Parlett).

    One vector after the other (modified Gram-Schmidt): a product with all of them reads the room that is still empty.
    """

    def beside(n: jax.Array, held: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        x, found = held
        part = product(vectors[n], x)
        return x - part * vectors[n], found.at[n].add(part)

    held = x, jnp.zeros(len(vectors), x.dtype)
    for _ in range(2):
        held = jax.lax.fori_loop(0, count, beside, held)
    return held


def _weights(x: jax.Array) -> jax.Array:
    """The square root of |x| by its maximum."""
    size = jnp.abs(x)
    most = jnp.max(size)
    return jnp.sqrt(jnp.maximum(ratio(size, most), FLOOR))
