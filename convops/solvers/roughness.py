"""The operator L of a regularisation term, by name: with the axes and the boundary of the blur it goes with."""

from typing import Any

from ..operators.adjoint import Adjoint, Conjugate
from ..operators.algebra import Composition, Scaled
from ..operators.base import LinearOperator
from ..operators.blocks import VerticalStack
from ..operators.diagonalized import Spectral
from ..operators.differences import gradient, laplacian
from ..operators.elementary import identity
from ..operators.unknown_boundary import UnknownBoundary
from ..operators.windowed import Convolution

NAMED = {"identity": None, "gradient": gradient, "laplacian": laplacian}


def roughness(A: LinearOperator, L: Any) -> LinearOperator:
    """The operator that None (the identity) or a name stands for; an operator is checked to fit."""
    if L is None or L == "identity":
        return identity(A.in_shape)
    if isinstance(L, str) and L in NAMED:
        boundary = "wrap" if "circulant" in _first(A).tags else "symmetric"
        return NAMED[L](A.in_shape, boundary, axes=blurred_axes(A))
    if isinstance(L, LinearOperator) and L.in_shape == A.in_shape:
        return L
    names = ", ".join(map(repr, NAMED))
    raise ValueError(f"`L` must be an operator on {A.in_shape}, what A acts on, or one of {names}; got {L!r}")


def blurred_axes(A: LinearOperator) -> tuple[int, ...] | None:
    """The axes of x that the blur acts on, None where that is not known."""
    first = _first(A)
    return tuple(sorted(first.axes)) if isinstance(first, Convolution | Spectral) else None


def _first(A: LinearOperator) -> LinearOperator:
    """The part of A that meets x first."""
    if isinstance(A, Composition):
        return _first(A.factors[-1])
    if isinstance(A, UnknownBoundary):
        return A.blur
    if isinstance(A, Scaled | Adjoint | Conjugate):
        return _first(A.parent)
    return _first(A.blocks[0]) if isinstance(A, VerticalStack) else A
