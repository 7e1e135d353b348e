"""The truncated singular value decomposition against NumPy's, and the rules for its threshold against all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import X64

import convops as co

KERNEL = np.array([[0.1, 0.3, 0.05], [0.2, 0.9, -0.1], [0.0, 0.4, 0.3], [0.1, 0.1, 0.0]])
EVEN = np.array([[0.1, 0.2, 0.1], [0.3, 0.8, 0.3], [0.1, 0.2, 0.1]])
LINES = np.outer([1.0, 3.0, 2.0], [2.0, 5.0, 1.0, 1.0]) / 54
OPERATORS = {
    "fft": co.convolution(KERNEL, (7, 6), boundary="wrap"),
    "complex": co.convolution(KERNEL * np.exp(1j * np.arange(3)), (7, 6), boundary="wrap"),
    "some axes": co.convolution(KERNEL[:, 1], (3, 8), axes=1, boundary="wrap"),
    "dct": co.convolution(EVEN, (6, 7), boundary="symmetric"),
    "kronecker": co.convolution(LINES, (6, 7), boundary=("zero", "reflect")),
    "valid": co.convolution(LINES, (9, 8), mode="valid"),
    "frames": co.vstack([co.convolution(k, (6, 5), boundary="wrap") for k in (KERNEL, EVEN)]),
    "channels": co.batched([co.convolution(k, (6, 5), boundary="wrap") for k in (KERNEL, KERNEL[::-1], KERNEL**2)]),
}


QUICK = "fft", "dct", "valid", "channels"
NAMES = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in OPERATORS]


def data(A, noise=0.02):
    rng = np.random.default_rng(4)  # the same whatever tests have run before
    b = np.asarray(A @ np.cumsum(rng.standard_normal(A.in_shape), -1))
    return b + noise * rng.standard_normal(b.shape)


def decomposed(A):
    M = np.asarray(A.as_matrix())
    return np.linalg.svd(M.astype(np.result_type(M, np.float64)), full_matrices=False)


def truncated(A, b, threshold):
    U, s, V = decomposed(A)
    keep = s >= threshold
    return (V[keep].conj().T @ ((U[:, keep].conj().T @ b.ravel()) / s[keep])).reshape(A.in_shape)


def between(s, share):
    """A threshold well inside a gap of the singular values."""
    ends = np.sort(s)
    gaps = np.flatnonzero(np.diff(ends) > 1e-2 * ends[-1])
    i = gaps[int(share * (len(gaps) - 1))]
    return (ends[i] + ends[i + 1]) / 2


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_truncated_decomposition(name):
    A = OPERATORS[name]
    b = data(A)
    for share in (0.1, 0.6):
        threshold = between(decomposed(A)[1], share)
        sol = co.tsvd(A, b, threshold=threshold)
        wanted = truncated(A, b, threshold)
        assert np.linalg.norm(sol.x - wanted) <= (1e-12 if X64 else 1e-5) * np.linalg.norm(wanted)
        assert float(sol.weight) == pytest.approx(threshold)
        rest = np.linalg.norm(np.asarray(A.as_matrix()) @ wanted.ravel() - b.ravel())
        np.testing.assert_allclose(sol.residual_norm, rest, rtol=1e-5)
    np.testing.assert_array_equal(co.tsvd(A, b.ravel(), threshold=threshold).x, sol.x.ravel())


@pytest.mark.parametrize("rule", ["gcv", "discrepancy"])
@pytest.mark.parametrize("name", NAMES)
def test_the_rules_choose_the_best_threshold(name, rule):
    A = OPERATORS[name]
    b = data(A, 0.05)
    U, s, _ = decomposed(A)
    power, m = np.abs(U.conj().T @ b.ravel()) ** 2, b.size
    outside = max(np.linalg.norm(b) ** 2 - power.sum(), 0) if m > s.size else 0
    ends = np.unique(np.round(s, 5))
    thresholds = np.concatenate([[ends[0] / 2], (ends[1:] + ends[:-1]) / 2])
    rest = np.array([power[s < t].sum() + outside for t in thresholds])
    left = np.array([np.sum(s < t) + m - s.size for t in thresholds])
    if rule == "gcv":
        sol = co.tsvd(A, b)
        allowed = left >= min(8, m / 2)
        wanted = thresholds[allowed][np.argmin(rest[allowed] / left[allowed] ** 2)]
    else:
        noise = 0.2 * np.linalg.norm(b) / np.sqrt(m)
        sol = co.tsvd(A, b, threshold="discrepancy", noise=noise)
        allowed = rest <= m * noise**2
        wanted = thresholds[allowed].max() if allowed.any() else thresholds[0]
    kept = np.sum(s >= wanted)
    assert kept == np.sum(s >= float(sol.weight) * (1 - 1e-4))
    np.testing.assert_allclose(sol.x, truncated(A, b, wanted), atol=(1e-10 if X64 else 1e-3) * np.abs(b).max())
    assert bool(sol.selection.at_edge) == (not allowed.any())
    assert np.all(np.diff(sol.selection.weights) >= 0)


def test_a_photograph_is_better_than_its_blur():
    """Many thresholds, of which GCV's is among the best."""
    scene = np.asarray(co.problems.photograph()[64:160, 70:180]) / 255
    A = co.convolution(co.psf.gaussian(1.2), scene.shape, boundary="symmetric")
    b = np.asarray(A @ scene) + 0.01 * np.random.default_rng(0).standard_normal(scene.shape)
    errors = [np.linalg.norm(co.tsvd(A, b, threshold=t).x - scene) for t in np.geomspace(0.01, 0.5, 30)]
    found = np.linalg.norm(co.tsvd(A, b).x - scene)
    assert found < 0.9 * np.linalg.norm(b - scene)
    assert found < 1.05 * min(errors)


