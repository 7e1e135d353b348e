"""The matrix of an operator entry by entry: dense, sparse, and how many bytes it would take."""

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from .arrays import traced
from .pytree import nested

if TYPE_CHECKING:
    from .base import LinearOperator

SCIPYS = ("csr", "csc", "coo")
FORMATS = (*SCIPYS, "bcoo")
Coordinates = tuple[np.ndarray, np.ndarray, np.ndarray]
_most: ContextVar[int] = ContextVar("most", default=2**62)  # bytes that a product of sparse matrices may take


def dense(op: "LinearOperator", order: str, limit: int) -> jax.Array:
    """Return the dense matrix on C- or F-order vectors, refused above `limit` bytes."""
    _within(op, "dense", limit)
    matrix = _dense(op)
    if _check_order(order) == "F":
        matrix = matrix[_column_major(op.out_shape)][:, _column_major(op.in_shape)]
    return matrix


@jax.jit
def _dense(op: "LinearOperator") -> jax.Array:
    return op._as_matrix().astype(op.dtype)


def sparse(op: "LinearOperator", format: str, order: str, limit: int) -> Any:
    """Return the sparse matrix in a format, refused above `limit` bytes."""
    if format not in FORMATS:
        raise ValueError(f"`format` is {format!r}; accepted are {', '.join(map(repr, FORMATS))}")
    _check_order(order)
    _concrete(op)
    rows, columns, values = coordinates(op, limit, format)
    _within(op, format, limit, len(rows))
    if order == "F":
        rows, columns = _inverse(op.out_shape)[rows], _inverse(op.in_shape)[columns]
    values = values.astype(_entry(op, format))
    index = np.int32 if index_bytes(op.shape, len(values)) == 4 else np.int64
    rows, columns = rows.astype(index), columns.astype(index)
    if format == "bcoo":
        from jax.experimental.sparse import BCOO

        indices = np.stack([rows, columns], 1)
        return BCOO((jnp.asarray(values), jnp.asarray(indices)), shape=op.shape, unique_indices=True)
    return _coo(rows, columns, values, op.shape).asformat(format)


def nbytes(op: "LinearOperator", format: str, count: int | None = None) -> int:
    """Bytes of the matrix in a format: of so many entries, or as many as it has."""
    m, n = op.shape
    item = _entry(op, format).itemsize
    if format == "dense":
        return m * n * item
    if format == "operator":
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(op))
    if format not in FORMATS:
        raise ValueError(f"`format` is {format!r}; accepted are 'dense', 'operator', {', '.join(map(repr, FORMATS))}")
    count = op.nnz if count is None else count
    index = index_bytes(op.shape, count)
    pointers = {"csr": m + 1, "csc": n + 1}.get(format, count)
    return count * (item + index) + pointers * index


def _entry(op: "LinearOperator", format: str) -> np.dtype:
    """The dtype of the entries in a format: SciPy has no half precision."""
    return np.promote_types(op.dtype, np.float32) if format in SCIPYS else np.dtype(op.dtype)


def index_bytes(shape: tuple[int, int], count: int) -> int:
    """Bytes of an index, as SciPy chooses it."""
    return 4 if max(*shape, count) < 2**31 else 8


def coordinates(op: "LinearOperator", limit: int, format: str = "coo") -> Coordinates:
    """Row, column and value of each structurally non-zero entry, sorted by row.

    What is known to take more than `limit` bytes is refused before it is built: the dense matrix, where only that
    tells what is zero, and the factors of products and terms of sums.
    """
    if not _structured(op):
        _within(op, "dense", limit)
        matrix = np.asarray(_dense(op))
        rows, columns = np.nonzero(matrix)
        return rows, columns, matrix[rows, columns]
    _within(op, format, limit, _largest(op))
    before = _most.set(limit)
    try:
        found = op._coordinates()
    finally:
        _most.reset(before)
    assert found is not None
    return merge(*found, op.shape)


def _structured(op: "LinearOperator") -> bool:
    """Whether the operator and all that it is made of know their entries."""
    from .base import LinearOperator

    return type(op)._coordinates is not LinearOperator._coordinates and all(map(_structured, _parts(op)))


def _largest(op: "LinearOperator") -> int:
    """Number of entries of the largest matrix on the way that is known without building any."""
    return op.nnz if _counted(op) else max(map(_largest, _parts(op)), default=0)


def _counted(op: "LinearOperator") -> bool:
    """Whether the operator and all that it is made of know how many entries they have."""
    from .base import LinearOperator

    return type(op).nnz is not LinearOperator.nnz and all(map(_counted, _parts(op)))


def _parts(op: "LinearOperator") -> list["LinearOperator"]:
    """The operators that an operator is made of."""
    from .base import LinearOperator
    from .batching import Batched

    return op._examples() if isinstance(op, Batched) else nested(op, LinearOperator)


