"""What every operator must do, runnable on anyone's operator."""

import copy
import math
import pickle as pickles
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..operators.base import LinearOperator
from ..operators.norms import power_iteration

PAIRS = 6  # random vectors a check uses


@dataclass(frozen=True)
class Report:
    """What `check_operator` measured; every error is relative.

    Attributes
    ----------
    linearity : float
        Of A(a x + b z) against a A x + b A z.
    adjoint : float
        Largest |<y, A x> - <A^H y, x>| / (norm(A) norm(x) norm(y)).
    slope : complex
        Regression slope of <y, A x> on <A^H y, x>: 1, or the factor by which the adjoint is mis-scaled.
    dense : float or None
        Of products with `as_matrix` and `to_sparse`; None where the matrix was too large to build.
    gradient : float or None
        Of the derivative in the leaves against central differences; None without floating-point leaves.
    """

    linearity: float
    adjoint: float
    slope: complex
    dense: float | None
    gradient: float | None


def check_operator(
    A: LinearOperator,
    *,
    rtol: float | None = None,
    seed: int = 0,
    dense_limit: int = 2**24,
    pickle: bool = True,
) -> Report:
    """Assert that an operator keeps the contract of a linear operator, and return the errors measured.

    Checked are: shapes and dtypes of both products (exact, flat, batched; nothing broadcasts), linearity, the adjoint
    (scaled by norm(A) norm(x) norm(y), and its slope), agreement with its own dense and sparse matrices and `nnz`, jit
    with the operator as an argument (one trace for operators that differ in their arrays), vmap over vectors and over
    operators, derivatives in the vector and in the leaves, ``A.H.H is A``, ``A.T``, and round trips through pytrees,
    copies and pickles.

    Parameters
    ----------
    A : LinearOperator
        Subclass `convops.LinearOperator`, or wrap your own map with `convops.from_function` or `convops.from_scipy`.
    rtol : float, optional
        Relative tolerance; 1e-12 in double and 1e-5 in single precision unless given (a tenth of it in double precision
        for the adjoint).
    seed : int
    dense_limit : int
        Bytes above which the dense matrix is not built.
    pickle : bool
        Whether it must survive pickling (functions defined in a function do not).

    Returns
    -------
    Report

    Raises
    ------
    AssertionError
        With the check that failed and the figures.

    Examples
    --------
    >>> import convops as co
    >>> from convops.testing import check_operator
    >>> A = co.convolution([1.0, 2.0, 5.0, 1.0], 7, boundary="symmetric", stride=2)
    >>> report = check_operator(A)
    >>> bool(report.adjoint < 1e-5), round(abs(report.slope), 3)
    (True, 1.0)
    """
    if not isinstance(A, LinearOperator):
        raise ValueError(f"`A` is a {type(A).__name__}; wrap it with co.from_function() or co.from_scipy()")
    double = jnp.finfo(A.dtype).bits == 64
    rtol = rtol if rtol is not None else 1e-12 if double else 1e-5
    draw = _Draw(np.random.default_rng(seed), A)
    _check_shapes(A, draw)
    linearity = _small("linearity", _linearity(A, draw), rtol)
    adjoint, slope = _adjoint(A, draw)
    _small("the adjoint identity", adjoint, rtol / 10 if double else rtol)
    _small("the slope of <y, Ax> on <A^H y, x>, which should be 1", abs(slope - 1), 10 * rtol)
    dense = _dense(A, draw, rtol) if A.nbytes("dense") <= dense_limit else None
    gradient = _gradient(A, draw)
    if gradient is not None:
        _small("the derivative", gradient, 1e-6 if double else 1e-2)
    _check_transforms(A, draw, rtol)
    _check_round_trips(A, draw, rtol, pickle)
    return Report(linearity, adjoint, slope, dense, gradient)


class _Draw:
    """Random NumPy vectors of an operator's domain and range, in its dtype."""

    def __init__(self, rng: np.random.Generator, A: LinearOperator):
        self.rng, self.A = rng, A

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
        dtype = self.A.dtype if dtype is None else dtype
        values = self.rng.standard_normal(shape)
        if jnp.issubdtype(dtype, jnp.complexfloating):
            values = values + 1j * self.rng.standard_normal(shape)
        return np.asarray(values, dtype)

    def x(self, *batch: int) -> np.ndarray:
        return self((*batch, *self.A.in_shape))

    def y(self, *batch: int) -> np.ndarray:
        return self((*batch, *self.A.out_shape))


