"""Which of the data say something: those that no mask leaves out."""

import jax

from ..operators.algebra import Composition
from ..operators.base import LinearOperator
from ..operators.elementary import Diagonal, Mask
from ..operators.unknown_boundary import UnknownBoundary


def seen(A: LinearOperator) -> jax.Array | None:
    """Where the data count, of ``A.out_shape``; None stands for everywhere."""
    if isinstance(A, UnknownBoundary) and A.keep is not None:
        return A.keep > 0
    last = A.factors[0] if isinstance(A, Composition) else A
    if not isinstance(last, Mask | Diagonal):
        return None
    kept = last.keep if isinstance(last, Mask) else last.values != 0
    inner = A.factors[1] if isinstance(A, Composition) else None
    if isinstance(inner, UnknownBoundary) and inner.keep is not None:
        kept = kept & (inner.keep > 0)
    return kept