def mixed_coordinates(op: "LinearOperator", axes: tuple[int, ...]) -> Coordinates:
    """Coordinates of an operator on arrays of one shape that mixes all samples along `axes` and none along others."""
    shape = op.in_shape
    numbers = np.arange(math.prod(shape)).reshape(shape)
    mixed = numbers[tuple(slice(None) if a in axes else slice(1) for a in range(len(shape)))]  # the first signal
    carried = numbers[tuple(slice(1) if a in axes else slice(None) for a in range(len(shape)))]
    where = np.broadcast_to(mixed, shape)
    values = np.asarray(_responses(op, where, mixed.ravel()))
    columns = mixed.reshape(-1, *(1,) * len(shape)) + carried
    rows, columns = np.broadcast_to(numbers, values.shape), np.broadcast_to(columns, values.shape)
    return rows.ravel(), columns.ravel(), values.ravel()


@jax.jit
def _responses(op: "LinearOperator", where: np.ndarray, samples: np.ndarray) -> jax.Array:
    """What the operator makes of ones at each sample of every carried signal at once."""
    unit = lambda j: op._matvec((where == j).astype(op.dtype))  # noqa: E731
    return jax.lax.map(unit, samples, batch_size=min(len(samples), 64))


def merge(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> Coordinates:
    """Sort coordinates by row and column, and add up those that repeat."""
    total = _coo(rows, columns, values, shape).tocsr()
    total.sum_duplicates()
    found = total.tocoo()
    return found.row, found.col, found.data


def merged_coordinates(parts: list[Coordinates | None], shape: tuple[int, int]) -> Coordinates | None:
    """Coordinates of a sum."""
    known = [p for p in parts if p is not None]
    if len(known) < len(parts):
        return None
    rows, columns, values = (np.concatenate(p) for p in zip(*known, strict=True))
    return merge(rows, columns, values, shape)


def product_coordinates(parts: list[Coordinates | None], shapes: list[tuple[int, int]]) -> Coordinates | None:
    """Coordinates of a product."""
    total: Any = None
    for part, shape in zip(parts, shapes, strict=True):
        if part is None:
            return None
        factor = _coo(*part, shape).tocsr()
        total = factor if total is None else _product(total, factor)
    assert total is not None
    found = total.tocoo()
    return found.row, found.col, found.data


def _product(left: Any, right: Any) -> Any:
    """The product of sparse matrices, in bands of rows: refused once it is too large."""
    import scipy.sparse

    most = _most.get()
    lengths = np.diff(right.indptr)[left.indices]  # entries that each entry of the left one meets
    terms = np.concatenate([[0], np.cumsum(lengths)])[left.indptr]
    item = np.result_type(left.dtype, right.dtype).itemsize + 4
    if terms[-1] * item <= most:
        return left @ right
    first, taken, bands = 0, 0, []
    while first < left.shape[0]:
        enough = terms[first] + max(most - taken, 2**20) // item
        end = max(int(np.searchsorted(terms, enough, "right")) - 1, first + 1)
        bands.append(left[first:end] @ right)
        first, taken = end, taken + bands[-1].nnz * item
        if taken > most and first < left.shape[0]:
            raise _too_large((left.shape[0], right.shape[1]), "csr", taken, most, "more than ")
    return scipy.sparse.vstack(bands, "csr")


def _coo(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> Any:
    import scipy.sparse  # when it is needed: the import costs a tenth of a second

    if values.dtype.itemsize < 4:
        values = values.astype(np.float32)
    return scipy.sparse.coo_array((values, (rows, columns)), shape=shape)


def _within(op: "LinearOperator", format: str, limit: int, count: int | None = None) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int | float | np.number) or not limit >= 0:
        raise ValueError(f"`limit` is {limit!r}; give a number of bytes")
    size = nbytes(op, format, count)
    if size > limit:
        raise _too_large(op.shape, format, size, limit)


def _too_large(shape: tuple[int, int], format: str, size: int, limit: int, atleast: str = "") -> MemoryError:
    m, n = shape
    return MemoryError(
        f"the {m:,} x {n:,} matrix as {format!r} takes {atleast}{size:,} bytes ({size / 2**30:.1f} GiB), above the "
        f"limit of {limit:,}: use the operator itself, or raise `limit`"
    )


def _concrete(op: "LinearOperator") -> None:
    if any(traced(leaf) for leaf in jax.tree.leaves(op)):
        raise ValueError("to_sparse() needs concrete arrays; inside jit, vmap or grad use as_matrix()")


def _check_order(order: str) -> str:
    if order not in ("C", "F"):
        raise ValueError(f"`order` is {order!r}; accepted are 'C' (NumPy's ravel) and 'F' (MATLAB's vec)")
    return order


def _column_major(shape: tuple[int, ...]) -> np.ndarray:
    """C-order number of each sample, listed in F order."""
    return np.arange(math.prod(shape)).reshape(shape).ravel(order="F")


def _inverse(shape: tuple[int, ...]) -> np.ndarray:
    """F-order number of each sample, listed in C order."""
    return np.argsort(_column_major(shape))
