"""The DCT denoiser against loops over patches in NumPy, and the deblurring in two steps built on it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.fft

import convops as co
from convops.solvers import patches

X64 = jax.config.jax_enable_x64
CLOSE = {"rtol": 1e-9, "atol": 1e-9} if X64 else {"rtol": 2e-4, "atol": 2e-4}


def noisy(shape, seed=0, sigma=0.3):
    rng = np.random.default_rng(seed)
    ramps = sum(
        np.linspace(0, a + 1, n).reshape([-1 if i == a else 1 for i in range(len(shape))]) for a, n in enumerate(shape)
    )
    return np.where(ramps > 1, 2.0, ramps) + sigma * rng.standard_normal(shape)


def looped(x, sigma, patch, threshold=2.7, wiener=1.0, mode="symmetric", softness=None):
    """Two passes, patch after patch."""
    deviation, threshold, wiener = (np.broadcast_to(v, patch) for v in (sigma, threshold, wiener))
    wide = [(k - 1, k - 1) for k in patch]
    inner = tuple(slice(k - 1, k - 1 + n) for k, n in zip(patch, x.shape, strict=True))
    corner = (0,) * x.ndim

    def averaged(gate_of, *images):
        images = [np.pad(image, wide, mode=mode) for image in images]
        total, weights = np.zeros(images[0].shape), np.zeros(images[0].shape)
        for at in itertools.product(*(range(n - k + 1) for n, k in zip(images[0].shape, patch, strict=True))):
            here = tuple(slice(a, a + k) for a, k in zip(at, patch, strict=True))
            coefficients = [scipy.fft.dctn(image[here], norm="ortho") for image in images]
            gate = gate_of(*coefficients)
            gate[corner] = 1
            weight = 1 / np.sum(gate**2) if len(images) == 2 else 1 / np.sum(gate)
            total[here] += weight * scipy.fft.idctn(gate * coefficients[0], norm="ortho")
            weights[here] += weight
        return (total / weights)[inner]

    def above(c):
        if softness is None:
            return (np.abs(c) > threshold * deviation).astype(float)
        return 1 / (1 + np.exp((threshold - np.abs(c) / deviation) / softness))

    pilot = averaged(above, x)
    return averaged(lambda c, p: p**2 / (p**2 + (wiener * deviation) ** 2), x, pilot)


@pytest.mark.parametrize(
    ("shape", "patch"),
    [((13, 18), (8, 8)), ((9, 22), (4, 5)), ((5, 3), (8, 8)), ((31,), (6,)), ((6, 7, 5), (2, 3, 4)), ((1, 9), (8, 8))],
)
@pytest.mark.parametrize("boundary", ["symmetric", "wrap"])
def test_agrees_with_a_loop_over_patches(shape, patch, boundary):
    x = noisy(shape)
    found = co.dct_denoiser(x, 0.3, patch=patch, boundary=boundary)
    assert found.shape == shape
    assert found.dtype == jnp.zeros(()).dtype
    np.testing.assert_allclose(found, looped(x, 0.3, patch, mode=boundary), **CLOSE)


def test_thresholds_for_each_coefficient_and_soft_ones():
    x, rng = noisy((12, 11)), np.random.default_rng(1)
    threshold, wiener = rng.uniform(1, 4, (4, 4)), rng.uniform(0.5, 2, (4, 4))
    found = co.dct_denoiser(x, 0.3, patch=4, threshold=threshold, wiener=wiener, softness=0.3)
    np.testing.assert_allclose(found, looped(x, 0.3, (4, 4), threshold, wiener, softness=0.3), **CLOSE)


def test_blocks_of_rows_change_nothing(monkeypatch):
    x = noisy((37, 10))
    whole = co.dct_denoiser(x, 0.3)
    for block in (1, 64 * 17 * 9, 64 * 17 * 20):
        monkeypatch.setattr(patches, "BLOCK", block)
        jax.clear_caches()
        np.testing.assert_allclose(co.dct_denoiser(x, 0.3), whole, rtol=0, atol=1e-12 if X64 else 1e-5)


def test_batches_and_axes():
    x = np.stack([noisy((12, 14), seed) for seed in range(3)], -1)
    channels = np.stack([np.asarray(co.dct_denoiser(x[..., c], 0.3)) for c in range(3)], -1)
    np.testing.assert_allclose(co.dct_denoiser(x, 0.3, axes=(0, 1)), channels, atol=1e-5)
    mapped = jax.vmap(co.dct_denoiser, in_axes=(-1, None), out_axes=-1)(jnp.asarray(x), 0.3)
    np.testing.assert_allclose(mapped, channels, atol=1e-5)


def test_what_it_leaves_alone():
    flat = jnp.full((20, 17), 3.25)
    np.testing.assert_allclose(co.dct_denoiser(flat, 0.5), flat, rtol=1e-5)
    np.testing.assert_allclose(co.dct_denoiser(jnp.zeros((9, 9)), 0.0), 0.0, atol=0)
    x = noisy((20, 17))
    np.testing.assert_allclose(co.dct_denoiser(x, 0.0), x, atol=1e-5)
    assert co.dct_denoiser(np.arange(100, dtype=np.uint8).reshape(10, 10), 1).dtype == jnp.zeros(()).dtype
    assert co.dct_denoiser(x.astype(np.float32), 0.3).dtype == jnp.float32


def test_scale_and_offset():
    x = noisy((16, 16))
    np.testing.assert_allclose(co.dct_denoiser(100 * x + 7, 30.0), 100 * co.dct_denoiser(x, 0.3) + 7, rtol=1e-3)


def test_derivatives_against_differences():
    x, rng = noisy((11, 10)), np.random.default_rng(2)
    point = {"x": x, "sigma": 0.3, "threshold": np.full((4, 4), 2.5), "wiener": np.full((4, 4), 0.9)}
    ahead = {of: rng.standard_normal(np.shape(at)) for of, at in point.items()}
    probe = rng.standard_normal(x.shape)

    @jax.jit
    def value(t):
        moved = {of: point[of] + t[of] * ahead[of] for of in point}
        return jnp.sum(probe * co.dct_denoiser(**moved, patch=4, softness=0.3))

    step, still = 1e-5 if X64 else 2e-3, dict.fromkeys(point, 0.0)
    slopes, pushed = jax.grad(value)(still), jax.jit(lambda t: jax.jvp(value, (still,), (t,))[1])
    for of in point:
        slope = (value(still | {of: step}) - value(still | {of: -step})) / (2 * step)
        for found in (slopes[of], pushed(still | {of: 1.0})):
            assert abs(found - slope) <= (1e-6 if X64 else 2e-2) * max(abs(slope), 1), of


@pytest.mark.slow
def test_derivatives_are_finite_where_nothing_is_left():
    def total(x, sigma, threshold):
        return jnp.sum(co.dct_denoiser(x, sigma, threshold=threshold, softness=0.2) ** 2)

    for x, sigma in itertools.product((jnp.zeros((9, 9)), jnp.ones((9, 9))), (0.0, 1.0)):
        assert all(bool(jnp.all(jnp.isfinite(g))) for g in jax.grad(total, (0, 1, 2))(x, sigma, 2.7))


def test_nothing_is_compiled_anew_for_other_numbers():
    traces = []

    @jax.jit
    def run(x, sigma, threshold):
        traces.append(0)
        return co.dct_denoiser(x, sigma, threshold=threshold)

    for sigma in (0.1, 0.2):
        run(jnp.asarray(noisy((16, 16))), sigma, 2.7 + sigma)
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.full((9, 9), np.nan)}, "`x` holds NaN"),
        ({"x": np.ones((9, 9)) * 1j}, "`x` has shape"),
        ({"x": 3.0}, "`x` has shape"),
        ({"x": np.ones((0, 9))}, "empty"),
        ({"sigma": -1.0}, "`sigma` is -1.0"),
        ({"sigma": np.nan}, "`sigma` is nan"),
        ({"sigma": np.ones(9)}, "`sigma` has shape"),
        ({"patch": 0}, "`patch` is 0"),
        ({"patch": (8, 8, 8)}, "`patch` is"),
        ({"axes": (0, 2)}, "`axes` is"),
        ({"threshold": np.ones((4, 4))}, "`threshold` has shape"),
        ({"threshold": -2.7}, "`threshold` has negative"),
        ({"wiener": np.inf}, "`wiener` holds NaN"),
        ({"softness": -0.1}, "`softness` is -0.1"),
        ({"boundary": "zero"}, "`boundary` is 'zero'"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        co.dct_denoiser(**({"x": np.ones((9, 9)), "sigma": 1.0} | change))


def test_it_denoises_the_photograph():
    clean = co.problems.photograph()
    for sigma, least in ((5, 37.5), (10, 32.7), (25, 27.9)):
        data = co.problems.gaussian_noise(clean, sigma=sigma)
        found = co.problems.psnr(co.dct_denoiser(data, sigma), clean, data_range=255)
        assert found >= least - 0.05


@pytest.mark.slow
def test_thresholds_are_learnt():
    """Thresholds that begin far too low recover by descent on one image, and serve another."""
    clean = co.problems.photograph()
    train, held = (clean[rows, 96:144] for rows in (slice(48, 96), slice(100, 148)))
    data = [co.problems.gaussian_noise(image, sigma=20, seed=s) for s, image in enumerate((train, held))]
    denoise = jax.jit(lambda x, t: co.dct_denoiser(x, 20.0, threshold=t, softness=0.2))
    loss = jax.jit(jax.value_and_grad(lambda t: jnp.mean((denoise(data[0], t) - train) ** 2)))
    optimizer, thresholds = optax.adam(0.1), jnp.full((8, 8), 1.0)
    state, first = optimizer.init(thresholds), loss(jnp.full((8, 8), 1.0))[0]
    for _ in range(15):
        slope = loss(thresholds)[1]
        update, state = optimizer.update(slope, state)
        thresholds = jnp.maximum(optax.apply_updates(thresholds, update), 0)
    assert loss(thresholds)[0] < 0.8 * first
    before, after = (jnp.mean((denoise(data[1], t) - held) ** 2) for t in (jnp.full((8, 8), 1.0), thresholds))
    assert after < 0.85 * before


KERNEL = np.array([[0.0, 0.1, 0.2], [0.1, 0.3, 0.1], [0.05, 0.15, 0.0]])


def two_steps(kernel, origin, b, noise, patch=8):
    """The two steps by plain FFTs; deviations of the coefficients by filtering every basis function."""
    placed = np.zeros(b.shape)
    for (i, j), value in np.ndenumerate(kernel):
        placed[(i - origin[0]) % b.shape[0], (j - origin[1]) % b.shape[1]] += value
    H, B = np.fft.fft2(placed), np.fft.fft2(b)
    square, eps = np.abs(H) ** 2, np.finfo(b.dtype).eps

    def deviations(gain):
        found = np.zeros((patch, patch))
        for i, j in np.ndindex(patch, patch):
            unit = np.zeros((patch, patch))
            unit[i, j] = 1
            spectrum = np.fft.fft2(scipy.fft.idctn(unit, norm="ortho"), b.shape)
            found[i, j] = noise * np.sqrt(np.mean(np.abs(gain * spectrum) ** 2))
        return found

    def passed(gate_of, images, deviation):
        cost = deviation**2 / np.mean(deviation**2)
        images = [np.pad(image, patch - 1, mode="symmetric") for image in images]
        total, weights = np.zeros(images[0].shape), np.zeros(images[0].shape)
        for i, j in np.ndindex(*(n - patch + 1 for n in images[0].shape)):
            here = slice(i, i + patch), slice(j, j + patch)
            c = [scipy.fft.dctn(image[here], norm="ortho") for image in images]
            gate = gate_of(*c)
            gate[0, 0] = 1
            weight = 1 / np.sum(cost * (gate**2 if len(c) == 2 else gate))
            total[here] += weight * scipy.fft.idctn(gate * c[0], norm="ortho")
            weights[here] += weight
        return (total / weights)[patch - 1 : 1 - patch, patch - 1 : 1 - patch]

    gain = np.conj(H) / (square + square.max() * (1.6 * noise**2 / (b.var() - noise**2) + eps))
    deviation = deviations(gain)
    pilot = passed(lambda c: (np.abs(c) > 2.7 * deviation).astype(float), [np.fft.ifft2(gain * B).real], deviation)
    P = np.abs(np.fft.fft2(pilot)) ** 2 / b.size
    gain = np.conj(H) * P / (P * (square + eps * square.max()) + 0.005 * noise**2)
    deviation = deviations(gain)
    second = np.fft.ifft2(gain * B).real
    return passed(lambda c, p: p**2 / (p**2 + deviation**2), [second, pilot], deviation)


@pytest.mark.parametrize("shape", [(21, 16), (16, 17)])
def test_two_steps_agree_with_numpy(shape):
    A = co.convolution(KERNEL, shape, boundary="wrap", origin=(1, 1))
    b = np.asarray(A @ noisy(shape, 3, 0.0)) + 0.05 * np.random.default_rng(4).standard_normal(shape)
    sol = co.dct_deblur(A, b, noise=0.05)
    expected = two_steps(KERNEL, (1, 1), b, 0.05)
    np.testing.assert_allclose(sol.x, expected, **(CLOSE if X64 else {"rtol": 0, "atol": 5e-3}))
    assert sol.converged
    np.testing.assert_allclose(sol.residual_norm, np.linalg.norm(np.asarray(A @ sol.x) - b), rtol=1e-4)
    assert co.dct_deblur(A, b.reshape(-1), noise=0.05).x.shape == (b.size,)


@pytest.mark.slow
def test_two_steps_by_channel_batch_and_estimate():
    psf = co.psf.gaussian(1.0, (5, 5))
    A = co.convolution(psf, (24, 20), boundary="wrap")
    data = np.stack([np.asarray(A @ noisy((24, 20), s, 0.0)) + 0.02 * noisy((24, 20), s) for s in range(3)])
    single = np.stack([np.asarray(co.dct_deblur(A, b).x) for b in data])
    colour = co.convolution(psf, (3, 24, 20), boundary="wrap", axes=(1, 2))
    found = co.dct_deblur(colour, data, noise=0.02).x
    expected = np.stack([np.asarray(co.dct_deblur(A, b, noise=0.02).x) for b in data])
    np.testing.assert_allclose(found, expected, atol=2e-4)
    np.testing.assert_allclose(jax.vmap(lambda b: co.dct_deblur(A, b).x)(jnp.asarray(data)), single, atol=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1e-20, 1e18])
def test_any_unit_in_single_precision(unit):
    rng = np.random.default_rng(0)
    A = co.convolution(np.ones((3, 2), "float32") / 6, (20, 17), boundary="wrap")
    b = (np.asarray(A @ np.outer(np.arange(20) > 8, np.arange(17) > 5)) + 0.01 * rng.standard_normal((20, 17))).astype(
        "float32"
    )
    for solve in (lambda b, s: co.dct_deblur(A, b, noise=s).x, co.dct_denoiser):
        found, wanted = solve(b * np.float32(unit), 0.01 * unit), solve(b, 0.01)
        np.testing.assert_allclose(found / np.float32(unit), wanted, atol=1e-5)
    assert np.isfinite(co.dct_denoiser(b, 1e30)).all()


@pytest.mark.slow
def test_two_steps_of_odd_data():
    A = co.convolution(KERNEL, (12, 15), boundary="wrap")
    for b, noise in ((np.zeros((12, 15)), 0.0), (np.zeros((12, 15)), 1.0), (np.full((12, 15), 4.0), 0.0)):
        np.testing.assert_allclose(co.dct_deblur(A, b, noise=noise).x, b, atol=1e-4)
    clean = noisy((12, 15), 0, 0.0)
    found = co.dct_deblur(A, A @ clean, noise=0.0).x
    np.testing.assert_allclose(found, clean, atol=0.05)
    slope = jax.grad(
        lambda k: jnp.sum(co.dct_deblur(co.convolution(k, (12, 15), boundary="wrap"), clean, noise=0.1).x ** 2)
    )
    assert bool(jnp.all(jnp.isfinite(slope(jnp.asarray(KERNEL)))))


def test_two_steps_refuse_what_is_not_periodic():
    with pytest.raises(ValueError, match=r"boundary 'wrap' and a\s+real kernel"):
        co.dct_deblur(co.convolution(KERNEL, (9, 9), boundary="symmetric"), np.ones((9, 9)))
    with pytest.raises(ValueError, match="not known to be real and periodic"):
        co.dct_deblur(co.convolution(KERNEL * 1j, (9, 9), boundary="wrap"), np.ones((9, 9)))
    A = co.convolution(KERNEL, (9, 9), boundary="wrap")
    with pytest.raises(ValueError, match="`b` is complex"):
        co.dct_deblur(A, np.ones((9, 9)) * 1j)
    with pytest.raises(ValueError, match="`noise` is -1"):
        co.dct_deblur(A, np.ones((9, 9)), noise=-1)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "least"), [*enumerate((5.8, 4.6, 6.1, 2.4, 2.9, 3.1), 1)])
def test_two_steps_in_the_classical_experiments(number, least):
    """Prototype's figures, mean over five seeds: improvement in decibels."""
    found = []
    for seed in range(5):
        p = co.problems.classical(number, seed=seed)
        found.append(co.problems.isnr(co.dct_deblur(p.A, p.b, noise=p.noise).x, p.b, p.truth))
    assert np.mean(found) >= least
