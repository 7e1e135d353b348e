"""The model whose surroundings are unknown: its matrix, its solves, the weight chosen for it, and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
import scipy.linalg
from comparing import DTYPE, X64, assert_same, needs_x64

import convops as co
from convops.testing import check_operator

RNG = np.random.default_rng(11)
PSF = RNG.random((4, 3)) + 0.1
PSF /= PSF.sum()
SHAPE = (11, 9)
MASK = RNG.random(SHAPE) > 0.2


def relative(got, wanted):
    return np.linalg.norm(np.ravel(got) - np.ravel(wanted)) / np.linalg.norm(np.ravel(wanted))


@pytest.mark.parametrize("origin", ["center", pytest.param("scipy", marks=pytest.mark.slow), (0, 2)])
@pytest.mark.parametrize("mask", [None, MASK, MASK * 2.5], ids=["all", "mask", "weights"])
def test_it_is_the_valid_part_of_a_larger_blur(mask, origin):
    A = co.unknown_boundary(PSF, SHAPE, mask=mask, origin=origin)
    check_operator(A)
    scene = np.random.default_rng(6).standard_normal(A.in_shape)
    used = scene[: SHAPE[0] + 3, : SHAPE[1] + 2]
    wanted = oracle.convolution_matrix_nd(PSF, used.shape, mode="valid") @ used.ravel()
    wanted = wanted.reshape(SHAPE) * (1 if mask is None else mask)
    assert_same(A @ scene, wanted, "any", rtol=1e-12 if X64 else 1e-5)
    at = co.convolution(PSF, A.in_shape, origin=origin)  # what lies under the data, by the origin's own rule
    blurred = np.asarray(at @ scene)
    assert_same(A.visible(blurred) * (1 if mask is None else mask), wanted, "any", rtol=1e-5)
    assert float(A.norm()) >= np.linalg.norm(np.asarray(A.as_matrix()), 2) * (1 - 1e-5)
    kept = np.ones(SHAPE) if mask is None else np.asarray(mask, float)
    np.testing.assert_allclose(A.share, np.sum(kept**2) / np.prod(A.in_shape), rtol=1e-6)


def test_other_axes_complex_kernels_and_batches():
    kernel = (PSF * np.exp(1j * np.arange(3))).astype(DTYPE[True])
    A = co.unknown_boundary(kernel, (2, 9, 8))
    assert A.in_shape[0] == 2
    check_operator(A)
    B = co.unknown_boundary(PSF[:, 0], (9, 4), axes=0)
    assert B.in_shape == (12, 4)
    check_operator(B)
    assert B.visible(np.zeros((5, 12, 4))).shape == (5, 9, 4)


def test_data_are_put_in_their_place():
    A = co.unknown_boundary(PSF, SHAPE, origin=(0, 2))
    rng = np.random.default_rng(7)
    x, y = rng.standard_normal((2, *A.in_shape)), rng.standard_normal((2, *SHAPE))
    np.testing.assert_allclose(np.sum(A.padded(y) * x), np.sum(y * A.visible(x)), rtol=1e-5)
    assert_same(A.visible(A.padded(y[0])), y[0], "any", rtol=1e-7)
    assert float(np.abs(A.padded(y)).sum()) == pytest.approx(np.abs(y).sum(), rel=1e-5)
    for wrong in (y[0, 0], y[:, 1:]):
        with pytest.raises(ValueError, match="`y` has shape"):
            A.padded(wrong)


def dense(A, b, L, weight):
    M, D = (np.asarray(op.as_matrix()) for op in (A, L))
    N = (M.conj().T @ M + weight * D.T @ D).astype(np.result_type(M, np.float64))
    return np.linalg.solve(N, M.conj().T @ b.ravel()).reshape(A.in_shape)


@pytest.mark.parametrize("mask", [None, MASK, MASK * 2.5], ids=["all", "mask", "weights"])
@pytest.mark.parametrize("is_complex", [False, True])
def test_preconditioned_solves_equal_dense_ones(is_complex, mask):
    psf = PSF * np.exp(1j * np.arange(3)) if is_complex else PSF
    A = co.unknown_boundary(psf, SHAPE, mask=mask)
    L = co.gradient(A.in_shape, "wrap")
    b = np.random.default_rng(6).standard_normal(SHAPE)
    for weight in (1e-1, 1e-3):
        sol = co.tikhonov(A, b, L="gradient", weight=weight)
        kept = b if mask is None else np.where(mask, b, 0)
        assert bool(sol.converged), sol.status
        assert relative(sol.x, dense(A, kept, L, weight)) <= (1e-10 if X64 else 2e-3)
        other = b if mask is None else np.where(mask, b, 1e3)
        same = co.tikhonov(A, other, L="gradient", weight=weight)
        np.testing.assert_allclose(same.x, sol.x, rtol=1e-6)
        np.testing.assert_allclose(same.residual_norm, np.linalg.norm(np.asarray(A @ sol.x) - kept), rtol=1e-5)


def test_the_preconditioner_pays():
    scene = np.cumsum(np.cumsum(np.random.default_rng(6).standard_normal((60, 70)), 0), 1)
    psf = np.ones((9, 9)) / 81
    A = co.unknown_boundary(psf, (52, 62))
    b = np.asarray(A @ np.pad(scene, [(0, n - m) for n, m in zip(A.in_shape, scene.shape, strict=True)], mode="edge"))
    sol = co.tikhonov(A, b, L="gradient", weight=1e-3, rtol=1e-5)
    plain = co.from_function(lambda x: A.matvec(x), A.in_shape)  # the same numbers, of which nothing is known
    slow = co.tikhonov(plain, b, L=co.gradient(A.in_shape, "wrap"), weight=1e-3, rtol=1e-5)
    assert int(sol.num_steps) < 0.75 * int(slow.num_steps)
    assert relative(A.visible(sol.x), A.visible(slow.x)) < 1e-2


@needs_x64
def test_derivatives_of_a_masked_solve():
    """In the kernel, the weight, the data and the mask's weights, against central differences."""
    b, keep = np.random.default_rng(6).standard_normal(SHAPE), MASK * 1.3

    @jax.jit
    def loss(psf, weight, b, keep):
        A = co.unknown_boundary(psf, SHAPE, mask=keep)
        return jnp.sum(jnp.sin(A.visible(co.tikhonov(A, keep * b, L="gradient", weight=weight).x)))

    args = [jnp.asarray(PSF), jnp.asarray(1e-2), jnp.asarray(b), jnp.asarray(keep)]
    slopes = jax.jit(jax.grad(loss, (0, 1, 2, 3)))(*args)
    for i, h in enumerate((1e-5, 1e-7, 1e-5, 1e-5)):
        d = np.random.default_rng(i).standard_normal(args[i].shape) * (MASK if i == 3 else 1)
        ahead, behind = (float(loss(*(a + s * h * d if j == i else a for j, a in enumerate(args)))) for s in (1, -1))
        found = float(jnp.sum(slopes[i] * d))
        assert abs(found - (ahead - behind) / (2 * h)) <= 1e-5 * abs(found), i


