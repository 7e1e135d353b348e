"""Plug-and-play restoration: against plain loops in NumPy, with masks, through jit, vmap and grad, and its figures."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import convops as co

X64 = jax.config.jax_enable_x64
CLOSE = {"rtol": 1e-6, "atol": 1e-6} if X64 else {"rtol": 1e-3, "atol": 1e-3}
KERNEL = np.array([[0.0, 0.1, 0.2], [0.1, 0.3, 0.1], [0.05, 0.15, 0.0]])
SHAPE = (15, 12)
NOISE = 0.05


def shrunk(x, sigma, strength=1.0):
    """A linear denoiser that is quick to compile: x over its mean shrunk towards that of the neighbours."""
    near = (jnp.roll(x, 1, 0) + jnp.roll(x, -1, 0) + jnp.roll(x, 1, 1) + jnp.roll(x, -1, 1)) / 4
    part = strength * sigma / (1 + strength * sigma)
    return (1 - part) * x + part * near


def scene(shape=SHAPE, seed=0):
    x = np.where(np.add.outer(np.arange(shape[0]), np.arange(shape[1])) > 13, 1.0, 0.0)
    return x + 0.1 * np.random.default_rng(seed).standard_normal(shape)


def data_for(A, seed=0):
    rng = np.random.default_rng(seed + 10)
    x = np.asarray(scene(A.in_shape, seed))
    return np.asarray(A @ x) + NOISE * rng.standard_normal(A.out_shape)


def near(x):
    return sum(np.roll(x, step, axis) for step in (1, -1) for axis in (0, 1)) / 4


def looped(method, M, b, x, *, weight, sigmas, norm):
    """The iterations of the docstring with a dense matrix."""
    shape, b, z, dual, momentum, u = x.shape, b.reshape(-1), x, np.zeros_like(x), 1.0, x
    rough = lambda x, s: x - s / (1 + s) * (x - near(x))  # noqa: E731
    for step, sigma in enumerate(sigmas):
        rho = weight * NOISE**2 / sigma**2
        if method in ("hqs", "admm"):
            rhs = M.T @ b + rho * (x - dual).reshape(-1)
            u = np.linalg.solve(M.T @ M + rho * np.eye(x.size), rhs).reshape(shape)
            x = rough(u + dual, sigma)
            ahead = sigmas[min(step + 1, len(sigmas) - 1)]
            dual = (dual + u - x) * (ahead / sigma) ** 2 if method == "admm" else dual
            continue
        slope = (M.T @ (M @ z.reshape(-1) - b)).reshape(shape)
        if method == "fista":
            new = rough(z - slope / norm**2, sigma)
        else:
            new = z - (slope + rho * (z - rough(z, sigma))) / (norm**2 + rho)
        ahead = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        z, x, momentum = new + (momentum - 1) / ahead * (new - x), new, ahead
    return x


@pytest.mark.parametrize("method", ["hqs", "admm", "fista", "red"])
def test_agrees_with_dense_iterations(method):
    A = co.convolution(KERNEL, SHAPE, boundary="wrap")
    b, x0 = data_for(A), np.asarray(data_for(A))
    sol = co.plug_and_play(
        A, b, denoiser=shrunk, noise=NOISE, method=method, weight=0.3, steps=5, first=0.4, last=0.1, x0=x0,
        safeguard=False,
    )  # fmt: skip
    M = np.asarray(A.as_matrix())
    norm = np.linalg.norm(M, 2)  # of a periodic kernel that is not negative: its sum
    expected = looped(method, M, b, x0, weight=0.3 / norm**0, sigmas=np.geomspace(0.4, 0.1, 5), norm=norm)
    np.testing.assert_allclose(sol.x, expected, **CLOSE)
    assert sol.converged
    assert sol.num_steps == 5
    np.testing.assert_allclose(sol.history["sigma"][1:6], np.geomspace(0.4, 0.1, 5), rtol=1e-5)
    np.testing.assert_allclose(sol.residual_norm, np.linalg.norm(M @ expected.reshape(-1) - b.reshape(-1)), rtol=1e-3)


def masked(boundary="symmetric"):
    keep = np.random.default_rng(5).random(SHAPE) > 0.2
    return co.mask(keep) @ co.convolution(KERNEL, SHAPE, boundary=boundary), keep


def unknown():
    keep = np.random.default_rng(5).random(SHAPE) > 0.1
    return co.unknown_boundary(KERNEL, SHAPE, mask=keep), keep


@pytest.mark.parametrize("make", [masked, unknown])
def test_by_conjugate_gradients_agrees_with_dense_iterations(make):
    A, keep = make()
    b = data_for(A)
    b[~keep] = 1e3  # what is not seen does not count
    x0 = np.zeros(A.in_shape)
    sol = co.plug_and_play(
        A, b, denoiser=shrunk, noise=NOISE, steps=4, first=0.4, last=0.1, x0=x0, safeguard=False,
        rtol=1e-10 if X64 else 1e-6, cg_steps=300,
    )  # fmt: skip
    M = np.asarray(A.as_matrix())
    norm = float(A.norm())
    sigmas = np.geomspace(0.4, 0.1, 4)
    expected = looped("hqs", M, np.where(keep, b, 0), x0, weight=0.25, sigmas=sigmas, norm=norm)
    np.testing.assert_allclose(sol.x, expected, **({"atol": 1e-5} if X64 else {"atol": 5e-3}))


@pytest.mark.slow
def test_the_start_is_not_given():
    for A in (co.convolution(KERNEL, SHAPE, boundary="symmetric"), unknown()[0]):
        b = data_for(A)
        sol = co.plug_and_play(A, b, denoiser=shrunk, noise=NOISE, steps=3)
        assert sol.converged
        assert float(sol.residual_norm) < 0.5 * float(np.linalg.norm(b))


def test_scale_of_the_blur():
    """Data and noise of k A restore the same scene."""
    A = co.convolution(KERNEL, SHAPE, boundary="wrap")
    b = data_for(A)
    solve = partial(co.plug_and_play, denoiser=shrunk, steps=4, x0=b)
    one, ten = solve(A, b, noise=NOISE), solve(10 * A, 10 * b, noise=10 * NOISE)
    np.testing.assert_allclose(one.x, ten.x, **CLOSE)


def test_batch_jit_flat_and_nothing_compiled_anew():
    A = co.convolution(KERNEL, SHAPE, boundary="wrap")
    batch = np.stack([data_for(A, seed) for seed in range(3)])
    calls = []

    def counted(x, sigma):
        calls.append(0)
        return shrunk(x, sigma)

    single = [co.plug_and_play(A, b, denoiser=counted, noise=NOISE, steps=3) for b in batch]
    before = len(calls)
    co.plug_and_play(A, batch[0], denoiser=counted, noise=0.07, weight=0.5, steps=3)
    assert len(calls) <= before + 1  # its shape is looked at, nothing is compiled
    mapped = jax.jit(jax.vmap(lambda b: co.plug_and_play(A, b, denoiser=counted, noise=NOISE, steps=3).x))(batch)
    np.testing.assert_allclose(mapped, np.stack([sol.x for sol in single]), **CLOSE)
    flat = co.plug_and_play(A, batch[0].reshape(-1), denoiser=counted, noise=NOISE, steps=3)
    np.testing.assert_allclose(flat.x, np.asarray(single[0].x).reshape(-1), **CLOSE)


@pytest.mark.slow
def test_derivatives_go_through_the_steps_to_the_denoiser():
    A, x0 = co.convolution(KERNEL, SHAPE, boundary="wrap"), scene()
    b = data_for(A)

    def loss(strength, weight, kernel, b):
        A = co.convolution(kernel, SHAPE, boundary="wrap")
        own = jax.tree_util.Partial(shrunk, strength=strength)
        sol = co.plug_and_play(A, b, denoiser=own, noise=NOISE, weight=weight, steps=3, x0=x0, loop="scan")
        return jnp.sum((sol.x - x0) ** 2)

    point = (1.3, 0.3, jnp.asarray(KERNEL), jnp.asarray(b))
    found = jax.grad(loss, (0, 1, 2, 3))(*point)
    assert all(bool(jnp.all(jnp.isfinite(slope))) for slope in found)
    for at, slope in enumerate(found if X64 else ()):  # differences in single precision say little
        ahead = np.random.default_rng(at).standard_normal(np.shape(point[at]))
        moved = [loss(*point[:at], point[at] + s * ahead, *point[at + 1 :]) for s in (1e-5, -1e-5)]
        np.testing.assert_allclose((moved[0] - moved[1]) / 2e-5, jnp.sum(slope * ahead), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_safeguard_ends_the_amplification_of_noise():
    p = co.problems.classical(1, image=co.problems.photograph()[60:156, 60:156])
    free, safe = (co.plug_and_play(p.A, p.b, noise=p.noise, weight=0.05, safeguard=s) for s in (False, True))
    gains = [float(co.problems.isnr(sol.x, p.b, p.truth)) for sol in (free, safe)]
    assert gains[0] < 4 < gains[1]
    assert float(safe.weight) > float(free.weight)
    assert safe.converged


def test_the_last_finite_iterate_is_returned():
    A = co.convolution(KERNEL, SHAPE, boundary="wrap")

    def breaks(x, sigma):
        return jnp.where(sigma < 0.2, jnp.nan, x)

    sol = co.plug_and_play(A, data_for(A), denoiser=breaks, noise=NOISE, first=0.4, last=0.1, steps=5)
    assert np.all(np.isfinite(sol.x))
    assert not sol.converged
    assert "not finite" in sol.status


@pytest.mark.slow
def test_derivatives_without_light_or_noise():
    A = co.convolution(np.ones((3, 2)) / 6, (12, 11), boundary="wrap")
    for options in ({"noise": 0.0}, {"noise": 1.0}, {}):

        def total(b, options=options):
            return jnp.sum(co.plug_and_play(A, b, steps=2, loop="scan", safeguard=False, **options).x ** 2)

        assert np.isfinite(np.asarray(jax.grad(total)(jnp.zeros((12, 11))))).all()


def test_odd_data():
    A = co.convolution(KERNEL, SHAPE, boundary="wrap")
    for b in (np.zeros(SHAPE), np.full(SHAPE, 2.0)):
        for noise in (0.0, None, 1.0):
            sol = co.plug_and_play(A, b, denoiser=shrunk, noise=noise, steps=3)
            np.testing.assert_allclose(sol.x, b, atol=1e-3)


def test_checkpoint_and_callback(tmp_path):
    A = co.convolution(KERNEL, SHAPE, boundary="wrap")
    b, seen = data_for(A), []
    solve = partial(co.plug_and_play, A, b, denoiser=shrunk, noise=NOISE, steps=6)
    whole = solve(callback=lambda told: seen.append(told.step) if hasattr(told, "step") else seen.append(0))
    assert seen
    part = solve(max_steps=2, checkpoint=tmp_path / "run.npz")
    assert not part.converged
    then = solve(checkpoint=tmp_path / "run.npz")
    np.testing.assert_allclose(then.x, whole.x, **CLOSE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "newton"}, "`method` is 'newton'"),
        ({"denoiser": 3}, "`denoiser` is a int"),
        ({"denoiser": lambda x, sigma: x[1:]}, "must keep the shape"),
        ({"denoiser": lambda x, sigma: np.asarray(x)}, "or use jax.pure_callback"),
        ({"denoiser": lambda x, sigma: x.astype(np.float16)}, "must keep the dtype"),
        ({"denoiser": jax.tree_util.Partial(shrunk, strength="strong")}, "holds a str"),
        ({"noise": -1.0}, "`noise` is -1.0"),
        ({"weight": -1.0}, "`weight` is -1.0"),
        ({"steps": 0}, "`steps` is 0"),
        ({"b": np.full(SHAPE, np.inf)}, "`b` holds NaN"),
        ({"b": np.ones(SHAPE) * 1j}, "complex"),
        ({"x0": np.ones((3, 3))}, "`x0` has shape"),
        ({"first": -1}, "`first` is -1"),
    ],
)
def test_refusals(change, message):
    A = co.convolution(KERNEL, SHAPE, boundary="wrap")
    given = {"b": np.ones(SHAPE), "denoiser": shrunk} | change
    with pytest.raises(ValueError, match=message):
        co.plug_and_play(A, **given)


@pytest.mark.slow
def test_thresholds_are_learnt_through_the_solver():
    """The DCT thresholds, begun too low, by descent through the unrolled steps; judged on another part."""
    scenes = [co.problems.photograph()[rows, 96:144] for rows in (slice(48, 96), slice(100, 148))]
    train, held = (co.problems.classical(4, image=x, seed=s) for s, x in enumerate(scenes))

    @jax.jit
    @jax.value_and_grad
    def loss_and_slope(thresholds, b, truth):
        own = jax.tree_util.Partial(partial(co.dct_denoiser, softness=0.2), threshold=thresholds)
        sol = co.plug_and_play(train.A, b, denoiser=own, noise=7.0, steps=4, safeguard=False, loop="scan")
        return jnp.mean((sol.x - truth) ** 2)

    optimizer, thresholds = optax.adam(0.2), jnp.full((8, 8), 1.0)
    state, (before, _) = optimizer.init(thresholds), loss_and_slope(thresholds, held.b, held.truth)
    for _ in range(10):
        _, slope = loss_and_slope(thresholds, train.b, train.truth)
        update, state = optimizer.update(slope, state)
        thresholds = jnp.maximum(optax.apply_updates(thresholds, update), 0)
    assert loss_and_slope(thresholds, held.b, held.truth)[0] < 0.9 * before


@pytest.mark.slow
@pytest.mark.parametrize(("psf", "least"), [(co.psf.motion(21, angle=30.0), 28.2), (co.psf.box(9), 27.5)])
def test_unknown_surroundings(psf, least):
    """Data of a larger scene at 40 dB, of a part of the photograph; Tikhonov comes to 24.1 dB for the motion."""
    scene = co.problems.photograph()[40:190, 60:210]
    clean = co.convolution(psf, scene.shape, mode="valid") @ scene
    noise = float(jnp.std(clean)) * 10 ** (-40 / 20)
    b = co.problems.gaussian_noise(clean, sigma=noise)
    sol = co.plug_and_play(A := co.unknown_boundary(psf, b.shape), b, noise=noise)
    top, left = (k - 1 - k // 2 for k in psf.shape)
    truth = scene[top : top + b.shape[0], left : left + b.shape[1]]
    assert sol.converged
    assert co.problems.psnr(A.visible(sol.x), truth, data_range=255) >= least


@pytest.mark.parametrize(("method", "part"), [("hqs", 0.8), ("admm", 1.0), ("fista", 0.8), ("red", 1.0)])
def test_the_last_denoising_is_of_the_noise_that_the_data_step_leaves(method, part):
    """At frequencies that the blur passes whole, hqs leaves 1 / (1 + 1/4) of it."""
    A = co.convolution(3 * KERNEL, SHAPE, boundary="wrap")
    sol = co.plug_and_play(A, data_for(A), denoiser=shrunk, noise=NOISE, method=method, steps=3, safeguard=False)
    np.testing.assert_allclose(sol.history["sigma"][sol.num_steps], part * NOISE / A.norm(), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "tv", "least"),
    [(1, 5.9, 6.1), (2, 4.4, 4.7), (3, 6.9, 7.0), (4, 2.3, 2.6), (5, 3.0, 3.1), (6, 2.5, 3.0)],
)
def test_the_classical_experiments(number, tv, least):
    """At most 0.1 dB below the prototype's means over five seeds, and above total variation; the noise is estimated."""
    found = []
    for seed in range(5):
        p = co.problems.classical(number, seed=seed)
        found.append(co.problems.isnr(co.plug_and_play(p.A, p.b).x, p.b, p.truth))
    assert np.mean(found) >= max(tv, least)
