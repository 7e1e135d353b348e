"""The test problems against NumPy written from their definitions, and against published figures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from degrading import FLOAT, IMAGE, RNG, TOL, decibels, near, zero_blur

import convops as co
from convops import problems
from convops.problems.scenes import grey_png

# ---------------------------------------------------------------- the six classical experiments


def classical_kernel(experiment):
    i = np.arange(-12, 13.0)
    kernel = {
        1: 1 / (1 + np.add.outer(i[5:-5] ** 2, i[5:-5] ** 2)),
        3: np.ones((9, 9)),
        4: np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1.0]),
        5: np.exp(-np.add.outer(i**2, i**2) / (2 * 1.6**2)),
        6: np.exp(-np.add.outer(i**2, i**2) / (2 * 0.4**2)),
    }[max(experiment, 1) if experiment != 2 else 1]
    return kernel / kernel.sum()


@pytest.mark.parametrize("experiment", range(1, 7))
def test_classical(experiment):
    kernel = classical_kernel(experiment)
    blurred = scipy.ndimage.convolve(IMAGE, kernel, mode="wrap")
    variance = {1: 2, 2: 8, 3: blurred.var() / 1e4, 4: 49, 5: 4, 6: 64}[experiment]
    draw = np.random.default_rng(3).standard_normal(IMAGE.shape)
    p = problems.classical(experiment, IMAGE, seed=3)
    near(p.psf, kernel)
    near(p.A @ IMAGE, blurred)
    near(p.noise, np.sqrt(variance), 10 * TOL)
    near(p.b, blurred + np.sqrt(variance) * draw)
    near(p.truth, IMAGE)
    np.testing.assert_allclose(p.psnr(p.b), decibels(p.b, IMAGE, 255), rtol=1e-5)


def test_classical_has_the_figures_of_the_literature():
    """Of every second pixel of scikit-image's camera; the draw of the noise moves them by less than 0.02 dB."""
    found = [float((p := problems.classical(e)).psnr(p.b)) for e in range(1, 7)]
    np.testing.assert_allclose(found, [22.66, 22.58, 21.30, 24.55, 23.57, 29.79], atol=0.02)


def test_classical_is_differentiable_in_the_image():
    slope = jax.grad(lambda image: jnp.sum(problems.classical(4, image).b ** 2))(jnp.asarray(IMAGE, FLOAT))
    p = problems.classical(4, IMAGE)
    near(slope, 2 * np.asarray(p.A.H @ p.b), 10 * TOL)


# ---------------------------------------------------------------- the examples of other packages


def test_siemens_star_has_the_published_figures():
    p = problems.siemens_star()
    assert p.truth.shape == p.b.shape == (256, 256)
    assert abs(p.psnr(p.b) - 12.55) < 0.05
    shifted = np.roll(scipy.ndimage.uniform_filter(np.asarray(p.truth, float), 5, mode="wrap"), (2, 2), (0, 1))
    near(p.A @ p.truth, shifted)
    q = problems.siemens_star("full")
    assert q.b.shape == (260, 260)
    assert abs(q.psnr(q.blurred) - 17.23) < 0.05
    near(q.blurred, q.b[2:-2, 2:-2])
    near((q.A @ q.truth)[2:-2, 2:-2], zero_blur(np.asarray(q.truth, float), np.full((5, 5), 0.04)))


def test_siemens_star_is_made_of_sectors():
    star = np.asarray(problems.siemens_star(size=64, sectors=12).truth)
    assert set(star[:2].ravel()) == {0.0}
    assert abs(star[2:-2, 2:-2].sum() - 60**2 * 12 / 2 * np.sin(np.pi / 6) / 8) < 2  # six triangles of radius 30
    at = [star[int(32 + 20 * np.sin(a)), int(32 + 20 * np.cos(a))] for a in (np.arange(12) + 0.5) * np.pi / 6]
    np.testing.assert_allclose(at, [1, 0] * 6)


def test_pylops_tutorial():
    image = RNG.random((40, 33))
    i, j = np.arange(-7, 8), np.arange(-12, 13)
    rows, columns = np.exp(-0.1 * i**2), np.exp(-0.03 * j**2)
    kernel = np.outer(rows, columns)
    for values in (rows, columns):
        kernel /= values.sum() - (values[0] + values[-1]) / 2
    p = problems.pylops_tutorial(image)
    near(p.psf, kernel)
    near(p.b, zero_blur(image, kernel))
    assert p.noise == 0
    assert problems.pylops_tutorial().truth.shape == (126, 126)


# ---------------------------------------------------------------- recorded scenes


def test_recorded():
    kernel = RNG.random((4, 7))
    kernel /= kernel.sum()
    p = problems.recorded(kernel, IMAGE, bsnr=30, seed=6)
    exact = np.array([[np.sum(kernel[::-1, ::-1] * IMAGE[i : i + 4, j : j + 7]) for j in range(32)] for i in range(26)])
    sigma = np.sqrt(exact.var() / 1e3)
    near(p.noise, sigma, 100 * TOL)
    near(p.b, exact + sigma * np.random.default_rng(6).standard_normal(exact.shape))
    near(p.truth, IMAGE[1:27, 3:35])  # L - 1 - L // 2
    scene = np.zeros(p.A.in_shape)
    start = [s - t for s, t in zip(p.A.start, (1, 3), strict=True)]
    scene[start[0] : start[0] + 29, start[1] : start[1] + 38] = IMAGE
    near(p.A @ scene, exact)
    np.testing.assert_allclose(p.visible(scene), p.truth, rtol=1e-6)
    assert p.psnr(scene) > 100
    assert p.relative_error(scene.ravel()) < 1e-6