SLOW_RULES = [pytest.param(rule, marks=pytest.mark.slow) for rule in ("sure", "discrepancy", "whiteness")]


@pytest.mark.parametrize("rule", ["gcv", *SLOW_RULES])
def test_a_rule_finds_about_its_minimum(rule):
    """Near the minimum of the definition with the exact trace; the probe and the grid cost a little."""
    rng = np.random.default_rng(5)
    shape, noise = (30, 28), 0.05
    A = co.unknown_boundary(PSF, shape, mask=rng.random(shape) > 0.4)
    x = np.cumsum(np.cumsum(rng.standard_normal(A.in_shape), 0), 1) / 20
    b = np.asarray(A @ x) + noise * np.asarray(A.keep) * rng.standard_normal(shape)
    sol = co.tikhonov(A, b, L="gradient", weight=rule, noise=noise)
    assert sol.selection.weights.shape == sol.selection.values.shape
    M, D = np.asarray(A.as_matrix(), np.float64), np.asarray(co.gradient(A.in_shape, "wrap").as_matrix(), np.float64)
    m = float(np.sum(A.keep))

    gram = M.T @ M
    c, V = scipy.linalg.eigh(gram, gram + D.T @ D)  # so that gram + weight D^T D = V^-T diag(c + weight (1 - c)) V^-1
    fitted, beta = M @ V, V.T @ (M.T @ b.ravel())

    def value(weight):
        gain = 1 / (c + weight * (1 - c))
        rest = b.ravel() - fitted @ (gain * beta)
        square, left = rest @ rest, m - np.sum(gain * c)
        if rule == "whiteness":
            power = np.abs(np.fft.fft2(rest.reshape(shape))) ** 2
            return np.log(np.sum(power**2) / np.sum(power) ** 2)
        return {
            "gcv": np.log(square / m) - 2 * np.log(left / m),
            "sure": (square / m + noise**2 * (1 - 2 * left / m)) / noise**2,
            "discrepancy": np.log(square / (m * noise**2)) ** 2,
        }[rule]

    grid = np.geomspace(0.02, 50, 25) * float(sol.weight)
    values = [value(w) for w in grid]
    assert value(float(sol.weight)) <= min(values) + 0.02, (sol.weight, grid[np.argmin(values)])


def test_masks_of_other_types():
    b = np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)
    wanted = co.tikhonov(co.unknown_boundary(PSF, SHAPE, mask=MASK), b, L="gradient", weight=0.1).x
    for dtype in (np.int8, np.float16, np.float32):
        A = co.unknown_boundary(PSF.astype(np.float32), SHAPE, mask=MASK.astype(dtype))
        sol = co.tikhonov(A, b, L="gradient", weight=0.1, rtol=1e-5)
        assert sol.x.dtype == np.float32
        np.testing.assert_allclose(sol.x, wanted, atol=1e-2)


