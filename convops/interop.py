"""Operators to and from other libraries: SciPy and lineax."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from .operators.adapters import fitting, from_coordinates, from_function
from .operators.base import LinearOperator

if TYPE_CHECKING:  # imported when called: scipy.sparse costs a fifth of a second
    import scipy.sparse.linalg


def to_scipy(op: LinearOperator) -> "scipy.sparse.linalg.LinearOperator":
    """Return `op` as a SciPy LinearOperator over flat vectors.

    >>> import convops as co
    >>> S = co.to_scipy(co.convolution([1.0, 2.0], 3))
    >>> print(S.matvec([1.0, 0.0, 0.0]))
    [2. 0. 0.]
    """
    import scipy.sparse.linalg

    def columns(x: np.ndarray) -> np.ndarray:
        return np.asarray(op @ x.reshape(op.shape[1], -1))

    def adjoint_columns(y: np.ndarray) -> np.ndarray:
        return np.asarray(op.H @ y.reshape(op.shape[0], -1))

    make: Any = scipy.sparse.linalg.LinearOperator
    return make(
        op.shape,
        matvec=lambda x: np.asarray(op.matvec(np.ravel(x))),
        rmatvec=lambda y: np.asarray(op.rmatvec(np.ravel(y))),
        matmat=columns,
        rmatmat=adjoint_columns,
        dtype=np.dtype(op.dtype),
    )


def from_scipy(matrix: Any, in_shape: Any = None, out_shape: Any = None) -> LinearOperator:
    """Return a SciPy sparse matrix or LinearOperator as an operator on C-order vectors.

    A sparse matrix becomes arrays of coordinates on the device; a LinearOperator is called back on the host at every
    product, through `jax.pure_callback`, and is differentiable in the data alone: its matvec by its rmatvec, and the
    other way round.

    >>> import scipy.sparse, convops as co
    >>> A = co.from_scipy(scipy.sparse.eye_array(3, format="csr"))
    >>> A.shape, A.nnz
    ((3, 3), 3)
    """
    import scipy.sparse.linalg

    if scipy.sparse.issparse(matrix):
        coo = matrix.tocoo(copy=True)  # to sum duplicates in
        coo.sum_duplicates()
        return from_coordinates(coo.row, coo.col, coo.data, coo.shape, in_shape, out_shape)
    if not isinstance(matrix, scipy.sparse.linalg.LinearOperator):
        raise ValueError(f"`matrix` is a {type(matrix).__name__}; give a SciPy sparse matrix or LinearOperator")
    return _from_linear_operator(matrix, in_shape, out_shape)


def _from_linear_operator(matrix: Any, in_shape: Any, out_shape: Any) -> LinearOperator:
    in_shape, out_shape = fitting(matrix.shape, in_shape, out_shape)
    entry = jax.dtypes.canonicalize_dtype(np.result_type(matrix.dtype or float, np.float32))

    def called(method: Any, shape: Any) -> Any:
        def call(x: jax.Array) -> jax.Array:
            out = jax.ShapeDtypeStruct(shape, jnp.result_type(entry, x.dtype))
            back = lambda v: np.asarray(method(np.asarray(v).ravel()), out.dtype).reshape(shape)  # noqa: E731
            return jax.pure_callback(back, out, x, vmap_method="sequential")

        return call

    forward, adjoint = called(matrix.matvec, out_shape), called(matrix.rmatvec, in_shape)
    forward, adjoint = jax.custom_vjp(forward), jax.custom_vjp(adjoint)
    _differentiable(forward, adjoint)
    _differentiable(adjoint, forward)
    return from_function(lambda x: forward(x), in_shape, entry, lambda y: adjoint(y))


def _differentiable(function: Any, adjoint: Any) -> None:
    """Let the derivative of a linear function be the transpose, the conjugate of its adjoint."""

    def backward(like: jax.Array, y: jax.Array) -> tuple[jax.Array]:
        x = jnp.conj(adjoint(jnp.conj(y)))
        return ((x if jnp.iscomplexobj(like) else jnp.real(x)).astype(like.dtype),)

    function.defvjp(lambda x: (function(x), jnp.zeros((), x.dtype)), backward)


def to_lineax(op: LinearOperator) -> Any:
    """Return `op` as a lineax FunctionLinearOperator over arrays of ``in_shape`` (needs the extra `interop`).

    >>> import convops as co
    >>> co.to_lineax(co.convolution([1.0, 2.0], 3)).out_size()
    3
    """
    try:
        import lineax
    except ImportError:
        raise ImportError(
            "to_lineax() needs lineax: install the extra with pip install 'convops-jax[interop]'"
        ) from None
    tags = [lineax.positive_semidefinite_tag] if "psd" in op.tags else []
    tags += [lineax.diagonal_tag] if "diagonal" in op.tags else []
    if "selfadjoint" in op.tags and not jnp.issubdtype(op.dtype, jnp.complexfloating):
        tags.append(lineax.symmetric_tag)
    structure = jax.ShapeDtypeStruct(op.in_shape, op.dtype)
    return lineax.FunctionLinearOperator(op._matvec, structure, tags)