def _small(what: str, error: float, rtol: float) -> float:
    assert error <= rtol, f"{what} is off by {error:.3g} (tolerance {rtol:.3g})"
    return error


def _error(got: Any, wanted: Any) -> float:
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape, f"shapes differ: {got.shape} and {wanted.shape}"
    scale = np.linalg.norm(wanted.ravel())
    return float(np.linalg.norm((got - wanted).ravel()) / (scale if scale > 0 else 1))


def _check_shapes(A: LinearOperator, draw: _Draw) -> None:
    m, n = A.shape
    assert (m, n) == (math.prod(A.out_shape), math.prod(A.in_shape)), f"shape is {A.shape}"
    cases = (
        ("matvec", A.matvec, draw.x, A.in_shape, A.out_shape),
        ("rmatvec", A.rmatvec, draw.y, A.out_shape, A.in_shape),
    )
    for name, apply, vector, shape, out in cases:
        v = vector()
        y = apply(v)
        assert y.shape == out, f"{name} gives shape {y.shape}, not {out}"
        assert y.dtype == A.dtype, f"{name} gives {y.dtype} for {v.dtype}; the operator's dtype is {A.dtype}"
        flat = apply(v.reshape(-1))
        assert flat.shape in (out, (math.prod(out),)), f"{name} of a flat vector gives shape {flat.shape}"
        if math.prod(shape) > 0:
            batch = apply(vector(2, 3))
            assert batch.shape == (2, 3, *out), f"{name} of a (2, 3) batch gives shape {batch.shape}"
            _refuses(apply, np.zeros(math.prod(shape) + 1, np.float32), name)


def _refuses(apply: Any, v: np.ndarray, name: str) -> None:
    try:
        apply(v)
    except (ValueError, TypeError):
        return
    raise AssertionError(f"{name} takes a vector of the wrong shape {v.shape}")


def _linearity(A: LinearOperator, draw: _Draw) -> float:
    x, z = draw.x(), draw.x()
    a, b = draw(()), draw(())
    return max(
        _error(A.matvec(a * x + b * z), a * np.asarray(A.matvec(x)) + b * np.asarray(A.matvec(z))),
        float(np.max(np.abs(A.matvec(np.zeros_like(x))), initial=0)),
    )


def _adjoint(A: LinearOperator, draw: _Draw) -> tuple[float, complex]:
    """Inner products on both sides, y being random and then A x (where they are large)."""
    norm = max(float(_estimated_norm(A)), np.finfo(np.float32).tiny)
    left, right, errors = [], [], []
    for i in range(PAIRS):
        x = draw.x()
        y = draw.y() if i % 2 else np.asarray(A.matvec(x))
        left.append(_inner(y, A.matvec(x)))
        right.append(_inner(A.rmatvec(y), x))
        scale = norm * np.linalg.norm(np.ravel(x)) * np.linalg.norm(np.ravel(y))
        errors.append(abs(left[-1] - right[-1]) / (scale if scale > 0 else 1))
    weight = sum(abs(r) ** 2 for r in right)
    slope = sum(np.conj(r) * v for r, v in zip(right, left, strict=True)) / weight if weight > 0 else 1.0
    return float(max(errors)), complex(slope)


@jax.jit
def _estimated_norm(A: LinearOperator) -> jax.Array:
    return power_iteration(A, 20)


def _inner(a: Any, b: Any) -> complex:
    """<a, b> summed in double precision, so that only the operator's rounding shows."""
    return complex(np.vdot(np.asarray(a, np.complex128), np.asarray(b, np.complex128)))


def _dense(A: LinearOperator, draw: _Draw, rtol: float) -> float:
    M = np.asarray(A.as_matrix())
    assert M.shape == A.shape, f"as_matrix gives shape {M.shape}, not {A.shape}"
    x, y = draw.x(), draw.y()
    error = max(
        _error(A.matvec(x).reshape(-1), M @ np.ravel(x)),
        _error(A.rmatvec(y).reshape(-1), M.conj().T @ np.ravel(y)),
        _error(np.asarray(A.as_matrix("F")) @ np.ravel(x, "F"), np.ravel(A.matvec(x), "F")),
    )
    S = A.to_sparse("coo")
    assert S.nnz == A.nnz, f"to_sparse has {S.nnz} entries, nnz says {A.nnz}"
    error = max(error, _error(S.toarray(), M))
    return _small("agreement with the dense and sparse matrices", error, rtol)


