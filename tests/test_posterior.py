"""Posterior draws, variances and intervals, against dense Gaussians in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import X64, needs_x64
from posteriors import (
    CLOSED,
    KEY,
    MASK,
    MODELS,
    NOISE,
    PSF,
    SHAPE,
    SOLVED,
    WEIGHT,
    check_gradient,
    data,
    dense,
    noisy,
)

import convops as co


def exact_variance(name):
    A = MODELS[name][0]
    return NOISE**2 * np.real(np.diag(dense(name)[2])).reshape(A.in_shape)


@pytest.mark.parametrize("name", CLOSED)
def test_closed_variances_equal_dense_ones(name):
    A, L, _, _ = MODELS[name]
    for weight in (WEIGHT, 2e-3):
        found = co.posterior_variance(A, L=L, weight=weight, noise=NOISE)
        wanted = NOISE**2 * np.real(np.diag(dense(name, weight)[2])).reshape(SHAPE)
        assert found.shape == A.in_shape
        assert not jnp.iscomplexobj(found)
        np.testing.assert_allclose(found, wanted, rtol=1e-10 if X64 else 1e-3)


def spread(covariance, count, circular):
    """The standard error of the mean over the pixels of (mean square of `count` draws) / variance."""
    size = np.sqrt(np.real(np.diag(covariance)))
    correlation = np.abs(covariance / size[:, None] / size) ** 2
    return np.sqrt((1 if circular else 2) / count * np.mean(correlation))


@pytest.mark.parametrize("name", ["reflect", *(pytest.param(n, marks=pytest.mark.slow) for n in list(SOLVED)[:2])])
def test_probed_variances_are_within_their_standard_error(name):
    A, L, _, _ = MODELS[name]
    count = 600
    ratio = co.posterior_variance(A, L=L, weight=WEIGHT, noise=NOISE, count=count, key=KEY) / exact_variance(name)
    assert abs(np.mean(ratio) - 1) <= 3 * spread(dense(name)[2], count, circular=False)
    assert 0.5 <= np.sqrt(np.mean((ratio - 1) ** 2) / (2 / count)) <= 1.5


QUICK = [("fft", True), ("svd, valid", False), ("unknown boundary", False)]
CASES = [*QUICK, *((name, i % 2 == 0) for i, name in enumerate(MODELS) if (name, i % 2 == 0) not in QUICK)]


@pytest.mark.parametrize(
    ("name", "is_complex"), [pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow) for case in CASES]
)
def test_draws_have_the_posterior_mean_and_covariance(name, is_complex):
    """Whitened by the dense posterior they are independent standard normals, in all pairs of directions."""
    A, L, _, _ = MODELS[name]
    count, b = 3000, data(name) * (1 + 0.5j if is_complex else 1)
    centre = np.full(A.in_shape, 0.3)
    M, _, C = dense(name)
    xhat = centre.ravel() + C @ M.conj().T @ (b.ravel() - M @ centre.ravel())
    x = co.posterior_samples(A, b, KEY, count, L=L, weight=WEIGHT, noise=NOISE, mean=centre)
    assert x.shape == (count, *A.in_shape)
    circular = np.iscomplexobj(b) or np.iscomplexobj(M)
    assert jnp.iscomplexobj(x) == circular
    root = np.linalg.cholesky(np.linalg.inv(C)) / NOISE
    z = (np.asarray(x, complex if circular else float).reshape(count, -1) - xhat) @ root.conj()
    n = z.shape[1]
    assert abs(np.mean(np.abs(z) ** 2) - 1) <= 4 * np.sqrt((1 if circular else 2) / (n * count))
    assert np.max(np.abs(z.mean(0))) <= 5 / np.sqrt(count)
    assert np.max(np.abs(z.conj().T @ z / count - np.eye(n))) <= 7.5 / np.sqrt(count)
    if circular:
        assert np.max(np.abs(z.T @ z / count)) <= 7.5 / np.sqrt(count)


def prior(shape, seed):
    """A draw from a proper stationary prior, and the operator L whose inverse is its root: gradient and 0.4 x."""
    L = co.vstack([co.gradient(shape, "wrap"), 0.4 * co.identity(shape)])
    d = sum(2 - 2 * np.cos(2 * np.pi * f) for f in np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij")) + 0.16
    white = np.random.default_rng(seed).standard_normal(shape)
    return NOISE / np.sqrt(WEIGHT) * np.fft.ifftn(np.fft.fftn(white) / np.sqrt(d)).real, L, d


def covered(truth, interval):
    lower, upper = (np.asarray(end) for end in interval)
    return np.mean((lower <= truth) & (truth <= upper))


def test_a_picture_has_the_exact_variance_and_its_truth_is_covered():
    shape, count = (72, 81), 120
    truth, L, d = prior(shape, 1)
    A = co.convolution(PSF, shape, boundary="wrap")
    b = noisy(A, truth, 2)
    model = {"L": L, "weight": WEIGHT, "noise": NOISE}
    x = co.posterior_samples(A, b, KEY, count, **model)
    v = co.posterior_variance(A, **model)
    xhat = co.tikhonov(A, b, L=L, weight=WEIGHT).x
    H = np.fft.fftn(np.pad(PSF, [(0, n - k) for n, k in zip(shape, PSF.shape, strict=True)]))
    spectrum = 1 / (np.abs(H) ** 2 + WEIGHT * d)
    np.testing.assert_allclose(v, NOISE**2 * np.mean(spectrum), rtol=1e-4)
    ratio = np.mean((np.asarray(x) - np.asarray(xhat)) ** 2, 0) / np.asarray(v)
    correlation = np.fft.ifftn(spectrum).real / np.mean(spectrum)
    assert abs(np.mean(ratio) - 1) <= 3 * np.sqrt(2 / count * np.mean(correlation**2))
    assert 0.9 <= np.std(ratio) / np.sqrt(2 / count) <= 1.1
    for interval in (co.credible_interval((xhat, v)), co.credible_interval(x)):
        assert 0.93 <= covered(truth, interval) <= 0.97
    for level in (0.5, 0.8):
        assert abs(covered(truth, co.credible_interval((xhat, v), level)) - level) <= 0.03


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
def test_the_truth_is_covered_where_the_surroundings_are_unknown(weighted):
    """In the whole scene, beyond the data too, with a fifth of the pixels missing."""
    shape = (66, 75)
    mask = (np.random.default_rng(3).random(shape) > 0.2) * (np.linspace(0.5, 2, 75) if weighted else 1.0)
    A = co.unknown_boundary(PSF, shape, mask=mask)
    truth, L, _ = prior(A.in_shape, 4)
    model = {"L": L, "weight": WEIGHT, "noise": NOISE}
    b = noisy(A, truth, 5)
    x = co.posterior_samples(A, b, KEY, 199, **model)
    xhat = co.tikhonov(A, b, L=L, weight=WEIGHT).x
    for interval in (co.credible_interval((xhat, co.posterior_variance(A, **model))), co.credible_interval(x)):
        assert 0.93 <= covered(truth, interval) <= 0.97


@needs_x64
@pytest.mark.slow
@pytest.mark.parametrize("name", ["fft", "unknown boundary"])
def test_derivatives_of_draws_and_variances(name):
    b = data(name)
    probe = np.random.default_rng(7).standard_normal(MODELS[name][0].in_shape)

    @jax.jit
    def value(psf, b, weight, noise):
        A = co.convolution(psf, SHAPE, boundary="wrap") if name == "fft" else co.unknown_boundary(psf, SHAPE, mask=MASK)
        x = co.posterior_samples(A, b, KEY, 2, L="gradient", weight=weight, noise=noise, rtol=1e-13)
        v = co.posterior_variance(A, L="gradient", weight=weight, noise=noise, count=3, rtol=1e-13)
        lower, _ = co.credible_interval((x[1], v))
        return jnp.sum(probe * (x[0] + lower))

    check_gradient(value, (PSF, b, WEIGHT, NOISE))


@pytest.mark.slow
def test_keys_shapes_and_transformations():
    A, L, _, _ = MODELS["fft"]
    b = data("fft")
    x = co.posterior_samples(A, b, KEY, 5, L=L, weight=WEIGHT, noise=NOISE)
    close = {"rtol": 1e-5, "atol": 1e-5}
    raw = co.posterior_samples(A, b, jax.random.key_data(KEY), 3, L=L, weight=WEIGHT, noise=NOISE)
    np.testing.assert_allclose(raw, x[:3], **close)  # a draw does not depend on how many there are
    flat = co.posterior_samples(A, b.ravel(), KEY, 5, L=L, weight=WEIGHT, noise=NOISE)
    np.testing.assert_allclose(flat, x.reshape(5, -1), **close)
    keys = jax.random.split(KEY, 3)
    many = jax.jit(jax.vmap(lambda k: co.posterior_samples(A, b, k, 3, L=L, weight=WEIGHT, noise=NOISE)))(keys)
    again = co.posterior_samples(A, b, keys[1], 3, L=L, weight=WEIGHT, noise=NOISE)
    np.testing.assert_allclose(many[1], again, **close)
    assert np.max(np.abs(x[0] - x[1])) > NOISE / 10
    assert np.max(np.abs(many[0] - many[1])) > NOISE / 10


@pytest.mark.parametrize("name", ["fft", pytest.param("unknown boundary", marks=pytest.mark.slow)])
def test_a_chosen_weight_and_an_estimated_noise(name):
    A = MODELS[name][0]
    b = np.where(MASK, data(name), 0)
    x = co.posterior_samples(A, np.where(MASK, b, 1e3) if name != "fft" else b, KEY, 3)
    sol = co.tikhonov(A, b)
    level = co.noise_level(b, kept=None if name == "fft" else MASK)
    wanted = co.posterior_samples(A, b, KEY, 3, L="gradient", weight=sol.weight, noise=level)
    np.testing.assert_allclose(x, wanted, rtol=2e-2, atol=2e-2 * float(level))


@pytest.mark.slow
def test_batches_of_draws_do_not_change_them(monkeypatch):
    A, L, _, _ = MODELS["unknown boundary"]
    model = {"L": L, "weight": WEIGHT, "noise": NOISE}
    whole = (
        co.posterior_samples(A, data("unknown boundary"), KEY, 5, **model),
        co.posterior_variance(A, count=6, **model),
    )
    jax.clear_caches()
    monkeypatch.setattr("convops.solvers.perturbing.TOGETHER", 3 * max(A.shape))
    parts = (
        co.posterior_samples(A, data("unknown boundary"), KEY, 5, **model),
        co.posterior_variance(A, count=6, **model),
    )
    jax.clear_caches()
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_what_nobody_sees_has_infinite_variance():
    edge = co.convolution([1.0, -1.0], 8, boundary="wrap")
    assert np.all(np.isposinf(co.posterior_variance(edge, L="gradient", weight=0.1, noise=1.0)))
    x = co.posterior_samples(edge, np.ones(8), KEY, 4, L="gradient", weight=0.1, noise=1.0, mean=np.full(8, 2.0))
    np.testing.assert_allclose(x.mean(1), 2.0, rtol=1e-5)  # its part there stays at the mean
    partly = co.spectral(np.array([1.0, 0.0, 1.0]), "dct")  # cos(pi (2 i + 1) / 6) is zero in the middle
    found = co.posterior_variance(partly, weight=0.0, noise=1.0)
    np.testing.assert_array_equal(np.isposinf(found), [True, False, True])
    np.testing.assert_allclose(found[1], 1.0, rtol=1e-5)
    blind = co.posterior_variance(MODELS["svd, valid"][0], weight=0.0, noise=1.0)
    assert np.all(np.isposinf(blind))
    slope = jax.grad(lambda w: co.posterior_variance(partly, weight=w, noise=1.0)[1])(0.1)
    assert np.isfinite(slope)


def test_intervals():
    lower, upper = co.credible_interval((np.zeros(3), np.array([0.0, 1.0, np.inf])), 0.9)
    np.testing.assert_allclose(upper, [0, 1.6448536, np.inf], rtol=1e-5)
    np.testing.assert_allclose(lower, -upper)
    lower, upper = co.credible_interval(np.arange(39.0)[::-1, None] + np.zeros(2))  # the least and the greatest
    np.testing.assert_allclose([lower, upper], [[0, 0], [38, 38]], atol=1e-4)
    # a further draw falls inside with the probability stated, however few samples and whatever their distribution
    draws = np.random.default_rng(1).exponential(size=(45, 40_000))
    assert abs(covered(draws[44], co.credible_interval(draws[:44], 0.9)) - 0.9) <= 0.005


REFUSED = [
    (lambda A, b: co.posterior_samples(A, b, 0, 3, weight=1.0), "`key` is 0; give"),
    (lambda A, b: co.posterior_samples(A, b, jax.random.split(KEY), 3, weight=1.0), "`key` is shape"),
    (lambda A, b: co.posterior_samples(A, b, np.zeros(2), 3, weight=1.0), "`key` is shape"),
    (lambda A, b: co.posterior_samples(A, b, KEY, 0, weight=1.0), "`count` is 0"),
    (lambda A, b: co.posterior_samples(A, b, KEY, 2, weight="best"), "`weight` is 'best'"),
    (lambda A, b: co.posterior_samples(A, b, KEY, 2, weight=1.0, noise=-1.0), "`noise` is -1.0"),
    (lambda A, b: co.posterior_samples(A, b[:3], KEY, 2, weight=1.0), "`b` has shape"),
    (lambda A, b: co.posterior_variance(b, weight=1.0, noise=1.0), "`A` is a ndarray"),
    (lambda A, b: co.posterior_variance(A, weight="gcv", noise=1.0), "`weight` is 'gcv'"),
    (lambda A, b: co.posterior_variance(A, L=3, weight=1.0, noise=1.0), "`L` must be"),
    (lambda A, b: co.log_evidence(MODELS["reflect"][0], b, weight=1.0, noise=1.0), "no closed form of the evidence"),
    (lambda A, b: co.log_evidence(A, b, weight="gcv", noise=1.0), "`weight` is 'gcv'"),
    (lambda A, b: co.credible_interval(np.zeros((38, 2))), "at least 39 samples"),
    (lambda A, b: co.credible_interval(np.zeros((38, 2)), 1.0), "`level` is 1.0"),
    (lambda A, b: co.credible_interval((b, b)), "negative"),
    (lambda A, b: co.credible_interval((b,)), "tuple of 1"),
    (lambda A, b: co.credible_interval((b, np.ones(3))), "`variance` has shape"),
    (lambda A, b: co.credible_interval((b + 1j, np.ones(SHAPE))), "`mean` is complex"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call(MODELS["fft"][0], data("fft"))