def test_recorded_with_missing_pixels():
    image = RNG.random((90, 70))
    p = problems.recorded(np.ones((1, 5)) / 5, image, sigma=0.1, missing=0.3, seed=1)
    full = problems.recorded(np.ones((1, 5)) / 5, image, sigma=0.1, seed=1)
    keep = np.asarray(p.A.keep)
    assert set(keep.ravel()) == {0.0, 1.0}
    assert abs(keep.mean() - 0.7) < 0.03
    near(p.b, keep * np.asarray(full.b))
    weights = RNG.random(full.b.shape)
    near(problems.recorded(np.ones((1, 5)) / 5, image, sigma=0.1, mask=weights, seed=1).b, weights * np.asarray(full.b))


# ---------------------------------------------------------------- problems and scenes


def test_a_problem_is_a_pytree():
    p = problems.classical(1, IMAGE)
    twice = jax.tree.map(lambda leaf: 2 * leaf, p)
    near(twice.b, 2 * np.asarray(p.b))
    assert twice.name == "classical 1"
    np.testing.assert_allclose(jax.jit(lambda p: p.psnr(p.b))(p), p.psnr(p.b), rtol=1e-5)
    text = repr(p)
    for part in ("classical 1", "R(29, 38) -> R(29, 38)", "noise: 1.414", f"{decibels(p.b, IMAGE, 255):.2f} dB"):
        assert part in text
    jax.jit(lambda p: (repr(p), p.b)[1])(p)
    keys = jax.random.split(jax.random.key(0), 3)
    batch = jax.jit(jax.vmap(lambda key: problems.classical(3, IMAGE, seed=key)))(keys)
    assert batch.b.shape == (3, *IMAGE.shape)
    assert "classical 3" in repr(batch)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16])
def test_images_of_any_dtype(dtype):
    p = problems.classical(5, IMAGE.astype(dtype), seed=1)
    wanted = FLOAT if dtype == np.uint8 else np.float32
    assert {a.dtype for a in (p.b, p.truth, p.noise, p.data_range, p.psf, p.A @ p.truth)} == {np.dtype(wanted)}
    q = problems.recorded(co.psf.gaussian(1.0), IMAGE.astype(dtype), missing=0.1)
    assert {q.b.dtype, (q.A.H @ q.b).dtype} == {np.dtype(wanted)}


def test_the_photograph_is_the_bundled_file():
    pillow = pytest.importorskip("PIL.Image")
    path = co.__file__.replace("__init__.py", "data/camera.png")
    near(problems.photograph(), np.asarray(pillow.open(path), float))
    with pytest.raises(ValueError, match="8-bit grey PNG"):
        grey_png(b"\0" * 40)


def test_shepp_logan():
    phantom = np.asarray(problems.shepp_logan((128, 96)))
    assert abs(np.pi / 4 * (0.69 * 0.92 - 0.8 * 0.6624 * 0.874) - phantom.mean()) < 0.02  # the skull and what it holds
    np.testing.assert_allclose(phantom[64, [0, 20, 48]], [0, 0.2, 0.2], atol=0.11)
    assert phantom[36, 48] > phantom[90, 48]  # the bright ellipse lies in the upper half


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: problems.classical(7), r"`experiment` is 7; accepted are 1, 2, 3"),
        (lambda: problems.classical(1, np.ones((4, 4, 3))), r"`image` has shape \(4, 4, 3\)"),
        (lambda: problems.classical(1, np.full((4, 4), np.nan)), "`image` holds NaN"),
        (lambda: problems.classical(1, np.ones((0, 4))), "`image` is empty"),
        (lambda: problems.classical(1, seed="a"), "`seed` is 'a'"),
        (lambda: problems.ir_tools("blur"), "`psf` is 'blur'; accepted are 'gauss', .* 'rotation'"),
        (lambda: problems.ir_tools("gauss", "strong"), "`level` is 'strong'; accepted are 'mild', 'medium', 'severe'"),
        (lambda: problems.ir_tools("gauss", image=IMAGE, shape=(40, 20)), r"`shape` is \(40, 20\)"),
        (lambda: problems.ir_tools("gauss", image=IMAGE, noise_level=-1), "`level` is -1"),
        (lambda: problems.ir_tools("gauss", image=0 * IMAGE), "nothing above zero"),
        (lambda: problems.ir_tools("gauss", image=IMAGE, boundary="mirror"), "`boundary` is 'mirror'"),
        (lambda: problems.rotation_blur(5, 10), r"`shape` is \(5,\)"),
        (lambda: problems.rotation_blur((5, 5), -10), "`degrees` is -10"),
        (lambda: problems.rotation_blur((5, 5), 10, step=0), "`step` is 0"),
        (lambda: problems.siemens_star("valid"), "`mode` is 'valid'"),
        (lambda: problems.siemens_star(size=10), "`size` is 10"),
        (lambda: problems.siemens_star(sectors=7), "`sectors` is 7"),
        (lambda: problems.recorded(np.ones((40, 3)), IMAGE), r"`psf` has shape \(40, 3\)"),
        (lambda: problems.recorded(np.ones(3), IMAGE), r"`psf` has shape \(3,\)"),
        (lambda: problems.recorded(np.ones((3, 3)), IMAGE, sigma=1, bsnr=2), "exactly one of"),
        (lambda: problems.recorded(np.ones((3, 3)), IMAGE, missing=2), "`missing` is 2"),
        (lambda: problems.recorded(np.ones((3, 3)), IMAGE, missing=0.1, mask=IMAGE), "both `missing` and `mask`"),
        (lambda: problems.recorded(np.ones((3, 3)), IMAGE, mask=IMAGE), "`mask` has shape"),
        (lambda: problems.shepp_logan(5), r"`shape` is \(5,\)"),
    ],
)
def test_problems_refuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()
