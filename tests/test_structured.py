"""Circulant, Toeplitz and Hankel matrices against SciPy's; separated kernels and Kronecker products by their SVD."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
import scipy.linalg

import convops as co
from convops.testing import check_operator

X64 = jax.config.jax_enable_x64
TOLERANCE = 1e-12 if X64 else 2e-5
RNG = np.random.default_rng(13)


def real(*shape):
    return RNG.standard_normal(shape)


def cplx(*shape):
    return RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)


def close(got, wanted, tolerance=TOLERANCE):
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max(initial=0) <= tolerance * max(np.abs(wanted).max(initial=0), 1)


# ---------------------------------------------------------------- circulant, Toeplitz, Hankel

PAIRS = {
    "square": (real(5), None),
    "complex": (cplx(4), None),
    "wide": (cplx(3), real(7)),
    "tall": (real(8), cplx(2)),
    "row": (real(1), real(4)),
    "column": (real(4), real(1)),
    "one": (cplx(1), None),
    "integers": ([1, 2, 0, 0, 0], [9, 0, 3]),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("kind", ["toeplitz", "hankel"])
def test_toeplitz_and_hankel_equal_scipys(kind, name):
    c, r = PAIRS[name]
    A, wanted = getattr(co, kind)(c, r), getattr(scipy.linalg, kind)(c, r)
    close(A.as_matrix(), wanted, 1e-15 if X64 else 1e-7)
    assert A.dtype == jnp.asarray(1.0 * wanted).dtype
    x, y = cplx(A.shape[1]), cplx(A.shape[0])
    close(A @ x, wanted @ x)
    close(A.H @ y, wanted.conj().T @ y)
    assert A.nnz == np.count_nonzero(wanted)
    assert (np.asarray(A.to_sparse().toarray()) != 0).sum() == A.nnz


def test_few_diagonals_take_few_entries():
    """Of 100 million."""
    c = np.zeros(10_000)
    c[[0, 3]] = 2.0, 5.0
    for A, count in ((co.toeplitz(c), 10_000 + 2 * 9_997), (co.hankel(c), 1 + 4)):
        sparse = A.to_sparse(limit=10**6)
        assert A.nnz == sparse.nnz == count
        x = real(10_000)
        close(sparse @ x, A @ x)


@pytest.mark.skipif(not X64, reason="double precision")
def test_a_signal_in_double_is_computed_in_double():
    c, r, x = (real(9).astype(np.float32) for _ in "crx")
    x = x.astype(np.float64) + 1e-9
    for kind in ("toeplitz", "hankel"):
        A, wanted = getattr(co, kind)(c, r), getattr(scipy.linalg, kind)(c, r).astype(np.float64)
        assert A.dtype == np.float32
        close(A @ x, wanted @ x)
        close(A.rmatvec(x), wanted.T @ x)


@pytest.mark.parametrize("c", [real(5), cplx(4), real(1), [1, 2, 3]], ids=str)
def test_circulant_equals_scipys(c):
    close(co.circulant(c).as_matrix(), scipy.linalg.circulant(c))


@pytest.mark.parametrize("c", [real(2, 3), cplx(3, 2, 4)])
def test_circulant_of_several_axes(c):
    A = co.circulant(c)
    close(A.as_matrix(), oracle.convolution_matrix_nd(c, c.shape, boundary="wrap", origin=0))
    close(A.as_matrix()[:, 0], c.ravel())


@pytest.mark.parametrize(
    "A",
    [co.toeplitz(real(4), real(6)), co.hankel(cplx(3), real(4)), co.circulant(cplx(2, 3))],
    ids=["toeplitz", "hankel", "circulant"],
)
def test_conformance(A):
    check_operator(A)


def test_a_long_toeplitz_matrix():
    c, r, x = real(3000), real(2001), real(2001)
    close(co.toeplitz(c, r) @ x, scipy.linalg.matmul_toeplitz((c, r), x), 1e-11 if X64 else 1e-3)


def test_sums_and_multiples_stay_toeplitz():
    A, B = co.toeplitz(real(3), real(4)), co.toeplitz(cplx(3), cplx(4))
    assert type(2 * A - 1j * B).__name__ == "Toeplitz"
    close((2 * A - 1j * B).as_matrix(), 2 * A.as_matrix() - 1j * B.as_matrix())
    close(B.conj().as_matrix(), np.conj(B.as_matrix()))
    norm = np.linalg.norm(np.asarray(B.as_matrix()), 2)
    assert norm <= B.norm() < 3 * norm
    assert abs(B.norm("lanczos", steps=10) / norm - 1) < TOLERANCE
    close(B.T.as_matrix(), np.asarray(B.as_matrix()).T)


def test_structured_operators_through_jit_vmap_and_grad():
    c, r, x = real(3, 4), real(5), real(5)

    def f(c, r):
        return jnp.sum(co.toeplitz(c, r).matvec(x) ** 3) + jnp.sum(co.hankel(c, r).matvec(x) ** 2)

    found = jax.jit(jax.vmap(f, (0, None)))(c, r)
    wanted = [
        np.sum((scipy.linalg.toeplitz(row, r) @ x) ** 3) + np.sum((scipy.linalg.hankel(row, r) @ x) ** 2) for row in c
    ]
    close(found, wanted, 10 * TOLERANCE)
    slope = jax.grad(f, 1)(jnp.asarray(c[0]), jnp.asarray(r))
    y, z = scipy.linalg.toeplitz(c[0], r) @ x, scipy.linalg.hankel(c[0], r) @ x
    for j in range(5):  # of r[j], which stands at [i, i + j], and in the Hankel matrix at [i, 3 - i + j]
        unit = np.eye(5)[j] * (j > 0)
        T, H = scipy.linalg.toeplitz(np.zeros(4), unit), scipy.linalg.hankel(np.zeros(4), unit)
        close(slope[j], np.sum(3 * y**2 * (T @ x)) + np.sum(2 * z * (H @ x)), 10 * TOLERANCE)


@pytest.mark.parametrize("name", ["circulant", "toeplitz", "hankel"])
def test_structured_operators_refuse(name):
    with pytest.raises(ValueError, match="`c` has shape"):
        getattr(co, name)([])
    if name != "circulant":
        with pytest.raises(ValueError, match=r"`c` has shape \(2, 2\); give one axis with at least one number"):
            getattr(co, name)(np.eye(2))
        with pytest.raises(ValueError, match=r"`r` has shape \(\)"):
            getattr(co, name)([1.0], 2.0)


# ---------------------------------------------------------------- separated kernels

U, V = np.array([1.0, -2.0, 0.5]), np.array([2.0, 1.0, -1.0, 3.0])
OPTIONS = {
    "zero": {},
    "full": {"mode": "full", "stride": (2, 1)},
    "valid": {"mode": "valid"},
    "mixed": {"boundary": ("symmetric", "reflect"), "stride": (1, 2), "dilation": (1, 2), "origin": (0, 3)},
    "antireflect": {"boundary": "antireflect"},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_separated_and_svd(name):
    phase = 1j if name in ("full", "valid") else 0
    kernel = np.outer(U, V) if phase == 0 else np.outer(U, V * np.exp(phase * np.arange(4)))
    wanted = oracle.convolution_matrix_nd(kernel, (6, 9), **OPTIONS[name])
    A = co.convolution(kernel, (6, 9), **OPTIONS[name])
    S = co.separated(A)
    assert type(S).__name__ == "Kronecker"
    assert S.dtype == A.dtype
    close(S.as_matrix(), wanted)
    svd = co.kronecker_svd(A)
    close(
        np.sort(np.ravel(svd.singular_values))[::-1],
        np.linalg.svd(wanted, compute_uv=False)[: svd.singular_values.size],
    )
    close(svd.norm(), np.linalg.norm(wanted, 2))
    b = real(*A.out_shape) + phase * real(*A.out_shape)
    weight = 0.3
    gram = wanted.conj().T @ wanted + weight * np.eye(wanted.shape[1])
    close(svd.solve(b, weight).reshape(-1), np.linalg.solve(gram, wanted.conj().T @ b.ravel()))
    sizes = np.linalg.svd(wanted, compute_uv=False)
    pinv = np.linalg.pinv(wanted) @ b.ravel()
    close(svd.solve(b).reshape(-1), pinv, TOLERANCE * sizes[0] / sizes[-1])
    close(svd.filtered(b, lambda s: s).reshape(-1), wanted.conj().T @ b.ravel())


def test_separated_axes_and_identities():
    kernel = np.einsum("i,j,k->ijk", U, V[:2], V)
    A = co.convolution(kernel, (4, 5, 2, 6), axes=(3, 0, 2), boundary=("wrap", "zero", "edge"))
    close(co.separated(A).as_matrix(), A.as_matrix())
    line = co.convolution([0.2, 1.0, -0.3], 5)
    close(co.separated(line).as_matrix(), line.as_matrix())
    nested = co.kronecker(co.from_matrix(real(3, 2)), co.kronecker(line, co.from_matrix(cplx(2, 4))))
    svd = co.kronecker_svd(nested)
    assert svd.singular_values.shape == (2, 5, 2)
    b = cplx(*nested.out_shape)
    wanted = np.linalg.pinv(np.asarray(nested.as_matrix()), rcond=1e-4) @ b.ravel()
    close(svd.solve(b).reshape(-1), wanted, 50 * TOLERANCE)


def test_pseudo_inverse_thresholds():
    A = co.kronecker(co.from_matrix(np.diag([1.0, 1e-3, 0.0])), co.from_matrix(np.eye(2)))
    b = np.ones((3, 2))
    svd = co.kronecker_svd(A)
    close(svd.solve(b).reshape(3, 2), [[1, 1], [1e3, 1e3], [0, 0]])
    close(svd.solve(b, rcond=0.1).reshape(3, 2), [[1, 1], [0, 0], [0, 0]])
    close(svd.solve(b, 1e-6).reshape(3, 2)[1], [500, 500])


def test_svd_through_jit_vmap_and_grad():
    A = co.convolution(np.outer(U, V), (6, 7))
    svd, b = co.kronecker_svd(A), real(4, 6, 7)
    weights = np.array([1e-3, 0.1, 1.0, 3.0])
    found = jax.jit(jax.vmap(lambda svd, b, w: svd.solve(b, w), (None, 0, 0)))(svd, b, weights)
    for x, part, w in zip(found, b, weights, strict=True):
        close(x, svd.solve(part, w))
    close(svd.solve(b, 0.1), [svd.solve(part, 0.1) for part in b])
    close(svd.solve(b[0].ravel(), 0.1), svd.solve(b[0], 0.1).reshape(-1))
    M = np.asarray(A.as_matrix(), np.float64)

    def objective(w):
        x = np.linalg.solve(M.T @ M + w * np.eye(42), M.T @ b[0].ravel())
        return np.sum(x**3), np.linalg.solve(M.T @ M + w * np.eye(42), -x) @ (3 * x**2)

    close(jax.grad(lambda w: jnp.sum(svd.solve(b[0], w) ** 3))(0.2), objective(0.2)[1], 10 * TOLERANCE)
    slope = jax.grad(lambda v: jnp.sum(svd.solve(v, 0.2) * b[1]))(jnp.asarray(b[0]))
    close(slope.reshape(-1), M @ np.linalg.solve(M.T @ M + 0.2 * np.eye(42), b[1].ravel()))


def test_separated_refuses():
    with pytest.raises(ValueError, match=r"not a product of one vector an axis: the best one is off by .*rank one"):
        co.separated(co.convolution([[1.0, 2.0], [3.0, 4.0]], (5, 5)))
    with pytest.raises(ValueError, match="not a product"):
        co.kronecker_svd(co.convolution(np.outer(U, V) + 1e-3 * np.eye(3, 4), (5, 5)))
    with pytest.raises(ValueError, match="`A` has a traced kernel"):
        jax.jit(lambda k: co.separated(co.convolution(k, (5, 5))).as_matrix())(np.outer(U, V))
    with pytest.raises(ValueError, match="give a convolution without channels"):
        co.kronecker_svd(co.gradient((4, 5)))
    svd = co.kronecker_svd(co.convolution(np.outer(U, V), (5, 6)))
    with pytest.raises(ValueError, match=r"`b` has shape \(6, 5\); give \(5, 6\), flat, or with leading batch axes"):
        svd.solve(np.ones((6, 5)))
    with pytest.raises(ValueError, match="`weight` is -1; give a number that is not negative"):
        svd.solve(np.ones((5, 6)), -1)
    with pytest.raises(ValueError, match=r"`gain` has shape \(3,\); give one number a singular value, \(5, 6\)"):
        svd.filtered(np.ones((5, 6)), np.ones(3))
