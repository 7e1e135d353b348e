"""LinearOperator: a matrix that is a function, a frozen dataclass and a pytree."""

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np

from .products import apply, apply_adjoint, mapped, multiplied, multiplied_rows
from .pytree import register, static

if TYPE_CHECKING:
    import scipy.sparse.linalg

Shape = tuple[int, ...]
LIMIT = 2 * 2**30  # bytes that an explicit matrix may take unless the caller says otherwise


@dataclass_transform(
    frozen_default=True, eq_default=False, kw_only_default=True, field_specifiers=(static, dataclasses.field)
)
class LinearOperator:
    """A linear map between N-D arrays that never builds its matrix.

    Subclasses are frozen dataclasses and pytrees: fields are leaves (arrays, or operators) unless made by
    `static`. They declare ``in_shape`` and ``out_shape`` and write ``_matvec``, and ``_rmatvec`` where something
    faster than `jax.linear_transpose` is known. The operator's matrix acts on the C-order vectors of its arrays.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([1.0, 2.0], 3, mode="full")
    >>> A
    Convolution R(3) -> R(4), 2 kernel, full, stencil
    >>> print(A.as_matrix())
    [[1. 0. 0.]
     [2. 1. 0.]
     [0. 2. 1.]
     [0. 0. 2.]]
    >>> print(A.H @ (A @ [1.0, 0.0, 0.0]))
    [5. 2. 0.]
    """

    in_shape: Shape
    out_shape: Shape
    __array_ufunc__ = None  # numpy leaves `array * A` and `array @ A` to the operator

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        register(cls)

    # what a subclass writes

    def _matvec(self, x: jax.Array) -> jax.Array:
        """Apply to one array of ``in_shape``, unchecked."""
        raise NotImplementedError(f"{type(self).__name__} does not define _matvec")

    def _rmatvec(self, y: jax.Array) -> jax.Array:
        """Apply the adjoint to one array of ``out_shape``, unchecked."""
        like = jax.ShapeDtypeStruct(self.in_shape, jnp.result_type(y.dtype, *self._inexact_leaves()))
        transpose = jax.linear_transpose(self._matvec, like)
        out = jax.eval_shape(self._matvec, like)
        (x,) = transpose(jnp.conj(y).astype(out.dtype))
        return jnp.conj(x)

    def _fuse_product(self, other: "LinearOperator") -> "LinearOperator | None":
        """The product self @ other as one simpler operator, or None."""
        del other

    def _fuse_before(self, other: "LinearOperator") -> "LinearOperator | None":
        """The product other @ self as one simpler operator where `other` does not know of one, or None."""
        del other

    def _fuse_sum(self, other: "LinearOperator") -> "LinearOperator | None":
        """The sum self + other as one simpler operator, or None."""
        del other

    def _norm(self) -> jax.Array:
        """The norm, unchecked; by power iteration unless a subclass knows better."""
        from .norms import power_iteration

        return power_iteration(self)

    def _scaled(self, factor: jax.Array) -> "LinearOperator | None":
        """The multiple factor * self as an operator of the same kind, or None."""
        del factor

    def _as_matrix(self) -> jax.Array:
        """The (m, n) matrix of C-order vectors; from the columns of the identity unless a subclass knows better."""
        n = math.prod(self.in_shape)
        rows = jax.lax.map(lambda j: self._column(j), jnp.arange(n), batch_size=min(n, 64))
        return rows.T

    def _column(self, j: jax.Array) -> jax.Array:
        n = math.prod(self.in_shape)
        unit = jax.nn.one_hot(j, n, dtype=self.dtype).reshape(self.in_shape)
        return self._matvec(unit).reshape(-1)

    def _coordinates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Row, column and value of every structurally non-zero entry, or None where only probing tells."""

    # facts

    @property
    def shape(self) -> tuple[int, int]:
        """The matrix's shape (m, n), as SciPy has it."""
        return math.prod(self.out_shape), math.prod(self.in_shape)

    @property
    def dtype(self) -> jnp.dtype:
        """The dtype of the matrix's entries: its leaves', or the default float where it has none."""
        leaves = self._inexact_leaves()
        return jnp.result_type(*leaves) if leaves else jnp.zeros(()).dtype

    def _inexact_leaves(self) -> list[jax.Array]:
        """The arrays that decide the dtype; operators inside say which of theirs do (a spectrum does not)."""
        parts = jax.tree.leaves(self, is_leaf=lambda part: isinstance(part, LinearOperator) and part is not self)
        nested = [p._inexact_leaves() if isinstance(p, LinearOperator) else [p] for p in parts]
        return [leaf for leaves in nested for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]

    @property
    def tags(self) -> frozenset[str]:
        """Facts known to hold: any of 'selfadjoint', 'psd', 'diagonal', 'circulant', 'unitary'."""
        return frozenset()

    @property
    def nnz(self) -> int:
        """Number of structurally non-zero entries of the matrix.

        Known in closed form where the structure tells; where only the matrix does, it is built, and a MemoryError names
        its size above 2 GiB.
        """
        from . import entries

        return len(entries.coordinates(self, LIMIT)[0])

    def nbytes(self, format: str = "dense") -> int:
        """Bytes that the matrix would take as 'dense', 'csr', 'csc', 'coo' or 'bcoo', or takes as 'operator'.

        The sparse formats take `nnz`, with its MemoryError.
        """
        from . import entries

        return entries.nbytes(self, format)

    def norm(self, method: str = "auto", *, steps: int | None = None) -> jax.Array:
        """Largest singular value.

        Parameters
        ----------
        method : {"auto", "bound", "power", "lanczos"}
            ``auto``: exact for diagonals, selections and what the FFT or (for concrete arrays) the DCT-II diagonalises;
            a bound never below it for other convolutions, differences, sums and products; by power iteration for the
            rest. ``bound`` is ``auto`` and refuses to estimate. ``power`` and ``lanczos`` estimate from below.
        steps : int, optional
            Iterations, each a product with A and with A^H: 60 of ``power``, 100 of ``lanczos`` unless given.
        """
        from .norms import norm

        return norm(self, method, steps)

    def explain(self) -> str:
        """What the matrix is, what it would cost, and how it is computed, in words."""
        m, n = self.shape
        return f"{self!r}\nmatrix: {m:,} x {n:,} {self.dtype}, {self.nbytes('dense'):,} bytes if it were dense"

    def __repr__(self) -> str:
        detail = self._detail()
        return f"{type(self).__name__} {_space(self, self.in_shape)} -> {_space(self, self.out_shape)}" + (
            f", {detail}" if detail else ""
        )

    def _detail(self) -> str:
        return ""

    # products with arrays

    def matvec(self, x: Any) -> jax.Array:
        """Apply to an array of ``in_shape``, to a flat vector (n,), or to leading batch axes of ``in_shape``.

        Integers become the default float. Raises ValueError for any other shape.
        """
        return mapped(apply, self, x, self.in_shape, self.out_shape, "x")

    def rmatvec(self, y: Any) -> jax.Array:
        """Apply the adjoint (conjugate transpose) to ``out_shape``, a flat vector (m,), or leading batch axes."""
        return mapped(apply_adjoint, self, y, self.out_shape, self.in_shape, "y")

    def __call__(self, x: Any) -> jax.Array:
        """Return `matvec` of x."""
        return self.matvec(x)

    def __matmul__(self, other: Any) -> Any:
        """Return the product with another operator, an array of ``in_shape``, (n,) or flat columns (n, k)."""
        if isinstance(other, LinearOperator):
            from . import algebra

            return algebra.compose(self, other)
        return multiplied(self, other)

    def __rmatmul__(self, other: Any) -> jax.Array:
        """Return the product x A with flat rows: (m,) or (k, m)."""
        return multiplied_rows(self, other)

    # algebra

    @property
    def H(self) -> "LinearOperator":
        """The adjoint (conjugate transpose), lazily; ``A.H.H is A``."""
        from .adjoint import adjoint

        return adjoint(self)

    @property
    def T(self) -> "LinearOperator":
        """The transpose, without conjugation."""
        return self.conj().H

    def conj(self) -> "LinearOperator":
        """The operator whose matrix is the complex conjugate; itself where the matrix is real."""
        from .adjoint import conjugate

        return conjugate(self)

    def gram(self) -> "LinearOperator":
        """The normal operator A^H A."""
        from . import algebra

        return algebra.gram(self)

    def __add__(self, other: Any) -> "LinearOperator":
        from . import algebra

        return algebra.add(self, other) if isinstance(other, LinearOperator) else NotImplemented

    def __sub__(self, other: Any) -> "LinearOperator":
        return self + -other if isinstance(other, LinearOperator) else NotImplemented

    def __neg__(self) -> "LinearOperator":
        return self * -1.0

    def __mul__(self, factor: Any) -> "LinearOperator":
        from . import algebra

        return algebra.scale(self, factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> "LinearOperator":
        from . import algebra

        return algebra.scale(self, divisor, inverse=True)

    # the matrix itself, and other libraries' operators

    def as_matrix(self, order: Literal["C", "F"] = "C", *, limit: int = LIMIT) -> jax.Array:
        """Build the dense (m, n) matrix.

        Parameters
        ----------
        order : {"C", "F"}
            Which vectors it acts on: C-order (NumPy's ravel), or F-order (MATLAB's column-major vec).
        limit : int
            Bytes (2 GiB by default) above which a MemoryError names the size, before anything is allocated.
        """
        from . import entries

        return entries.dense(self, order, limit)

    def to_sparse(self, format: str = "csr", *, order: Literal["C", "F"] = "C", limit: int = LIMIT) -> Any:
        """Build the matrix with exactly `nnz` entries: 'csr', 'csc', 'coo' (SciPy arrays) or 'bcoo' (jax).

        SciPy has no half precision: its formats then hold float32.
        Above `limit` bytes a MemoryError names the size, before anything is allocated where that is known: for
        operators of unknown structure, of which the dense matrix is built on the way, for factors and for terms.
        """
        from . import entries

        return entries.sparse(self, format, order, limit)

    def to_scipy(self) -> "scipy.sparse.linalg.LinearOperator":
        """Return a SciPy LinearOperator over flat vectors, with matvec, rmatvec and matmat."""
        from .. import interop

        return interop.to_scipy(self)

    def to_lineax(self) -> Any:
        """Return a lineax FunctionLinearOperator over arrays of ``in_shape`` (needs the extra `interop`)."""
        from .. import interop

        return interop.to_lineax(self)


def _space(op: LinearOperator, shape: Shape) -> str:
    field = "C" if jnp.issubdtype(op.dtype, jnp.complexfloating) else "R"
    return f"{field}({', '.join(map(str, shape))})"
