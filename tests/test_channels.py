"""A kernel of its own for each channel: closed forms against dense matrices and against channel by channel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import X64
from solving import dense, relative

import convops as co

RNG = np.random.default_rng(8)
SHAPE = (7, 6)
KERNELS = [RNG.random((4, 3)) + 0.05 for _ in range(3)]
KERNELS = [k / k.sum() for k in KERNELS]
EVEN = [np.outer([1, w, 1], [2, 5 * w, 2]) / ((2 + w) * (4 + 5 * w)) for w in (1.0, 2.0, 4.0)]
TIGHT = 1e-12 if X64 else 1e-5


def blurs(boundary="wrap", kernels=KERNELS, shape=SHAPE):
    return [co.convolution(k, shape, boundary=boundary) for k in kernels]


SIDE_BY_SIDE = {
    "batched": co.batched(blurs()),
    "blocks": co.block_diagonal(blurs()),
    "uneven blocks": co.block_diagonal(
        [*blurs()[:2], co.convolution(KERNELS[2][0, :2], SHAPE, axes=1, boundary="wrap")]
    ),
    "mirrored": co.batched(blurs("symmetric", EVEN)),
    "spectra": co.diagonalized(co.batched(blurs())),
    "twice": co.batched(blurs()) @ co.batched(blurs(kernels=KERNELS[::-1])) + 0.1 * co.identity((3, *SHAPE)),
    "adjoint": co.batched(blurs()).H,
    "nested": co.block_diagonal([co.batched(blurs()), co.batched(blurs(kernels=KERNELS[::-1]))]),
    "frames": co.vstack([co.batched(blurs()), co.batched(blurs(kernels=KERNELS[::-1]))]),
}

QUICK = "batched", "uneven blocks", "mirrored", "frames"


def data(A):
    rng = np.random.default_rng(0)  # the same whatever tests have run before
    return np.asarray(A @ rng.random(A.in_shape)) + 0.01 * rng.standard_normal(A.out_shape)


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in SIDE_BY_SIDE if n not in QUICK)]
)
def test_tikhonov_is_closed_and_the_dense_solution(name):
    A = SIDE_BY_SIDE[name]
    b, edge = data(A), "symmetric" if name == "mirrored" else "wrap"
    L = co.gradient(A.in_shape, edge, axes=(-2, -1))
    for regulariser, matrix in (("gradient", L), (None, co.identity(A.in_shape))):
        sol = co.tikhonov(A, b, L=regulariser, weight=0.03)
        assert int(sol.num_steps) == 0
        assert relative(sol.x, dense(A, b, matrix, 0.03)) < TIGHT


def test_rules_look_at_all_channels_together():
    A = SIDE_BY_SIDE["batched"]
    b = data(A)
    for rule in ("gcv", "reml", "whiteness"):
        sol = co.tikhonov(A, b, L="gradient", weight=rule)
        same = co.tikhonov(SIDE_BY_SIDE["blocks"], b, L="gradient", weight=rule)
        np.testing.assert_allclose(sol.weight, same.weight, rtol=1e-9 if X64 else 1e-3)
    M, D = (np.asarray(op.as_matrix(), np.float64) for op in (A, co.gradient(A.in_shape, "wrap", axes=(1, 2))))

    def gcv(weight):
        influence = M @ np.linalg.solve(M.T @ M + weight * D.T @ D, M.T)
        return np.sum((b.ravel() - influence @ b.ravel()) ** 2) / np.trace(np.eye(b.size) - influence) ** 2

    best = float(co.tikhonov(A, b, L="gradient").weight)
    assert gcv(best) <= min(gcv(best * 1.05), gcv(best / 1.05)) * (1 + 1e-6)
    best = float(co.tikhonov(A, b, L="gradient", weight="reml").weight)
    at, below, above = (float(co.log_evidence(A, b, L="gradient", weight=w * best)) for w in (1, 0.8, 1.25))
    assert at > max(below, above)


def test_wiener_takes_each_channel_by_itself():
    A = SIDE_BY_SIDE["batched"]
    b = data(A)
    found = co.wiener(A, b, noise_power=1e-3, signal_power=0.5).x
    alone = [co.wiener(blur, part, noise_power=1e-3, signal_power=0.5).x for blur, part in zip(blurs(), b, strict=True)]
    np.testing.assert_allclose(found, np.stack(alone), rtol=1e-10 if X64 else 1e-4, atol=1e-5)


def test_the_two_step_deblurring_takes_each_channel_by_itself():
    shape = (24, 25)
    A = co.batched(blurs(shape=shape))
    scene = np.kron(RNG.random((3, 6, 5)), np.ones((1, 4, 5)))
    b = np.asarray(A @ scene) + 0.02 * RNG.standard_normal((3, *shape))
    found = co.dct_deblur(A, b, noise=0.02).x
    each = zip(blurs(shape=shape), b, strict=True)
    # one ratio of the noise to the largest eigenvalue, which is one for every channel, and to each one's own variance
    alone = np.stack([co.dct_deblur(blur, part, noise=0.02).x for blur, part in each])
    np.testing.assert_allclose(found, alone, atol=1e-6 if X64 else 1e-3)
    assert np.linalg.norm(found - scene) < 0.7 * np.linalg.norm(b - scene)


def test_splitting_methods_agree_with_channel_by_channel():
    b = data(SIDE_BY_SIDE["batched"])
    options = {"rtol": 1e-8 if X64 else 1e-5, "max_steps": 3000}
    penalty = co.L1(0.02) + co.NonNegative()
    alone = [co.admm(blur, part, penalty=penalty, **options).x for blur, part in zip(blurs(), b, strict=True)]
    for solve in (co.admm, co.pdhg):
        found = solve(SIDE_BY_SIDE["batched"], b, penalty=penalty, **options)
        assert bool(found.converged)
        np.testing.assert_allclose(found.x, np.stack(alone), atol=1e-5 if X64 else 5e-3)


def test_what_the_data_leave_uncertain_is_that_of_each_channel():
    A = SIDE_BY_SIDE["batched"]
    b = data(A)
    options = {"weight": 0.05, "noise": 0.1}
    found = co.posterior_variance(A, L="gradient", **options)
    alone = [co.posterior_variance(blur, L="gradient", **options) for blur in blurs()]
    np.testing.assert_allclose(found, np.stack(alone), rtol=1e-10 if X64 else 1e-4)
    whole = co.log_evidence(A, b, L="gradient", **options)
    parts = [co.log_evidence(*each, L="gradient", **options) for each in zip(blurs(), b, strict=True)]
    np.testing.assert_allclose(whole, sum(parts), rtol=1e-10 if X64 else 1e-4)


def test_kernels_differentiate():
    b = data(SIDE_BY_SIDE["batched"])

    def loss(kernels):
        A = co.batched(jax.vmap(lambda k: co.convolution(k, SHAPE, boundary="wrap"))(kernels))
        sol = co.tikhonov(A, b, L="gradient", weight=0.1)
        return jnp.sum(sol.x**3), sol.num_steps

    kernels, direction = jnp.asarray(np.stack(KERNELS)), RNG.standard_normal((3, 4, 3))
    h = 1e-6 if X64 else 1e-3
    expected = (loss(kernels + h * direction)[0] - loss(kernels - h * direction)[0]) / (2 * h)
    slopes, steps = jax.jit(jax.grad(loss, has_aux=True))(kernels)
    assert int(steps) == 0
    np.testing.assert_allclose(jnp.sum(slopes * direction), expected, rtol=1e-6 if X64 else 2e-2)


def test_functions_of_an_operator():
    A = co.diagonalized(SIDE_BY_SIDE["batched"] + co.identity((3, *SHAPE)))
    M = np.asarray((SIDE_BY_SIDE["blocks"] + co.identity((3, *SHAPE))).as_matrix(), np.float64)
    np.testing.assert_allclose(A.as_matrix(), M, atol=TIGHT)
    np.testing.assert_allclose(A.inverse().as_matrix(), np.linalg.inv(M), atol=10 * TIGHT)
    np.testing.assert_allclose(A.log_determinant(), np.linalg.slogdet(M)[1], rtol=1e-10 if X64 else 1e-3)
    np.testing.assert_allclose(A.norm(), np.linalg.norm(M, 2), rtol=1e-10 if X64 else 1e-4)
    assert "circulant" not in A.tags
    co.testing.check_operator(A)


def test_what_varies_along_an_axis_does_not_commute_with_what_mixes_it():
    rows = co.spectral(RNG.random((5, 6)) + 0.5, axes=1, real=False)  # another circulant matrix for each row
    both = co.convolution(KERNELS[0], (5, 6), boundary="wrap")
    M, N = np.asarray(rows.as_matrix()), np.asarray(both.as_matrix())
    for spectrum in (both, co.diagonalized(both)):
        np.testing.assert_allclose((rows @ spectrum).as_matrix(), M @ N, atol=TIGHT)
        np.testing.assert_allclose((spectrum @ rows).as_matrix(), N @ M, atol=TIGHT)
        np.testing.assert_allclose((spectrum + rows).as_matrix(), M + N, atol=TIGHT)
    with pytest.raises(ValueError, match="neither the FFT nor the DCT-II"):
        co.diagonalized(rows @ both)
    b = RNG.random((5, 6))
    L = co.gradient((5, 6), "wrap")
    sol = co.tikhonov(rows, b, L=L, weight=0.1, rtol=1e-13 if X64 else 1e-6)
    assert relative(sol.x, dense(rows, b, L, 0.1)) < (1e-9 if X64 else 1e-3)
    stack = co.vstack([rows, both])
    sol = co.tikhonov(stack, data(stack), weight=0.1)
    assert int(sol.num_steps) > 0
