"""Closed forms and the rules for the weight, against dense matrices and their definitions in NumPy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import X64, needs_x64
from scipy.optimize import minimize_scalar

import convops as co

RNG = np.random.default_rng(8)
SHAPE = (14, 11)
SCENE = np.cumsum(np.cumsum(RNG.standard_normal(SHAPE), 0), 1) / 10
NOISE = 0.05
PSF = RNG.random((4, 3)) / 6
EVEN = np.outer([1, 2, 3, 2, 1], [1, 4, 1]) / 54
PRODUCT = np.outer([0.5, 0.3, 0.1, 0.1], [0.2, 0.5, 0.3])
MODELS = {
    "fft": (co.convolution(PSF, SHAPE, boundary="wrap"), "gradient"),
    "fft, complex": (co.convolution(PSF * np.exp(1j * np.arange(3)), SHAPE, boundary="wrap"), "gradient"),
    "dct": (co.convolution(EVEN, SHAPE, boundary="symmetric"), "gradient"),
    "dct, laplacian": (co.convolution(EVEN, SHAPE, boundary="symmetric"), "laplacian"),
    "svd": (co.convolution(PRODUCT, SHAPE), None),
    "svd, full": (co.convolution(PRODUCT, SHAPE, mode="full"), "identity"),
    "frames": (co.vstack([co.convolution(k, SHAPE, boundary="wrap") for k in (PSF, PSF[::-1])]), "gradient"),
    "one axis": (co.convolution(PSF[0], SHAPE, axes=0, boundary="wrap"), "gradient"),  # of even length
}


def data(A, seed=0):
    noise = np.random.default_rng(seed).standard_normal(A.out_shape)
    return np.asarray(A @ SCENE) + NOISE * noise


def matrices(name):
    """A and L^T L in double precision, L made here: differences along the axes that A acts on."""
    A, penalty = MODELS[name]
    wrap = not name.startswith("dct")
    eye = [np.eye(n) for n in SHAPE]
    forward = [np.roll(e, -1, 0) - e if wrap else np.vstack([np.diff(e, axis=0), 0 * e[:1]]) for e in eye]
    if penalty in (None, "identity"):
        penal = np.eye(np.prod(SHAPE))
    elif penalty == "laplacian":
        second = [-(D.T @ D) for D in forward]
        total = np.kron(second[0], eye[1]) + np.kron(eye[0], second[1])
        penal = total.T @ total
    else:
        sides = [np.kron(forward[0], eye[1]), np.kron(eye[0], forward[1])][: 1 if name == "one axis" else 2]
        penal = sum(D.T @ D for D in sides)
    M = np.asarray(A.as_matrix())
    return M.astype(np.result_type(M, np.float64)), penal


def dense_solution(name, b, weight, mean=None, iterations=1):
    M, penal = matrices(name)
    x = np.zeros(M.shape[1]) if mean is None else np.ravel(mean).astype(float)
    for _ in range(iterations):
        x = x + np.linalg.solve(M.conj().T @ M + weight * penal, M.conj().T @ (b.ravel() - M @ x))
    return x.reshape(SHAPE)


def criterion(name, rule, b, weight):
    """The rules by their definitions, with the dense influence matrix A (A^H A + weight L^H L)^-1 A^H."""
    M, penal = matrices(name)
    N = M.conj().T @ M + weight * penal
    influence = M @ np.linalg.solve(N, M.conj().T)
    rest, m = b.ravel() - influence @ b.ravel(), b.size
    square, left = np.sum(np.abs(rest) ** 2), m - np.trace(influence).real
    if rule == "gcv":
        return m * square / left**2
    if rule == "sure":
        return square - m * NOISE**2 + 2 * NOISE**2 * (m - left)
    if rule == "discrepancy":
        return np.log(square / (m * NOISE**2)) ** 2
    if rule == "reml":
        eigenvalues = np.linalg.eigvalsh(np.eye(m) - influence)
        proper = eigenvalues[eigenvalues > 1e-12]
        return len(proper) * np.log(np.vdot(b.ravel(), rest).real) - np.sum(np.log(proper))
    spectrum = np.abs(np.fft.fft2(rest.reshape(b.shape))) ** 2
    return np.sum(spectrum**2) / np.sum(spectrum) ** 2


def lcurve(name, b, weight):
    """Curvature of the L-curve by differences of the dense solution."""
    M, penal = matrices(name)
    points = []
    for u in np.log(weight) + np.array([-1e-2, 0, 1e-2]):
        x = dense_solution(name, b, np.exp(u)).ravel()
        points.append([np.log(np.linalg.norm(M @ x - b.ravel())), np.log(np.vdot(x, penal @ x).real) / 2])
    before, at, after = np.array(points)
    first, second = (after - before) / 2e-2, (after - 2 * at + before) / 1e-4
    return -(first[0] * second[1] - second[0] * first[1]) / np.hypot(*first) ** 3


@pytest.mark.parametrize("weight", [1e-3, 0.3])
@pytest.mark.parametrize("name", MODELS)
def test_closed_forms_equal_dense_solutions(name, weight):
    A, penalty = MODELS[name]
    b = data(A)
    for options in ({}, {"iterations": 3}, {"mean": SCENE + 0.3}):
        sol = co.tikhonov(A, b, L=penalty, weight=weight, **options)
        wanted = dense_solution(name, b, weight, **options)
        error = np.linalg.norm(sol.x - wanted) / np.linalg.norm(wanted)
        assert error <= (1e-12 if X64 else 1e-5), (options, error)
        assert int(sol.num_steps) == 0
        assert bool(sol.converged)
        assert sol.selection is None


RULES = [("fft", rule) for rule in ("gcv", "discrepancy", "sure", "reml", "whiteness", "lcurve")]
RULES += [("one axis", "gcv"), ("svd", "gcv"), ("svd, full", "sure"), ("frames", "gcv"), ("dct", "reml")]
MORE = [(name, rule) for name in MODELS for rule in ("gcv", "discrepancy", "sure", "reml")]
MORE += [("fft, complex", "whiteness"), ("svd", "lcurve")]
RULES += [pytest.param(*pair, marks=pytest.mark.slow) for pair in MORE if pair not in RULES]


@needs_x64
@pytest.mark.parametrize(("name", "rule"), RULES)
def test_rules_find_their_minimum(name, rule):
    """The weight chosen is a local minimum of the definition, and no other one on a fine grid is lower."""
    A, penalty = MODELS[name]
    b = data(A)
    sol = co.tikhonov(A, b, L=penalty, weight=rule, noise=NOISE)
    assert not bool(sol.selection.at_edge)

    def value(u):
        return lcurve(name, b, np.exp(u)) if rule == "lcurve" else criterion(name, rule, b, np.exp(u))

    found = np.log(float(sol.weight))
    nearby = minimize_scalar(value, bounds=(found - 0.3, found + 0.3), method="bounded", options={"xatol": 1e-7})
    assert abs(nearby.x - found) <= (1e-2 if rule == "lcurve" else 1e-4)
    grid = np.log(sol.selection.weights)[4:-4:3]
    values = np.array([value(u) for u in grid])
    dips = np.flatnonzero((values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])) + 1
    slack = 1e-6 * abs(nearby.fun) + 1e-12
    assert all(nearby.fun <= values[i] + slack for i in dips)


SLOW = [pytest.param(rule, marks=pytest.mark.slow) for rule in ("whiteness", "sure", "reml", "lcurve")]


@pytest.mark.parametrize("rule", ["gcv", "discrepancy", *SLOW])
def test_a_chosen_weight_has_derivatives(rule):
    """With respect to the data and the kernel, against central differences, under jit and vmap."""
    b = data(MODELS["fft"][0])
    scale = 1e-5 if X64 else 2e-3

    @jax.jit
    def chosen(psf, b):
        A = co.convolution(psf, SHAPE, boundary="wrap")
        return jnp.log(co.tikhonov(A, b, L="gradient", weight=rule, noise=NOISE).weight)

    directions = [
        np.random.default_rng(i).standard_normal(a.shape) * s for i, (a, s) in enumerate([(PSF, 0.1), (b, 1)])
    ]
    slopes = jax.jit(jax.grad(chosen, (0, 1)))(jnp.asarray(PSF), jnp.asarray(b))
    for i in range(2):
        moved = [
            [a + s * scale * d if j == i else a for j, (a, d) in enumerate(zip((PSF, b), directions, strict=True))]
            for s in (1, -1)
        ]
        difference = (float(chosen(*moved[0])) - float(chosen(*moved[1]))) / (2 * scale)
        found = float(jnp.sum(slopes[i] * directions[i]))
        assert abs(found - difference) <= (1e-5 if X64 else 0.1) * max(abs(difference), 0.1), (i, found, difference)
    batch = jax.vmap(chosen, (None, 0))(PSF, np.stack([b, 2 * b + 0.1]))
    np.testing.assert_allclose(batch[0], chosen(PSF, b), rtol=1e-9 if X64 else 1e-3)


def test_the_default_is_the_gradient_by_gcv():
    A, _ = MODELS["dct"]
    b = data(A)
    sol = co.tikhonov(A, b)
    other = co.tikhonov(A, b, L=co.gradient(SHAPE), weight="gcv")
    assert float(sol.weight) == float(other.weight)
    assert sol.selection.weights.shape == sol.selection.values.shape
    assert np.all(np.diff(sol.selection.weights) > 0)


def test_a_rule_without_a_minimum_says_so():
    A, _ = MODELS["fft"]
    sol = co.tikhonov(A, np.asarray(A @ SCENE), L="gradient", weight="discrepancy", noise=100.0)
    assert bool(sol.selection.at_edge)
    assert "no minimum" in sol.selection.warnings[0]
    assert np.all(np.isfinite(sol.x))


def test_structure_in_the_residual_is_said():
    rng = np.random.default_rng(0)
    scene = np.cumsum(np.cumsum(rng.standard_normal((64, 60)), 0), 1)
    scene /= np.abs(scene).max()
    A, wrong = (co.convolution(k, scene.shape, boundary="wrap") for k in (np.ones((7, 7)) / 49, np.ones((3, 3)) / 9))
    b = np.asarray(A @ scene) + 1e-3 * rng.standard_normal(scene.shape)
    assert co.tikhonov(A, b).selection.warnings == []
    oversmoothed = co.tikhonov(wrong, b, L="gradient", weight="discrepancy", noise=0.1)
    assert any("not white" in text for text in oversmoothed.selection.warnings)
    for value, said in ((2.9, False), (3.1, True)):
        assert bool(replace(oversmoothed.selection, whiteness=jnp.asarray(value)).warnings) == said


def test_noise_level():
    rng = np.random.default_rng(2)
    smooth = np.sin(np.linspace(0, 3, 300))[:, None] * np.linspace(0, 1, 201)
    for size in (0.01, 0.3):
        found = float(co.noise_level(smooth + size * rng.standard_normal(smooth.shape)))
        assert abs(found / size - 1) < 0.02
    z = rng.standard_normal((200, 201)) + 1j * rng.standard_normal((200, 201))
    assert abs(float(co.noise_level(0.2 * z)) / (0.2 * np.sqrt(2)) - 1) < 0.02
    stack = np.stack([np.zeros((99, 98)), 5 + np.zeros((99, 98))]) + 0.1 * rng.standard_normal((2, 99, 98))
    assert abs(float(co.noise_level(stack, axes=(1, 2))) / 0.1 - 1) < 0.03
    assert int(co.noise_level(np.arange(9) % 2)) == 1


@pytest.mark.parametrize("unit", [1e-30, 1e-20, 1e18, 1e30])
def test_noise_level_in_any_unit(unit):
    z = np.random.default_rng(3).standard_normal((20, 21)).astype("float32")
    for b in (z, z + 1j * z[::-1]):
        np.testing.assert_allclose(co.noise_level(b * np.float32(unit)) / unit, co.noise_level(b), rtol=1e-5)


@pytest.mark.parametrize("dtype", [float, complex])
def test_noise_level_has_a_derivative_at_zero(dtype):
    slope = jax.grad(lambda b: co.noise_level(b.astype(dtype)))(jnp.zeros((6, 5)))
    assert np.isfinite(slope).all()


def test_noise_level_leaves_out_what_is_not_kept():
    rng = np.random.default_rng(4)
    kept = rng.random((120, 121)) > 0.2
    b = np.where(kept, 5 + 0.3 * rng.standard_normal(kept.shape), 0)
    assert abs(float(co.noise_level(b, kept=kept)) / 0.3 - 1) < 0.05
    assert float(co.noise_level(b)) > 0.6


def test_data_without_signal_or_neighbours():
    A, _ = MODELS["fft"]
    nothing = co.tikhonov(A, np.zeros(SHAPE))
    assert not np.any(nothing.x)
    assert bool(nothing.selection.at_edge)
    row = co.convolution([0.25, 0.5, 0.25], 32, boundary="wrap")
    line = co.convolution([[0.25, 0.5, 0.25]], (1, 32), boundary="wrap")
    b = np.cumsum(np.random.default_rng(0).standard_normal(32))
    wanted = co.tikhonov(row, b, L="gradient", weight="discrepancy").x
    np.testing.assert_allclose(co.tikhonov(line, b[None], L="gradient", weight="discrepancy").x[0], wanted, atol=1e-4)


def test_large_factors_are_not_decomposed():
    A = co.kronecker(co.convolution(PSF, (48, 47), boundary="edge"), co.identity(2))
    b = np.random.default_rng(0).standard_normal(A.out_shape)
    assert int(co.tikhonov(A, b, weight=0.1, rtol=1e-3).num_steps) > 0


def test_the_gradient_goes_along_the_axes_of_the_blur():
    A = co.convolution(PSF[0], (3, 40), axes=1, boundary="wrap")
    b = np.random.default_rng(0).standard_normal((3, 40))
    wanted = co.tikhonov(A, b, L="gradient", weight=0.1).x
    for same in (co.diagonalized(A), 2.0 * (0.5 * A)):
        np.testing.assert_allclose(co.tikhonov(same, b, L="gradient", weight=0.1).x, wanted, atol=1e-4)


REFUSED = [
    (lambda: co.tikhonov(MODELS["fft"][0], SCENE, weight="best"), "`weight` is 'best'"),
    (lambda: co.tikhonov(co.convolution(PSF, SHAPE), SCENE, L="gradient", weight="lcurve"), "needs a transform"),
    (lambda: co.tikhonov(MODELS["fft"][0], SCENE, L="curl", weight=1.0), "`L` must be"),
    (lambda: co.tikhonov(MODELS["fft"][0], SCENE, weight=1.0, mean=np.ones(3)), "`mean` has shape"),
    (lambda: co.tikhonov(MODELS["fft"][0], SCENE, weight=1.0, iterations=0), "`iterations` is 0"),
    (lambda: co.tikhonov(MODELS["fft"][0], SCENE, L="gradient", weight="sure", noise=-1.0), "`noise` is -1"),
    (lambda: co.tikhonov(MODELS["fft"][0], SCENE, L="gradient", weight="gcv", noise=-1.0), "`noise` is -1"),
    (lambda: co.tikhonov(MODELS["fft"][0], SCENE, weight=1.0, noise="low"), "`noise` is 'low'"),
    (lambda: co.tikhonov(co.convolution(PSF, SHAPE), SCENE, weight=1.0, noise=np.ones(2)), "`noise` has shape"),
    (lambda: co.noise_level(np.ones((1, 5))), "axis 0 has no two neighbours"),
    (lambda: co.noise_level([np.nan, 1.0]), "NaN"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