@pytest.mark.slow
def test_a_mask_in_front_of_any_blur_counts_as_one():
    rng = np.random.default_rng(7)
    keep = rng.random((40, 41)) > 0.5
    blur = co.convolution(PSF, (40, 41), boundary="wrap")
    scene = np.cumsum(np.cumsum(rng.standard_normal((40, 41)), 0), 1) / 10
    scene -= scene.mean()
    b = np.asarray(blur @ scene) + 0.05 * rng.standard_normal((40, 41))
    best = min(
        relative(co.tikhonov(co.mask(keep) @ blur, b, L="gradient", weight=w, rtol=1e-5).x, scene)
        for w in (1e-4, 1e-3, 1e-2, 1e-1)
    )
    for rule in ("gcv", "discrepancy"):
        chosen = co.tikhonov(co.mask(keep) @ blur, np.where(keep, b, 1e3), L="gradient", weight=rule, rtol=1e-5)
        assert relative(chosen.x, scene) < 1.3 * best, rule


@pytest.mark.slow
def test_gcv_on_a_photograph_is_near_the_best_weight():
    """The bundled photograph behind a 9 x 9 box, at a blurred signal-to-noise ratio of 40 dB."""
    photo = np.asarray(co.problems.photograph()[:140, 60:190], DTYPE[False]) / 255
    psf = np.ones((9, 9)) / 81
    exact = np.asarray(co.convolution(psf, photo.shape, mode="valid") @ photo)
    noise = np.std(exact) * 10 ** (-40 / 20)
    b = exact + noise * np.random.default_rng(0).standard_normal(exact.shape)
    A = co.unknown_boundary(psf, b.shape)
    truth = photo[4:-4, 4:-4]

    def psnr(sol):
        return -10 * np.log10(np.mean((np.asarray(A.visible(sol.x)) - truth) ** 2))

    chosen = co.tikhonov(A, b, rtol=1e-4)
    others = [co.tikhonov(A, b, L="gradient", weight=chosen.weight * s, rtol=1e-4) for s in (0.1, 0.3, 3, 10)]
    assert psnr(chosen) >= max(map(psnr, others)) - 0.25
    periodic = co.tikhonov(co.convolution(psf, b.shape, boundary="wrap"), b)
    assert psnr(chosen) > -10 * np.log10(np.mean((np.asarray(periodic.x) - truth) ** 2)) + 2
    assert chosen.selection.warnings == []


@pytest.mark.slow
def test_rules_work_for_any_operator_and_mean():
    A = co.convolution(PSF, (20, 21))
    rng = np.random.default_rng(3)
    scene = np.cumsum(rng.standard_normal((20, 21)), 0)
    b = np.asarray(A @ scene) + 0.1 * rng.standard_normal((20, 21))
    sol = co.tikhonov(A, b, L="gradient", weight="gcv")
    ones = np.ones((20, 21))
    moved = co.tikhonov(A, b + np.asarray(A @ ones), L="gradient", weight="gcv", mean=ones)
    np.testing.assert_allclose(moved.weight, sol.weight, rtol=0.1)
    again = co.tikhonov(
        A, b + np.asarray(A @ np.ones((20, 21))), L="gradient", weight=sol.weight, mean=np.ones((20, 21))
    )
    np.testing.assert_allclose(again.x - 1, sol.x, atol=1e-8 if X64 else 1e-2)
    assert not bool(sol.selection.at_edge)
    batch = jax.vmap(lambda b: co.tikhonov(A, b, L="gradient", weight="gcv").weight)(np.stack([b, 3 * b]))
    np.testing.assert_allclose(batch, float(sol.weight), rtol=0.1)


REFUSED = [
    (lambda: co.unknown_boundary(PSF, SHAPE, mask=np.ones((3, 3))), "`mask` has shape"),
    (lambda: co.unknown_boundary(PSF, SHAPE, mask=-1.0 * MASK), "`mask` holds negative"),
    (lambda: co.unknown_boundary(PSF, SHAPE).visible(np.zeros(SHAPE)), "the scene has"),
    (lambda: co.unknown_boundary(PSF, 5), "`shape`"),
    (
        lambda: co.tikhonov(co.unknown_boundary(PSF, SHAPE), np.ones(SHAPE), L="gradient", weight="reml"),
        "needs a transform",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
def test_whiteness_counts_neither_the_filter_nor_the_mask():
    scene = np.asarray(co.problems.photograph(), float)[60:108, 60:112] / 255
    problem = co.problems.recorded(np.ones((5, 5)) / 25, scene, bsnr=40, missing=0.5)
    chosen = co.tikhonov(problem.A, problem.b).selection
    assert 1.5 < chosen.whiteness < 2.7
    assert chosen.warnings == []
