"""The sampled PSFs against their formulas in plain NumPy: values, moments, gradients, sizes, refusals."""

import itertools
import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convops import psf

X64 = jax.config.jax_enable_x64
FLOAT = np.dtype(np.float64 if X64 else np.float32)
TOL = 1e-13 if X64 else 2e-6


def points(shape):
    """Offsets from the centre n // 2, one row an element."""
    return np.array([[i - n // 2 for i, n in zip(at, shape, strict=True)] for at in np.ndindex(*shape)])


def sampled(shape, weight):
    """The formula `weight` of the offset, one element after the other, sum 1."""
    values = np.array([weight(r) for r in points(shape)]).reshape(shape)
    return values / values.sum()


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


def near(actual, expected, tol=TOL):
    assert isinstance(actual, jax.Array)
    assert actual.dtype == FLOAT
    assert actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tol)


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
    inner = np.asarray(h)[
        tuple(slice(1 - n % 2, None) for n in shape)
    ]  # an even axis has one index more before
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
    ("radius", "shape"), [(2.3, (6,)), (3.0, (7, 8)), (2.5, (7, 9)), (1.7, (5, 4, 6)), (0.2, (3, 2))]
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
    assert h[0, -1] > 0.05
    assert h[-1, 0] > 0.05
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


# ---- gradients, jit, vmap

ANYWHERE = np.random.default_rng(3).standard_normal((4, 9, 10))

SMOOTH = {
    "gaussian sigma": (lambda p: psf.gaussian(p[0], (8, 9)), [1.7]),
    "gaussian sigmas": (lambda p: psf.gaussian(p, (8, 9)), [1.7, 0.6]),
    "gaussian tuple": (lambda p: psf.gaussian((p[0], 2.0), (8, 9)), [1.7]),
    "gaussian angle": (lambda p: psf.gaussian(p[:2], (8, 9), angle=p[2]), [1.7, 0.6, 33.0]),
    "gaussian angle 0": (lambda p: psf.gaussian((1.0, 2.0), (8, 9), angle=p[0]), [0.0]),
    "gaussian angle 45": (lambda p: psf.gaussian((1.0, 2.0), (8, 9), angle=p[0]), [45.0]),
    "gaussian 3-D": (lambda p: psf.gaussian(p, (4, 5, 6)), [0.9, 1.5, 1.1]),
    "covariance": (
        lambda p: psf.gaussian(covariance=[[p[0], p[1]], [p[1], p[2]]], shape=(8, 9)),
        [2.0, 0.7, 1.4],
    ),
    "disk": (lambda p: psf.disk(p[0], (8, 9)), [2.3]),
    "disk 3.0": (lambda p: psf.disk(p[0], (8, 9)), [3.0]),
    "disk 2.5, at a kink": (lambda p: psf.disk(p[0], (8, 9)), [2.5]),
    "ball": (lambda p: psf.disk(p[0], (4, 5, 6)), [1.2]),
    "box": (lambda p: psf.box(p, (8, 9)), [2.3, 4.0]),
    "box 3.0, at a kink": (lambda p: psf.box(p[0], (8, 9)), [3.0]),
    "motion": (lambda p: psf.motion(p[0], p[1], (8, 9)), [5.3, 25.0]),
    "motion along a row": (lambda p: psf.motion(p[0], p[1], (8, 9)), [4.6, 0.0]),
    "motion 5, 90": (lambda p: psf.motion(p[0], p[1], (8, 9)), [5.0, 90.0]),
    "motion 1, 45": (lambda p: psf.motion(p[0], p[1], (8, 9)), [1.0, 45.0]),
}


def probe(make):
    """A scalar with no symmetry, to differentiate."""

    def value(p):
        h = make(p)
        weights = np.resize(ANYWHERE, h.shape)
        return jnp.sum(weights * h) + jnp.sum(jnp.sin(7 * h))

    return value


@pytest.mark.parametrize("name", SMOOTH)
def test_gradient_is_the_central_difference(name):
    make, at = SMOOTH[name]
    value, at = probe(make), np.array(at)
    gradient = np.asarray(jax.grad(value)(jnp.asarray(at, FLOAT)))
    assert np.isfinite(gradient).all()
    step, tol = (1e-5, 1e-5) if X64 else (1e-2, 2e-2)
    for k in range(at.size):
        e = step * np.eye(at.size)[k]
        difference = (float(value(jnp.asarray(at + e))) - float(value(jnp.asarray(at - e)))) / (2 * step)
        assert abs(difference - gradient[k]) <= tol * max(1, abs(difference)), (k, difference, gradient[k])


@pytest.mark.skipif(not X64, reason="second derivatives by differences need 64 bits")
@pytest.mark.parametrize(
    "name", ["gaussian sigmas", "gaussian angle", "covariance", "motion", "gaussian angle 0"]
)
def test_second_derivative(name):
    make, at = SMOOTH[name]
    slope, at = jax.grad(probe(make)), np.array(at)
    hessian = np.asarray(jax.hessian(probe(make))(jnp.asarray(at)))
    for k in range(at.size):
        e = 1e-5 * np.eye(at.size)[k]
        difference = (slope(jnp.asarray(at + e)) - slope(jnp.asarray(at - e))) / 2e-5
        np.testing.assert_allclose(hessian[k], difference, rtol=1e-5, atol=1e-5)


def test_motion_is_continuously_differentiable():
    """The slope itself has no jump, neither along an axis nor at odd lengths nor at length 1."""
    slope = jax.jit(jax.grad(probe(SMOOTH["motion"][0])))
    for length, angle in itertools.product([1.0, 3.0, 5.0, 6.2], [0.0, 45.0, 90.0, 30.0]):
        before = slope(jnp.array([length, angle]) - 1e-3)
        after = slope(jnp.array([length, angle]) + 1e-3)
        np.testing.assert_allclose(before, after, atol=0.05)


@pytest.mark.parametrize("value", [-1.0, 0.0, 1e-30, 1e-3, 0.5, 1.0, 2.0, 2.5, 3.0, 100.0, 1e9])
@pytest.mark.parametrize("shape", [(1, 1), (4, 5), (5, 5)])
def test_traced_values_never_give_nan(value, shape):
    makers = [
        lambda p: psf.gaussian(p, shape),
        lambda p: psf.gaussian((p, 1.0), shape, angle=p),
        lambda p: psf.disk(p, shape),
        lambda p: psf.box(p, shape),
        lambda p: psf.motion(p, 30.0, shape),
        lambda p: psf.motion(3.0, p, shape),
    ]
    for make in makers:
        h, slope = jax.jit(make)(value), jax.jit(jax.jacrev(make))(value)
        assert np.isfinite(h).all()
        assert np.isfinite(slope).all()
        assert abs(float(h.sum()) - 1) < 1e-5


@pytest.mark.parametrize("name", SMOOTH)
def test_jit_and_vmap_are_the_loop(name):
    make, at = SMOOTH[name]
    batch = jnp.asarray(np.array(at) * np.array([[1.0], [1.1], [0.9]]), FLOAT)
    loop = np.stack([make(p) for p in batch])
    np.testing.assert_allclose(jax.vmap(make)(batch), loop, atol=10 * TOL)
    np.testing.assert_allclose(jax.jit(jax.vmap(make))(batch), loop, atol=10 * TOL)
    np.testing.assert_allclose(jax.jit(make)(batch[1]), loop[1], atol=10 * TOL)


def test_one_trace_for_many_values():
    traces = []

    @jax.jit
    def make(length, angle):
        traces.append(None)
        return psf.motion(length, angle, (9, 9))

    for k in range(4):
        make(3.0 + k, 10.0 * k)
    assert len(traces) == 1


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


REFUSED = {
    "sigma 0": (lambda: psf.gaussian(0.0), "`sigma` is 0.0"),
    "sigma negative": (lambda: psf.gaussian((1.0, -2.0)), "`sigma`"),
    "sigma nan": (lambda: psf.gaussian(math.nan), "`sigma` is nan"),
    "sigma inf": (lambda: psf.gaussian(math.inf), "`sigma` is inf"),
    "sigma text": (lambda: psf.gaussian("2"), "`sigma` is '2'"),
    "sigma complex": (lambda: psf.gaussian(1 + 1j), "`sigma`"),
    "sigma true": (lambda: psf.gaussian(True), "`sigma`"),
    "sigma ragged": (lambda: psf.gaussian([1.0, [2.0, 3.0]]), "`sigma`"),
    "sigma empty": (lambda: psf.gaussian([]), "`sigma`"),
    "sigma 2-D": (lambda: psf.gaussian(np.ones((2, 2))), "`sigma` has shape"),
    "sigma axes": (lambda: psf.gaussian((1.0, 2.0), (5, 5, 5)), "`sigma` has 2 numbers and `shape` 3"),
    "sigma axes, int": (lambda: psf.gaussian((1.0, 2.0), 5), "`sigma` has 2"),
    "sigma too wide": (lambda: psf.gaussian(1e9), "`sigma` or `angle` would need a PSF of"),
    "sigma immense": (lambda: psf.gaussian(1e300), "GiB"),
    "sigma traced": (lambda: jax.jit(psf.gaussian)(2.0), "`shape`"),
    "sigma in grad": (lambda: jax.grad(lambda s: psf.gaussian(s).sum())(2.0), "traced"),
    "angle traced": (lambda: jax.jit(lambda a: psf.gaussian((1.0, 2.0), angle=a))(2.0), "traced"),
    "angle in 3-D": (lambda: psf.gaussian(1.0, (3, 3, 3), angle=3.0), "`angle`"),
    "angle nan": (lambda: psf.gaussian(1.0, angle=math.nan), "`angle`"),
    "two widths": (lambda: psf.gaussian(1.0, covariance=np.eye(2)), "either `sigma` or `covariance`"),
    "no width": (lambda: psf.gaussian(), "either `sigma` or `covariance`"),
    "covariance with angle": (lambda: psf.gaussian(covariance=np.eye(2), angle=3), "`angle`"),
    "covariance axes": (lambda: psf.gaussian(covariance=np.eye(2), shape=(3, 3, 3)), "`covariance` is"),
    "covariance 2x3": (lambda: psf.gaussian(covariance=np.ones((2, 3))), "`covariance` is"),
    "covariance skew": (lambda: psf.gaussian(covariance=[[1.0, 0.5], [0.0, 1.0]]), "not symmetric"),
    "covariance indefinite": (lambda: psf.gaussian(covariance=[[1, 2], [2, 1]]), "not positive definite"),
    "covariance singular": (lambda: psf.gaussian(covariance=[[1, 1], [1, 1]]), "not positive definite"),
    "covariance traced": (lambda: jax.jit(lambda c: psf.gaussian(covariance=c))(np.eye(2)), "`shape`"),
    "radius 0": (lambda: psf.disk(0), "`radius` is 0"),
    "radius nan": (lambda: psf.disk(math.nan), "`radius`"),
    "radius many": (lambda: psf.disk((1.0, 2.0)), "`radius` has shape"),
    "radius traced": (lambda: jax.jit(psf.disk)(2.0), "`radius` is traced"),
    "disk cut": (lambda: psf.disk(3.0, (7, 5)), r"`shape` \(7, 5\) would cut.*\(7, 7\)"),
    "disk cut, even": (lambda: psf.disk(3.0, (6, 7)), "would cut"),
    "width 0": (lambda: psf.box(0), "`width` is 0"),
    "width negative": (lambda: psf.box((3, -1.5)), "`width`"),
    "width nan": (lambda: psf.box(math.nan), "`width`"),
    "width none": (lambda: psf.box(()), "`width` has 0"),
    "width axes": (lambda: psf.box((1, 2), (3, 3, 3)), "`width` has 2"),
    "width nested": (lambda: psf.box([[1, 2]]), "`width` has shape"),
    "width immense": (lambda: psf.box(10**9), "GiB"),
    "width traced": (lambda: jax.jit(psf.box)(2.0), "`width` is traced"),
    "box cut": (lambda: psf.box(4, 3), r"would cut.*\(4,\)"),
    "length 0": (lambda: psf.motion(0.0), "`length` is 0"),
    "length nan": (lambda: psf.motion(math.nan), "`length`"),
    "length many": (lambda: psf.motion((3, 4)), "`length` has shape"),
    "motion angle inf": (lambda: psf.motion(3, math.inf), "`angle`"),
    "motion 3-D": (lambda: psf.motion(3, 0, (3, 3, 3)), "`shape`"),
    "motion cut": (lambda: psf.motion(7, 90, (5, 7)), r"would cut.*\(7, 1\)"),
    "motion traced": (lambda: jax.jit(psf.motion)(3.0), "`length` or `angle` is traced"),
    "shape 0": (lambda: psf.gaussian(1.0, (3, 0)), "`shape` is"),
    "shape real": (lambda: psf.disk(1.0, (3.0, 3.0)), "`shape` is"),
    "shape empty": (lambda: psf.box(1, ()), "`shape` is"),
    "shape text": (lambda: psf.motion(3, 0, "ab"), "`shape` is 'ab'"),
    "dtype int": (lambda: psf.gaussian(1.0, dtype=int), "`dtype` is int"),
    "dtype complex": (lambda: psf.box(3, dtype="complex64"), "`dtype` is complex64"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_one_sentence(name):
    call, text = REFUSED[name]
    with pytest.raises(ValueError, match=text) as caught:
        call()
    assert "\n" not in str(caught.value)


# ---- prepare

BLOB = np.zeros((9, 12))
BLOB[1:4, 7:11] = [[0, 1, 2, 0], [1, 5, 9, 2], [0, 2, 3, 1]]  # centre of mass (2.15, 8.73), peak (2, 9)


def placed(values, shape, shift):
    """`values` moved by `shift` into zeros of `shape`."""
    result = np.zeros(shape)
    for at in np.ndindex(*values.shape):
        if values[at]:
            result[tuple(i + s for i, s in zip(at, shift, strict=True))] = values[at]
    return result


def test_prepare_leaves_a_proper_psf_alone():
    for h in [
        psf.gaussian((1.0, 2.0), angle=20),
        psf.gaussian(2.0, (7, 7)),
        psf.gaussian(1.0, (3, 3)),
        psf.gaussian(1.5, (8, 8)),
        psf.gaussian(2.0, 9),
        psf.gaussian((1.0, 1.5, 2.0)),
        psf.disk(3.0),
        psf.box(5),
        psf.box(4),
        psf.box((3, 4, 5)),
        psf.motion(9, 30),
    ]:
        for center in ("mass", "peak", None):
            near(psf.prepare(h, center=center), h)


@pytest.mark.parametrize("center", ["mass", "peak"])
def test_prepare_centres(center):
    peak = {"mass": (2, 9), "peak": (2, 9)}[center]
    expected = placed(BLOB, (9, 12), (4 - peak[0], 6 - peak[1])) / BLOB.sum()
    near(psf.prepare(BLOB, center=center), expected)
    volume = np.stack([0 * BLOB, 0 * BLOB, 0 * BLOB, BLOB])  # centre 3 -> 2
    near(psf.prepare(volume, center=center), np.stack([0 * BLOB, 0 * BLOB, expected, 0 * BLOB]))
    near(psf.prepare(volume[:, 2, 9], center=center), [0, 0, 1, 0])


def test_prepare_centres_on_mass_and_not_on_the_peak():
    lopsided = np.zeros((7, 7))
    lopsided[0, 3], lopsided[3:7, 3] = 3, 2  # mass at row 36/11 = 3.27; peak at row 0
    near(psf.prepare(lopsided, center="mass"), lopsided / 11)
    with pytest.warns(
        UserWarning, match=r"3\.27 pixels after its centre \(index 6\) along axis 0.*center='mass'"
    ):
        h = psf.prepare(lopsided, center="peak")
    near(h, placed(lopsided, (13, 7), (6, 0)) / 11)  # grown, nothing lost


def test_prepare_keeps_half_pixels_and_even_sizes():
    for n in (4, 5, 6):
        two = np.zeros(n)
        two[n // 2 - 1 : n // 2 + 1] = 1
        near(psf.prepare(two), two / 2)
    near(psf.prepare([0, 0, 0, 1, 1.0]), [0, 0.5, 0.5, 0, 0])
    near(psf.prepare([1, 1, 0, 0, 0.0]), [0, 0.5, 0.5, 0, 0] if False else [0, 0, 0.5, 0.5, 0])


def test_prepare_peak_of_a_plateau():
    plateau = np.zeros((9, 9))
    plateau[1:4, 2:7] = 7
    plateau[1, 1] = 1
    near(psf.prepare(plateau, center="peak"), placed(plateau, (9, 9), (2, 0)) / plateau.sum())


@pytest.mark.parametrize(
    ("center", "shift", "expected"),
    [
        (None, (0, 3), "3.00 pixels after its centre .index 4. along axis 1"),
        (None, (-2, 0), "2.00 pixels before"),
    ],
)
def test_prepare_warns_off_centre(center, shift, expected):
    one = np.zeros((9, 9))
    one[4 + shift[0], 4 + shift[1]] = 1
    with pytest.warns(UserWarning, match=expected) as caught:
        h = psf.prepare(one, center=center)
    near(h, one)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_prepare_warns_above_half_a_pixel_only():
    for share, count in [(0.5, 0), (0.49, 0), (0.51, 1)]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            psf.prepare([0, 0, 1 - share, share, 0], center=None)
        assert len(caught) == count


def test_prepare_background():
    noisy = BLOB + 100
    near(psf.prepare(noisy, background=100), psf.prepare(BLOB))
    near(psf.prepare(noisy, background="edge"), psf.prepare(BLOB))
    near(psf.prepare(noisy.astype(np.uint16), background="edge"), psf.prepare(BLOB))
    near(psf.prepare(BLOB - 3, background=-3.0), psf.prepare(BLOB))
    near(psf.prepare([5, 5, 9, 6, 5], background="edge"), [0, 0, 0.8, 0.2, 0])
    near(psf.prepare([-3.0, 0, 4, -1, 0]), [0, 0, 1, 0, 0])


def test_prepare_background_is_the_median_of_the_border():
    stack = np.full((3, 5, 4), 9.0)
    stack[1, 1:4, 1:3] = 40  # all the rest is border
    stack[0, 0, 0] = 1000  # one hot pixel does not move the median
    h = psf.prepare(stack, background="edge", normalize=False, center=None)
    expected = np.where(stack == 40, 31, np.where(stack == 1000, 991, 0))
    with pytest.warns(UserWarning, match="axis"):
        near(psf.prepare(stack, background="edge", normalize=False, center=None), expected)
    near(h, expected)


def test_prepare_warns_of_a_background_left_in():
    rng = np.random.default_rng(0)
    bead = 100 + 3 * rng.standard_normal((21, 21)) + 900 * np.asarray(psf.gaussian(2.0, (21, 21))) / 0.04
    with pytest.warns(UserWarning, match="nearly constant border of .*`background='edge'`"):
        psf.prepare(bead)
    with pytest.warns(UserWarning, match="nearly constant"):
        psf.prepare(np.stack([bead] * 6))
    psf.prepare(bead, background=0)
    psf.prepare(bead - 100)
    h = psf.prepare(bead, background="edge", crop=(11, 11))
    np.testing.assert_allclose(h, psf.gaussian(2.0, (11, 11)), atol=2e-3)


@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.9, 0.99, 1.0])
def test_prepare_crops_to_the_smallest_window(fraction):
    rng = np.random.default_rng(5)
    for shape in [(9,), (7, 10), (4, 5, 6)]:
        values = rng.random(shape) ** 6 * np.asarray(psf.gaussian(2.0, shape))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            h = np.asarray(psf.prepare(values, center=None, crop=fraction, normalize=False))
        padded = np.pad(values, 10)
        held = {}
        for half in itertools.product(range(max(shape)), repeat=len(shape)):
            window = tuple(slice(10 + n // 2 - k, 11 + n // 2 + k) for n, k in zip(shape, half, strict=True))
            held[tuple(2 * k + 1 for k in half)] = padded[window]
        enough = [s for s, w in held.items() if w.sum() >= fraction * values.sum() * (1 - 1e-9)]
        assert h.shape in enough
        assert h.size == min(math.prod(s) for s in enough)
        np.testing.assert_allclose(h, held[h.shape], atol=TOL)


def test_prepare_crops_to_a_shape():
    near(
        psf.prepare(BLOB, crop=(3, 4)),
        placed(BLOB, (3, 4), (-1, -7)) / BLOB.sum() if False else crop_by_hand(),
    )
    near(psf.prepare([1.0, 2, 1], crop=(6,)), [0, 0, 0.25, 0.5, 0.25, 0])
    near(psf.prepare([1.0, 2, 1], crop=(1,), normalize=False), [2])
    near(psf.prepare([0, 0, 0, 1.0, 3, 1], crop=1.0), [0.2, 0.6, 0.2])


def crop_by_hand():
    window = BLOB[1:4, 7:11]  # rows around 2, columns 9 - 2 .. 9 + 1
    return window / window.sum()


def test_prepare_keeps_the_scale():
    near(psf.prepare(2 * BLOB, normalize=False), 2 * BLOB.sum() * np.asarray(psf.prepare(BLOB)), 100 * TOL)


def test_prepare_takes_what_files_hold():
    for dtype in ("uint8", "uint16", "int32", "float16", "float32", ">u2", "bool"):
        near(psf.prepare(np.array([0, 1, 1, 1, 0], dtype)), [0, 1 / 3, 1 / 3, 1 / 3, 0])
    near(psf.prepare(jnp.array([0.0, 1.0, 0.0])), [0, 1, 0])
    near(psf.prepare(np.ma.array([0.0, 1.0, 0.0], mask=False)), [0, 1, 0])
    near(psf.prepare(np.array([0, 1e-300, 0])), [0, 1, 0])


PREPARE_REFUSED = {
    "nan": (lambda: psf.prepare([0.0, math.nan]), "`psf` has 1 NaN"),
    "inf": (lambda: psf.prepare([0.0, math.inf]), "`psf` has 1 NaN, infinite"),
    "masked": (lambda: psf.prepare(np.ma.array([1.0, 2.0], mask=[1, 0])), "masked"),
    "zero": (lambda: psf.prepare(np.zeros((3, 3))), "`psf` is zero everywhere"),
    "negative": (lambda: psf.prepare([-1.0, -2.0]), "no element above"),
    "complex": (lambda: psf.prepare(np.ones(3, complex)), "`psf` is complex"),
    "text": (lambda: psf.prepare(["a", "b"]), "`psf` has shape"),
    "empty": (lambda: psf.prepare(np.zeros((0, 3))), "`psf` has shape"),
    "scalar": (lambda: psf.prepare(3.0), "`psf` has shape"),
    "traced": (lambda: jax.jit(psf.prepare)(np.ones(3)), "`psf` is traced"),
    "all background": (lambda: psf.prepare(np.ones((5, 5)), background="edge"), "above its background"),
    "no border": (lambda: psf.prepare(np.ones((2, 1)), background="edge"), "no border"),
    "background name": (lambda: psf.prepare([1.0], background="auto"), "`background` is 'auto'"),
    "background nan": (lambda: psf.prepare([1.0], background=math.nan), "`background` is nan"),
    "background array": (lambda: psf.prepare([1.0], background=[1.0]), "`background`"),
    "center": (lambda: psf.prepare([1.0], center="middle"), "`center` is 'middle'"),
    "crop 0": (lambda: psf.prepare([1.0], crop=0.0), "`crop` is 0.0"),
    "crop above 1": (lambda: psf.prepare([1.0], crop=1.5), "`crop` is 1.5"),
    "crop int": (lambda: psf.prepare([1.0], crop=1), "`crop` is 1; give a float"),
    "crop axes": (lambda: psf.prepare([1.0], crop=(3, 3)), "`crop` is .*tuple of 1 sizes"),
    "crop of nothing": (lambda: psf.prepare([1.0, 0, 0, 0], center=None, crop=(1,)), "leaves nothing"),
    "dtype": (lambda: psf.prepare([1.0], dtype=int), "`dtype`"),
}


@pytest.mark.parametrize("name", PREPARE_REFUSED)
def test_prepare_refuses(name):
    call, text = PREPARE_REFUSED[name]
    with pytest.raises(ValueError, match=text) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_public_names():
    assert psf.__all__ == ["box", "disk", "gaussian", "motion", "prepare"]
    assert all(callable(getattr(psf, name)) for name in psf.__all__)