def _gradient(A: LinearOperator, draw: _Draw) -> float | None:
    """Derivative of Re <w, A x> along a random direction in the leaves, and in x against the adjoint."""
    x, w = draw.x(), draw.y()
    slope = jax.jit(jax.grad(lambda v, op: jnp.real(jnp.sum(jnp.conj(w) * op._matvec(v)))))(x, A)
    error = _error(np.conj(slope), A.rmatvec(w))
    leaves, structure = jax.tree.flatten(A)
    where = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    if not where:
        return None if error == 0 else error

    @jax.jit
    def value(floating: list[jax.Array]) -> jax.Array:
        full = list(leaves)
        for i, leaf in zip(where, floating, strict=True):
            full[i] = leaf
        op = jax.tree.unflatten(structure, full)
        return jnp.real(jnp.sum(jnp.conj(w) * op._matvec(x)))

    floating = [leaves[i] for i in where]
    direction = [draw(leaf.shape, leaf.dtype) for leaf in floating]
    slopes = jax.jit(jax.grad(value))(floating)
    found = sum(float(np.real(np.sum(np.asarray(s) * d))) for s, d in zip(slopes, direction, strict=True))
    size = max(float(np.max(np.abs(leaf), initial=0)) for leaf in floating) or 1.0
    h = size * float(jnp.finfo(A.dtype).eps) ** (1 / 3)
    ahead, behind = (
        float(
            value(
                [(np.asarray(leaf) + s * h * d).astype(leaf.dtype) for leaf, d in zip(floating, direction, strict=True)]
            )
        )
        for s in (1, -1)
    )
    scale = max(abs(found), np.finfo(np.float32).tiny)
    return max(error, abs((ahead - behind) / (2 * h) - found) / scale)


def _check_transforms(A: LinearOperator, draw: _Draw, rtol: float) -> None:
    traces = []

    @jax.jit
    def apply(op: LinearOperator, v: jax.Array) -> jax.Array:
        traces.append(1)
        return op._matvec(v)

    x = draw.x(2)
    one = apply(A, x[0])
    _small("jit with the operator as an argument", _error(one, A.matvec(x[0])), rtol)
    scaled = jax.tree.map(lambda leaf: leaf * 2 if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf, A)
    apply(scaled, x[1])
    assert len(traces) == 1, "an operator that differs in its arrays alone was traced anew"
    both = np.stack([A.matvec(x[0]), A.matvec(x[1])])
    _small("vmap over vectors", _error(jax.jit(jax.vmap(lambda op, v: op._matvec(v), (None, 0)))(A, x), both), rtol)
    if jax.tree.leaves(A):
        pair = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), A)
        found = jax.jit(jax.vmap(lambda op, v: op._matvec(v)))(pair, x)
        _small("vmap over operators", _error(found, both), rtol)
    y = draw.y()
    _small("A.T", _error(A.T.matvec(y), np.conj(A.rmatvec(np.conj(y)))), rtol)


def _check_round_trips(A: LinearOperator, draw: _Draw, rtol: float, pickle: bool) -> None:
    assert A.H.H is A, "A.H.H is not A"
    assert A.H.shape == A.shape[::-1], f"A.H has shape {A.H.shape}"
    leaves, structure = jax.tree.flatten(A)
    copies = {
        "flatten and unflatten": jax.tree.unflatten(structure, leaves),
        "tree.map": jax.tree.map(lambda leaf: leaf, A),
        "copy": copy.copy(A),
        "deepcopy": copy.deepcopy(A),
    }
    if pickle:
        copies["pickle"] = pickles.loads(pickles.dumps(A))
    x = draw.x()
    y = A.matvec(x)
    for name, other in copies.items():
        assert jax.tree.structure(other) == structure, f"{name} changes the structure"
        assert (other.in_shape, other.out_shape) == (A.in_shape, A.out_shape), f"{name} changes the shapes"
        _small(f"the result after {name}", _error(other.matvec(x), y), rtol)
    assert isinstance(repr(A), str)
    jax.tree.unflatten(structure, [None] * len(leaves))  # nothing is validated when jax rebuilds a pytree
