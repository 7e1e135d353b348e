"""An operator applied to what users pass: jit-compiled with the operator as an argument, one check of the shapes."""

import math
from typing import Any

import jax

from .arrays import as_inexact


@jax.jit
def apply(op: Any, x: jax.Array) -> jax.Array:
    """A x."""
    return op._matvec(x)


@jax.jit
def apply_adjoint(op: Any, y: jax.Array) -> jax.Array:
    """A^H y."""
    return op._rmatvec(y)


@jax.jit
def apply_many(op: Any, x: jax.Array) -> jax.Array:
    """A x for every x along the first axis."""
    return jax.vmap(op._matvec)(x)


@jax.jit
def apply_adjoint_many(op: Any, y: jax.Array) -> jax.Array:
    """A^H y for every y along the first axis."""
    return jax.vmap(op._rmatvec)(y)


MANY = {apply: apply_many, apply_adjoint: apply_adjoint_many}


@jax.jit
def apply_norm(op: Any) -> jax.Array:
    """The norm of A, or its bound."""
    return op._norm()


def mapped(product: Any, op: Any, x: Any, shape: tuple[int, ...], out: tuple[int, ...], name: str) -> jax.Array:
    """Apply to an exact shape, a flat vector, or leading batch axes; refuse any other."""
    x = as_inexact(x, name)
    size = math.prod(shape)
    if x.shape == shape:
        return product(op, x)
    if x.shape == (size,):
        return product(op, x.reshape(shape)).reshape(-1)
    lead = x.ndim - len(shape)
    if lead > 0 and x.shape[lead:] == shape:
        y = MANY[product](op, x.reshape(math.prod(x.shape[:lead]), *shape))
        return y.reshape(*x.shape[:lead], *out)
    raise ValueError(
        f"`{name}` has shape {x.shape}; {type(op).__name__} takes {shape}, ({size},), or batch axes before {shape}"
    )


def multiplied(op: Any, x: Any) -> jax.Array:
    """A x as a matrix does it, with an array of its shape, a flat vector or flat columns."""
    x = as_inexact(x, "x")
    m, n = op.shape
    if x.shape in (op.in_shape, (n,)):
        return op.matvec(x)
    if x.ndim == 2 and x.shape[0] == n:
        many = x.shape[1]
        return apply_many(op, x.T.reshape(many, *op.in_shape)).reshape(many, m).T
    raise ValueError(
        f"`x` has shape {x.shape}; A @ x takes {op.in_shape}, ({n},) or columns ({n}, k): "
        "for leading batch axes use A.matvec(x)"
    )


def multiplied_rows(op: Any, x: Any) -> jax.Array:
    """X A as a matrix does it, with a flat vector or flat rows."""
    x = as_inexact(x, "x")
    if x.ndim not in (1, 2) or x.shape[-1] != op.shape[0]:
        raise ValueError(f"`x` has shape {x.shape}; x @ A takes rows ({op.shape[0]},) or (k, {op.shape[0]})")
    return op.T @ x if x.ndim == 1 else (op.T @ x.T).T
