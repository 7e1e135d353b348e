"""The sampled PSFs against their formulas in plain NumPy: values, moments, sizes, dtypes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sampling import FLOAT, TOL, near, points, sampled

from convops import psf


def covariance_of(h):
    """Second moments about the centre of mass, after asserting where that lies."""
    r, w = points(h.shape), np.asarray(h, np.float64).ravel()
    mean = w @ r
    return mean, (r - mean).T @ np.diag(w) @ (r - mean)


def rotated(sigma, angle):
    """Covariance in (row, column) of a Gaussian turned counter-clockwise on a display with rows downwards."""
    theta = math.radians(angle)
    to_screen = np.array([[0, 1], [-1, 0]])  # (row, column) -> (x to the right, y upwards)
    turn = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
    m = to_screen.T @ turn @ to_screen
    return m @ np.diag(np.square(sigma)) @ m.T


EVERY = {
    "gaussian": (lambda shape: psf.gaussian(0.8, shape), [(9,), (8,), (7, 10), (3, 4, 5), (4, 4, 3, 5)]),
    "disk": (lambda shape: psf.disk(1.3, shape), [(9,), (8,), (7, 10), (3, 4, 5), (4, 4, 3, 5)]),
    "box": (lambda shape: psf.box(2.6, shape), [(9,), (8,), (7, 10), (3, 4, 5), (4, 4, 3, 5)]),
    "even box": (lambda shape: psf.box(2, shape), [(2,), (3,), (5, 4), (3, 4, 5)]),
    "motion": (lambda shape: psf.motion(4.4, 33.0, shape), [(5, 7), (8, 6), (20, 31)]),
}
CASES = [(name, shape) for name, (_, shapes) in EVERY.items() for shape in shapes]


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_sum_dtype_centre_and_symmetry(name, shape):
    h = EVERY[name][0](shape)
    assert h.shape == shape
    assert h.dtype == FLOAT
    assert np.all(h >= 0)
    assert abs(float(h.sum()) - 1) < TOL
    centre = tuple(n // 2 for n in shape)
    assert h[centre] == h.max()
    if name == "even box":
        return
    inner = np.asarray(h)[tuple(slice(1 - n % 2, None) for n in shape)]  # an even axis has one index more before
    np.testing.assert_allclose(inner, np.flip(inner), rtol=0, atol=TOL)


# ---- gaussian


@pytest.mark.parametrize("shape", [(9,), (6,), (5, 8), (9, 4), (4, 5, 6)])
def test_gaussian_is_its_formula(shape):
    sigma = np.array([0.7, 1.9, 1.2])[: len(shape)]
    expected = sampled(shape, lambda r: math.exp(-np.sum((r / sigma) ** 2) / 2))
    near(psf.gaussian(tuple(sigma), shape), expected)
    near(psf.gaussian(covariance=np.diag(sigma**2), shape=shape), expected)
    near(psf.gaussian(1.1, shape), sampled(shape, lambda r: math.exp(-np.sum(r**2) / 2.42)))


@pytest.mark.parametrize("angle", [0, 20, 45, 90, 135, -30, 270, 400.5])
def test_gaussian_turns_counter_clockwise(angle):
    sigma = (1.1, 2.3)
    inverse = np.linalg.inv(rotated(sigma, angle))
    shape = (8, 11)
    expected = sampled(shape, lambda r: math.exp(-r @ inverse @ r / 2))
    near(psf.gaussian(sigma, shape, angle=angle), expected, 10 * TOL)
    near(psf.gaussian(covariance=rotated(sigma, angle), shape=shape), expected, 10 * TOL)
    h = psf.gaussian(sigma, (9, 9), angle=angle)
    near(psf.gaussian(sigma, (9, 9), angle=angle + 90), np.rot90(h), 10 * TOL)


def test_gaussian_leans_from_lower_left_to_upper_right():
    h = psf.gaussian((0.5, 3.0), (9, 9), angle=45)
    assert h[0, 8] > 100 * h[0, 0]
    assert h[8, 0] > 100 * h[8, 8]


@pytest.mark.parametrize("angle", [0, 30, 75, 160])
def test_gaussian_has_the_covariance(angle):
    mean, second = covariance_of(psf.gaussian((1.5, 3.0), (45, 44), angle=angle))
    np.testing.assert_allclose(mean, 0, atol=1e-5)
    np.testing.assert_allclose(second, rotated((1.5, 3.0), angle), atol=1e-4)


def test_gaussian_in_3d_with_a_covariance():
    c = np.array([[2.0, 0.6, -0.3], [0.6, 1.5, 0.4], [-0.3, 0.4, 3.0]])
    shape = (6, 7, 8)
    inverse = np.linalg.inv(c)
    near(psf.gaussian(None, shape, covariance=c), sampled(shape, lambda r: math.exp(-r @ inverse @ r / 2)))
    h = psf.gaussian(covariance=c)
    assert h.shape == (13, 11, 15)
    mean, second = covariance_of(h)
    np.testing.assert_allclose(mean, 0, atol=1e-6)
    np.testing.assert_allclose(second, c, atol=0.02)


@pytest.mark.parametrize(
    ("sigma", "angle", "expected"),
    [
        (2.0, 0, (17, 17)),
        (2.1, 0, (19, 19)),
        ((1.0, 3.0), 0, (9, 25)),
        ((1.0, 3.0), 90, (25, 9)),
        ((1.0, 3.0), 30, (15, 23)),
        (0.1, 0, (3, 3)),
        ((1.5,), 0, (13,)),
        ((1, 2, 3), 0, (9, 17, 25)),
    ],
)
def test_gaussian_default_shape_holds_four_sigma(sigma, angle, expected):
    h = psf.gaussian(sigma, angle=angle)
    assert h.shape == expected
    if np.size(sigma) == 2:
        reach = 4 * np.sqrt(np.diag(rotated(sigma, angle)))
        assert all(n // 2 >= need - 1e-6 > n // 2 - 1 for n, need in zip(h.shape, reach, strict=True))


@pytest.mark.parametrize("sigma", [1e-20, 0.01, 1e4, 1e30])
def test_gaussian_at_extreme_widths(sigma):
    h = psf.gaussian(sigma, (3, 4))
    expected = np.zeros((3, 4))
    expected[1, 2] = 1
    near(h, expected if sigma < 1 else np.full((3, 4), 1 / 12), 1e-6)
    assert np.isfinite(jax.grad(lambda s: psf.gaussian(s, (3, 4))[1, 1])(sigma))


# ---- disk


@pytest.mark.parametrize(
    ("radius", "shape"), [(2.3, (6,)), (3.0, (7, 8)), (2.5, (7, 9)), (1.7, (5, 7, 6)), (0.2, (3, 2))]
)
def test_disk_is_its_formula(radius, shape):
    expected = sampled(shape, lambda r: min(max(radius + 0.5 - math.sqrt(np.sum(r**2)), 0), 1))
    near(psf.disk(radius, shape), expected)


def test_disk_has_the_area_and_the_spread_of_a_disk():
    h = psf.disk(20.0)
    assert h.shape == (41, 41)
    assert abs(1 / (float(h.max()) * math.pi * 400) - 1) < 2e-3
    _, second = covariance_of(h)
    np.testing.assert_allclose(second, 100 * np.eye(2), atol=0.2)  # radius squared over 4


@pytest.mark.parametrize(("radius", "side"), [(0.5, 1), (0.51, 3), (2.0, 5), (2.5, 5), (2.6, 7), (3, 7)])
def test_disk_default_shape_is_the_smallest(radius, side):
    h = psf.disk(radius)
    assert h.shape == (side, side)
    wider = np.asarray(psf.disk(radius, (side + 2, side + 2)))
    np.testing.assert_allclose(wider[1:-1, 1:-1], h, atol=TOL)
    assert np.sum(wider) - np.sum(wider[1:-1, 1:-1]) < TOL
    assert side == 1 or h[side // 2, 0] > 0


# ---- box


@pytest.mark.parametrize("n", range(1, 8))
def test_box_of_whole_pixels(n):
    near(psf.box(n, n), np.full(n, 1 / n))
    assert psf.box(n).shape == (n, n)
    for size in range(n, n + 4):
        expected = [1 / n if -(n // 2) <= i - size // 2 <= (n - 1) // 2 else 0 for i in range(size)]
        near(psf.box(n, size), expected)
        near(jax.jit(psf.box, static_argnums=1)(n, size), expected)


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0, 2.7, 3.0, 4.5])
def test_box_of_a_real_width(width):
    def covered(r):  # the share of the pixel r - 1/2 .. r + 1/2 between -width/2 and width/2
        return max(min(r[0] + 0.5, width / 2) - max(r[0] - 0.5, -width / 2), 0)

    near(psf.box(width, 7), sampled((7,), covered))
    h = psf.box(width, 8)
    near(h, sampled((8,), covered))
    mean, _ = covariance_of(h)
    np.testing.assert_allclose(mean, 0, atol=1e-6)


def test_box_per_axis_and_default_shape():
    h = psf.box((2, 3.4, 5))
    assert h.shape == (2, 5, 5)
    near(h, np.einsum("i,j,k", np.full(2, 0.5), np.array([0.2, 1, 1, 1, 0.2]) / 3.4, np.full(5, 0.2)))
    near(psf.box(np.array([1, 3])), np.full((1, 3), 1 / 3))
    assert psf.box(3.0).shape == (3, 3)
    assert psf.box(4.0).shape == (5, 5)
    near(psf.box(3, (3, 3, 3)), np.full((3, 3, 3), 1 / 27))


# ---- motion


def distance_to_segment(r, length, angle):
    half = max((length - 1) / 2, 0)
    direction = np.array([-math.sin(math.radians(angle)), math.cos(math.radians(angle))])
    nearest = np.clip(r @ direction, -half, half) * direction
    return np.linalg.norm(r - nearest)


@pytest.mark.parametrize("length", [0.3, 1.0, 2.5, 6.0, 9.0])
@pytest.mark.parametrize("angle", [0, 17, 45, 90, 128, -60])
def test_motion_is_its_formula(length, angle):
    def weight(r):
        q = min(distance_to_segment(r, length, angle) ** 2, 1)
        return 1 - 22 / 9 * q + 17 / 9 * q**2 - 4 / 9 * q**3

    near(psf.motion(length, angle, (12, 11)), sampled((12, 11), weight))


@pytest.mark.parametrize("n", [1, 3, 5, 9, 15])
def test_motion_along_an_axis_is_uniform(n):
    near(psf.motion(n), np.full((1, n), 1 / n))
    near(psf.motion(n, 90), np.full((n, 1), 1 / n))
    for angle in (0, 90, 180, -90, 450):
        h = np.asarray(psf.motion(n, angle, (17, 18)))
        assert np.count_nonzero(h) == n
        line = h[8] if angle % 180 == 0 else h[:, 9]
        assert np.count_nonzero(line) == n


@pytest.mark.parametrize("length", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("angle", [0, 30, 45])
def test_motion_of_one_pixel_is_the_impulse(length, angle):
    expected = np.zeros((4, 5))
    expected[2, 2] = 1
    near(psf.motion(length, angle, (4, 5)), expected)


@pytest.mark.parametrize("angle", [0, 10, 37, 45, 80, 120, 170])
def test_motion_has_direction_and_length(angle):
    length = 21
    mean, second = covariance_of(psf.motion(length, angle, (31, 32)))
    np.testing.assert_allclose(mean, 0, atol=1e-5)
    values, vectors = np.linalg.eigh(second)
    row, column = vectors[:, 1]
    assert abs((math.degrees(math.atan2(-row, column)) - angle + 90) % 180 - 90) < 0.1
    assert abs(math.sqrt(12 * values[1]) / length - 1) < 0.02
    assert values[0] < 0.2


def test_motion_goes_up_to_the_right():
    h = psf.motion(7, 30)
    assert h[0, -1] > 0.03
    assert h[-1, 0] > 0.03
    assert h[0, 0] == h[-1, -1] == 0
    near(psf.motion(7, 120, (9, 9)), np.rot90(psf.motion(7, 30, (9, 9))), 10 * TOL)


@pytest.mark.parametrize("length", [2, 3.5, 6, 9])
@pytest.mark.parametrize("angle", [0, 30, 45, 60, 90, 100])
def test_motion_default_shape_is_the_smallest(length, angle):
    h = np.asarray(psf.motion(length, angle))
    assert all(n % 2 for n in h.shape)
    wider = np.asarray(psf.motion(length, angle, tuple(n + 2 for n in h.shape)))
    np.testing.assert_allclose(wider[1:-1, 1:-1], h, atol=TOL)
    assert h[0].max() > 1e-8 or h.shape[0] == 1
    assert h[:, 0].max() > 1e-8 or h.shape[1] == 1


# ---- dtypes and names


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtype_asked_for(dtype):
    for h in [
        psf.gaussian(2.0, dtype=dtype),
        psf.gaussian(covariance=np.eye(2), dtype=dtype),
        psf.disk(2.0, dtype=dtype),
        psf.box(3, dtype=dtype),
        psf.motion(5, 20, dtype=dtype),
        psf.prepare(np.ones((3, 3)), dtype=dtype),
    ]:
        assert h.dtype == dtype
        assert abs(float(np.asarray(h, np.float64).sum()) - 1) < (2e-2 if dtype == "bfloat16" else 2e-3)


def test_parameters_in_any_number_type():
    for two in (2, 2.0, np.float32(2), np.int64(2), jnp.float32(2), jnp.asarray(2), np.array(2.0)):
        near(psf.gaussian(two), psf.gaussian(2.0))
        near(psf.disk(two), psf.disk(2.0))
        near(psf.motion(two, two), psf.motion(2.0, 2.0))
    near(psf.gaussian(np.array([1, 2]), [7, 9]), psf.gaussian([1.0, 2.0], (7, 9)))
    near(psf.box(np.int64(4)), psf.box(4))
    near(psf.box(jnp.asarray(4), np.int64(5)), psf.box(4, 5))


def test_public_names():
    assert psf.__all__ == ["box", "disk", "gaussian", "motion", "prepare"]
    assert all(callable(getattr(psf, name)) for name in psf.__all__)