def test_it_differentiates_and_batches():
    b = data(OPERATORS["fft"])

    def loss(kernel, b):
        A = co.convolution(kernel, (7, 6), boundary="wrap")
        return jnp.sum(co.tsvd(A, b, threshold=0.7).x ** 3)

    kernel = jnp.asarray(KERNEL)
    for argument, direction in ((0, KERNEL[::-1, ::-1]), (1, b[::-1])):
        h = 1e-6 if X64 else 1e-2
        ends = [[kernel, jnp.asarray(b)] for _ in range(2)]
        for end, sign in zip(ends, (1, -1), strict=True):
            end[argument] = end[argument] + sign * h * direction
        expected = (loss(*ends[0]) - loss(*ends[1])) / (2 * h)
        slope = jnp.sum(jax.grad(loss, argument)(kernel, jnp.asarray(b)) * direction)
        np.testing.assert_allclose(slope, expected, rtol=1e-6 if X64 else 2e-2)
    A = OPERATORS["dct"]
    several = np.stack([data(A), data(A) + 1])
    together = jax.jit(jax.vmap(lambda b: co.tsvd(A, b).x))(several)
    alone = np.stack([co.tsvd(A, b).x for b in several])
    np.testing.assert_allclose(together, alone, rtol=1e-10 if X64 else 1e-3, atol=1e-4)


def test_what_has_nothing_to_leave_out():
    """A blur that is none keeps all, and zero data give zeros."""
    A = co.convolution(np.ones((1, 1)), (5, 4), boundary="wrap")
    b = data(A)
    for rule in ("gcv", "discrepancy"):
        sol = co.tsvd(A, b, threshold=rule, noise=1e-6)
        np.testing.assert_allclose(sol.x, b, rtol=1e-6 if X64 else 1e-4)
        assert bool(sol.selection.at_edge) == (rule == "gcv")  # GCV has nothing to compare
    blur = OPERATORS["fft"]
    np.testing.assert_array_equal(co.tsvd(blur, np.zeros((7, 6))).x, 0)


@pytest.mark.parametrize(
    ("A", "options", "message"),
    [
        (co.convolution(KERNEL, (7, 6)), {}, "no singular value decomposition is known"),
        (OPERATORS["fft"], {"threshold": "best"}, "`threshold` is 'best'"),
        (OPERATORS["fft"], {"threshold": -1.0}, "`threshold` is -1.0"),
        (OPERATORS["fft"], {"noise": -1.0}, "`noise` is -1.0"),
    ],
)
def test_refusals(A, options, message):
    with pytest.raises(ValueError, match=message):
        co.tsvd(A, np.ones(A.out_shape), **options)
