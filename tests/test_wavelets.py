"""Wavelets against their definition in NumPy: filters, matrices, adjoints that are inverses, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import convops as co
from convops.operators.daubechies import scaling_filter
from convops.testing import check_operator

X64 = jax.config.jax_enable_x64
TOLERANCE = 1e-13 if X64 else 1e-6
RNG = np.random.default_rng(5)


def step(h, n):
    """One level along one axis, entry by entry from a[k] = sum_m h[m] x[2k + m], g[m] = (-1)^m h[2p-1-m]."""
    matrix = np.zeros((n, n))
    for k in range(n // 2):
        for m in range(len(h)):
            matrix[k, (2 * k + m) % n] += h[m]
            matrix[n // 2 + k, (2 * k + m) % n] += (-1) ** m * h[len(h) - 1 - m]
    return matrix


def pyramid(x, h, levels, axes):
    """Every level on the corner that the one before left."""
    y = x.copy()
    for level in range(levels):
        corner = tuple(slice(n // 2**level) if a in axes else slice(None) for a, n in enumerate(x.shape))
        part = y[corner]
        for axis in axes:
            part = np.moveaxis(np.tensordot(step(h, part.shape[axis]), part, (1, axis)), 0, axis)
        y[corner] = part
    return y


# ---------------------------------------------------------------- filters


@pytest.mark.parametrize("p", range(1, 11))
def test_filters_are_orthonormal_and_have_vanishing_moments(p):
    h = scaling_filter(f"db{p}")
    assert len(h) == 2 * p
    products = [np.dot(h[2 * k :], h[: len(h) - 2 * k]) for k in range(p)]
    np.testing.assert_allclose(products, np.eye(p)[0], atol=1e-13)
    g = h[::-1] * (-1.0) ** np.arange(2 * p)
    moments = [np.sum(g * (np.arange(2 * p) / (2 * p)) ** j) for j in range(p)]
    np.testing.assert_allclose(moments, np.zeros(p), atol=1e-13)
    assert abs(np.sum(g * (np.arange(2 * p) / (2 * p)) ** p)) > 1e-9  # and no more than p
    assert abs(h.sum() - np.sqrt(2)) < 1e-13
    assert np.dot(h**2, np.arange(2 * p)) <= np.dot(h[::-1] ** 2, np.arange(2 * p)) + 1e-13  # the large ones first


def test_published_filters():
    root = np.sqrt(3)
    db2 = np.array([1 + root, 3 + root, 3 - root, 1 - root]) / (4 * np.sqrt(2))
    np.testing.assert_allclose(scaling_filter("db2"), db2, atol=1e-13)
    a, b = np.sqrt(10), np.sqrt(5 + 2 * np.sqrt(10))  # Daubechies' closed form with three vanishing moments
    db3 = np.array([1 + a + b, 5 + a + 3 * b, 10 - 2 * a + 2 * b, 10 - 2 * a - 2 * b, 5 + a - 3 * b, 1 + a - b])
    np.testing.assert_allclose(scaling_filter("db3"), db3 * np.sqrt(2) / 32, atol=1e-13)
    np.testing.assert_allclose(scaling_filter("haar"), np.sqrt([0.5, 0.5]), atol=1e-13)


# ---------------------------------------------------------------- the operator

CASES = {
    "haar": ((8,), "haar", 3, (0,)),
    "db2": ((4, 6), "db2", 1, (0, 1)),
    "db3-3d": ((4, 2, 6), "db3", 1, (0, 1, 2)),
    "carried": ((3, 8, 4), "db4", 2, (1, 2)),
    "one-axis": ((12, 5), "db5", 2, (0,)),
    "wraps": ((8,), "db10", 3, (0,)),
    "two-samples": ((2, 4), "db7", 1, (0, 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_against_the_definition(name):
    shape, kind, levels, axes = CASES[name]
    W = co.wavelet(shape, kind, levels, axes)
    x = RNG.standard_normal((2, *shape))
    wanted = np.stack([pyramid(part, scaling_filter(kind), levels, axes) for part in x])
    found = W.matvec(x)
    np.testing.assert_allclose(found, wanted, atol=20 * TOLERANCE)
    np.testing.assert_allclose(W.rmatvec(found), x, atol=20 * TOLERANCE)
    S = W.to_sparse()
    np.testing.assert_allclose((S @ S.T).toarray(), np.eye(x[0].size), atol=20 * TOLERANCE)


def test_conformance():
    W = co.wavelet((3, 4), "db2", 2, 1)
    check_operator(W)
    assert W.tags == {"unitary"}
    assert W.norm() == 1
    assert type(W.gram()).__name__ == "Identity"


@pytest.mark.parametrize("name", ["haar", "db4", "db10"])
def test_polynomials_have_no_details(name):
    p = len(scaling_filter(name)) // 2
    n = 64
    y = np.asarray(co.wavelet(n, name, 1) @ ((np.arange(n) / n) ** (p - 1)))
    inner = y[n // 2 : n - p + 1]  # the last details see the jump from the end to the start
    assert np.abs(inner).max() < 20 * TOLERANCE


def test_levels_and_layout():
    x = RNG.standard_normal((16, 24))
    W = co.wavelet(x.shape)
    assert W.levels == 3
    y = np.asarray(W @ x)
    coarse = x.reshape(2, 8, 3, 8).sum((1, 3)) / 8
    np.testing.assert_allclose(y[:2, :3], coarse, atol=20 * TOLERANCE)
    assert co.wavelet((7, 8), axes=1).levels == 3
    assert repr(W) == "Wavelet R(16, 24) -> R(16, 24), haar, 3 levels over axes (0, 1)"


@pytest.mark.parametrize("dtype", ["float16", "complex64"])
def test_dtypes_are_kept(dtype):
    x = jnp.asarray(RNG.standard_normal(8), dtype)
    W = co.wavelet(8, "db2")
    y = W._matvec(x)
    assert y.dtype == dtype
    assert W._rmatvec(y).dtype == dtype
    np.testing.assert_allclose(W._rmatvec(y), x, atol=1e-2 if dtype == "float16" else 1e-5)


def test_through_jit_vmap_and_grad():
    W, x = co.wavelet((4, 8), "db2"), RNG.standard_normal((3, 4, 8))
    weights = RNG.standard_normal((4, 8))
    found = jax.jit(jax.vmap(lambda W, v: jax.grad(lambda v: (weights * W.matvec(v)).sum())(v), (None, 0)))(W, x)
    np.testing.assert_allclose(found[2], W.H @ weights, atol=20 * TOLERANCE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: co.wavelet(8, "db11"), "`name` is 'db11'; accepted are 'haar' and 'db1' to 'db10'"),
        (
            lambda: co.wavelet((8, 12), levels=3),
            "`levels` is 3, but axis 1 has length 12, which allows at most 2 levels$",
        ),
        (lambda: co.wavelet((8, 7)), "axis 1 has length 7, which allows at most 0 levels: crop or pad it"),
        (lambda: co.wavelet(8, levels=0), "`levels` is 0; give an integer of at least 1"),
        (lambda: co.wavelet(8, axes=1), r"`axes` is \(1,\); give different axes between 0 and 0"),
        (lambda: co.wavelet(0), "`shape` is 0"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
