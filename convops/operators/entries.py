"""The matrix of an operator entry by entry: dense, sparse, and how many bytes it would take."""

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from .arrays import traced

if TYPE_CHECKING:
    from .base import LinearOperator

FORMATS = ("csr", "csc", "coo", "bcoo")
Coordinates = tuple[np.ndarray, np.ndarray, np.ndarray]


def dense(op: "LinearOperator", order: str, limit: int) -> jax.Array:
    """Return the dense matrix on C- or F-order vectors, refused above `limit` bytes."""
    _within(op, "dense", limit)
    matrix = _dense(op)
    if _check_order(order) == "F":
        matrix = matrix[_column_major(op.out_shape)][:, _column_major(op.in_shape)]
    return matrix


@jax.jit
def _dense(op: "LinearOperator") -> jax.Array:
    return op._as_matrix()


def sparse(op: "LinearOperator", format: str, order: str, limit: int) -> Any:
    """Return the sparse matrix in a format, refused above `limit` bytes."""
    if format not in FORMATS:
        raise ValueError(f"`format` is {format!r}; accepted are {', '.join(map(repr, FORMATS))}")
    _check_order(order)
    _concrete(op)
    _within(op, format, limit)
    rows, columns, values = coordinates(op)
    if order == "F":
        rows, columns = _inverse(op.out_shape)[rows], _inverse(op.in_shape)[columns]
    values = values.astype(op.dtype)
    index = np.int32 if index_bytes(op.shape, len(values)) == 4 else np.int64
    rows, columns = rows.astype(index), columns.astype(index)
    if format == "bcoo":
        from jax.experimental.sparse import BCOO

        indices = np.stack([rows, columns], 1)
        return BCOO((jnp.asarray(values), jnp.asarray(indices)), shape=op.shape, unique_indices=True)
    return _coo(rows, columns, values, op.shape).asformat(format)


def nbytes(op: "LinearOperator", format: str) -> int:
    """Bytes of the matrix in a format, without building it."""
    m, n = op.shape
    item = jnp.dtype(op.dtype).itemsize
    if format == "dense":
        return m * n * item
    if format == "operator":
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(op))
    if format not in FORMATS:
        raise ValueError(f"`format` is {format!r}; accepted are 'dense', 'operator', {', '.join(map(repr, FORMATS))}")
    count = op.nnz
    index = index_bytes(op.shape, count)
    pointers = {"csr": m + 1, "csc": n + 1}.get(format, count)
    return count * (item + index) + pointers * index


def index_bytes(shape: tuple[int, int], count: int) -> int:
    """Bytes of an index, as SciPy chooses it."""
    return 4 if max(*shape, count) < 2**31 else 8


def coordinates(op: "LinearOperator") -> Coordinates:
    """Row, column and value of each structurally non-zero entry, sorted by row."""
    found = op._coordinates()
    if found is None:
        matrix = np.asarray(_dense(op))  # nothing is known of the structure: what is zero is left out
        rows, columns = np.nonzero(matrix)
        return rows, columns, matrix[rows, columns]
    return merge(*found, op.shape)


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
        total = factor if total is None else total @ factor
    assert total is not None
    found = total.tocoo()
    return found.row, found.col, found.data


def _coo(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> Any:
    import scipy.sparse  # when it is needed: the import costs a tenth of a second

    return scipy.sparse.coo_array((values, (rows, columns)), shape=shape)


def _within(op: "LinearOperator", format: str, limit: int) -> None:
    size = nbytes(op, format)
    if size > limit:
        m, n = op.shape
        raise MemoryError(
            f"the {m:,} x {n:,} matrix as {format!r} takes {size:,} bytes ({size / 2**30:.1f} GiB), above the limit of "
            f"{limit:,}: use the operator itself, or raise `limit`"
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
