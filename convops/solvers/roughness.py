"""The operator L of a regularisation term, by name: with the axes and the boundary of the blur it goes with."""

from typing import Any

from ..operators.adjoint import Adjoint, Conjugate
from ..operators.algebra import Composition, Scaled, Sum
from ..operators.base import LinearOperator
from ..operators.batching import Batched
from ..operators.blocks import BlockDiagonal, VerticalStack
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
        first, _ = _first(A)
        periodic = "circulant" in first.tags or (isinstance(first, Spectral) and first.transform == "fft")
        boundary = "wrap" if periodic else "symmetric"
        return NAMED[L](A.in_shape, boundary, axes=blurred_axes(A))
    if isinstance(L, LinearOperator) and L.in_shape == A.in_shape:
        return L
    names = ", ".join(map(repr, NAMED))
    raise ValueError(f"`L` must be an operator on {A.in_shape}, what A acts on, or one of {names}; got {L!r}")


def blurred_axes(A: LinearOperator) -> tuple[int, ...] | None:
    """The axes of x that the blur acts on, None where that is not known."""
    first, leading = _first(A)
    return tuple(leading + a for a in sorted(first.axes)) if isinstance(first, Convolution | Spectral) else None


def _first(A: LinearOperator, leading: int = 0) -> tuple[LinearOperator, int]:
    """The part of A that meets x first, or a channel of it, and the number of axes before its own."""
    match A:
        case Composition():
            return _first(A.factors[-1], leading)
        case UnknownBoundary():
            return A.blur, leading
        case Scaled() | Adjoint() | Conjugate():
            return _first(A.parent, leading)
        case Sum():
            terms = [_first(term, leading) for term in A.terms]
            return next((term for term in terms if isinstance(term[0], Convolution | Spectral)), terms[0])
        case VerticalStack():
            return _first(A.blocks[0], leading)
        case Batched():
            return _first(A.op, leading + 1)
        case BlockDiagonal() if A.in_shape == (len(A.blocks), *A.blocks[0].in_shape):
            return _first(A.blocks[0], leading + 1)
    return A, leading
