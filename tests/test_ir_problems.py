"""The problems of IR Tools against NumPy written from their definitions, and the rotation against its matrix."""

import numpy as np
import pytest
import scipy.ndimage
from comparing import X64
from degrading import IMAGE, TOL, near

import convops as co
from convops import problems
from convops.problems.ir_psfs import PSFS
from convops.testing import check_operator

NAMES = ("gauss", "defocus", "motion", "speckle", "shake", "rotation")


def test_ir_tools_formulas():
    for level, sigma, radius, length in (("mild", 2, 7, 5), ("medium", 4, 15, 10), ("severe", 6, 31, 50)):
        r = np.arange(-40, 41)
        whole = {
            "gauss": np.exp(-np.add.outer(r**2, r**2) / (2 * sigma**2)),
            "defocus": (np.add.outer(r**2, r**2) <= radius**2) * 1.0,
        }
        for name, kernel in whole.items():
            psf = PSFS[name](level, IMAGE.shape, 0)
            cut = [(n - 81) // 2 for n in psf.shape]
            psf = np.pad(psf, [(max(-c, 0),) * 2 for c in cut])
            inner = tuple(slice(max(c, 0), len(psf) - max(c, 0)) for c in cut)
            np.testing.assert_allclose(psf[inner], kernel / kernel.sum(), atol=1e-7)
        motion = PSFS["motion"](level, IMAGE.shape, 0)
        d = np.linspace(1, 0, length)
        part = np.diag(d) + np.diag(d[:-1] / 2, 1)
        assert motion.shape == (2 * length - 1,) * 2
        np.testing.assert_allclose(motion[length - 1 :, length - 1 :], part / part.sum(), atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_ir_tools_inverse_crime_on_and_off(name):
    size = (20, 27)
    p = problems.ir_tools(name, "mild", IMAGE, shape=size, seed=2)
    truth = IMAGE[29 // 2 - 10 : 29 // 2 + 10, 38 // 2 - 13 : 38 // 2 + 14]
    near(p.truth, truth / truth.max())
    scene = np.zeros((40, 55))  # 20 + 20 rows, 27 + 28 columns; the middles n // 2 fall together
    scene[6:35, 8:46] = IMAGE / truth.max()
    if name == "rotation":
        wide = np.asarray(problems.rotation_blur(scene.shape, 15, boundary="zero") @ scene)
        assert p.psf is None
    else:
        wide = scipy.ndimage.convolve(scene, np.asarray(p.psf, float), mode="constant")
        assert abs(p.psf.sum() - 1) < 1e-5
        assert (p.psf >= 0).all()
    exact = wide[10:30, 14:41]
    draw = np.random.default_rng(2).standard_normal(size)
    noise = 0.01 * np.linalg.norm(exact) * draw / np.linalg.norm(draw)
    near(p.b, exact + noise, 10 * TOL)
    np.testing.assert_allclose(p.noise, np.linalg.norm(noise) / np.sqrt(noise.size), rtol=1e-4)
    crime = problems.ir_tools(name, "mild", IMAGE, shape=size, inverse_crime=True, seed=2)
    np.testing.assert_allclose(
        np.linalg.norm(crime.A @ crime.truth - crime.b), 0.01 * np.linalg.norm(crime.A @ crime.truth), rtol=1e-3
    )
    assert np.linalg.norm(p.A @ p.truth - p.b) > 2 * np.linalg.norm(noise)


def test_ir_tools_scene_has_zeros_around_it():
    """The blur reaches beyond the doubled scene, 27 x 35, which the image fills."""
    p = problems.ir_tools("gauss", "mild", IMAGE, shape=(13, 17), noise_level=0)
    scene = IMAGE[1:28, 2:37] / IMAGE[8:21, 11:28].max()
    wide = scipy.ndimage.convolve(scene, np.asarray(p.psf, float), mode="constant")
    near(p.b, wide[7:20, 9:26])


def test_ir_tools_boundary_is_half_sample_symmetric():
    p = problems.ir_tools("motion", "mild", IMAGE)
    near(p.A @ IMAGE, scipy.ndimage.convolve(IMAGE, np.asarray(p.psf, float), mode="reflect"))
    A = problems.ir_tools("rotation", "mild", IMAGE).A
    near(A @ np.ones(IMAGE.shape), np.ones(IMAGE.shape))


def test_ir_tools_takes_a_psf_and_draws_from_the_seed():
    own = co.psf.gaussian(covariance=[[4.0, 1.0], [1.0, 2.0]])
    near(problems.ir_tools(own, image=IMAGE).psf, own)
    for name in ("speckle", "shake"):
        one, same, other = (problems.ir_tools(name, "medium", IMAGE, seed=s).psf for s in (1, 1, 2))
        assert (one == same).all()
        assert one.shape != other.shape or (one != other).any()


def test_speckle_grows_with_the_turbulence_and_shake_stays_within_reach():
    def spread(psf):
        r = np.indices(psf.shape).reshape(2, -1) - np.array(psf.shape)[:, None] // 2
        return np.sqrt(np.sum(np.asarray(psf).ravel() * np.sum(r**2, axis=0)))

    shape = (128, 140)
    wide = [spread(PSFS["speckle"](level, shape, 0)) for level in ("mild", "medium", "severe")]
    assert wide[0] < wide[1] < wide[2]
    shaken = [np.array(PSFS["shake"](level, shape, 0).shape) for level in ("mild", "medium", "severe")]
    assert (shaken[0] < shaken[2]).all()
    assert (shaken[2] <= 2 * (2 * np.array(shape) / 12.5 + 2) + 1).all()  # a spline may leave its knots


def dense_rotation(shape, degrees, step, boundary):
    """The matrix, pixel by pixel and corner by corner, with NumPy's own extension of each unit image."""
    m, n = shape
    mode = {"symmetric": "symmetric", "zero": "constant", "wrap": "wrap"}[boundary]
    margin = m + n
    where = np.pad(np.arange(m * n).reshape(shape) + 1, margin, mode=mode) - 1
    frames = round(degrees / step) + 1
    matrix = np.zeros((m * n, m * n))
    for k in range(frames):
        c, s = np.cos(np.deg2rad(k * step)), np.sin(np.deg2rad(k * step))
        for p in range(m):
            for q in range(n):
                y, x = p - (m - 1) / 2, q - (n - 1) / 2
                row, column = c * y - s * x + (m - 1) / 2 + margin, s * y + c * x + (n - 1) / 2 + margin
                i, j = int(np.floor(row + 1e-9)), int(np.floor(column + 1e-9))
                for a, b in np.ndindex(2, 2):
                    weight = (1 - abs(row - i - a)) * (1 - abs(column - j - b))
                    if where[i + a, j + b] >= 0:
                        matrix[p * n + q, where[i + a, j + b]] += weight / frames
    return matrix


@pytest.mark.parametrize(
    ("shape", "degrees", "step", "boundary"),
    [((6, 9), 33, 1, "symmetric"), ((7, 4), 100, 12.5, "zero"), ((5, 6), 200, 25, "wrap"), ((3, 3), 0, 1, "zero")],
)
def test_rotation_is_its_matrix(shape, degrees, step, boundary):
    A = problems.rotation_blur(shape, degrees, step=step, boundary=boundary)
    np.testing.assert_allclose(
        A.as_matrix(), dense_rotation(shape, degrees, step, boundary), atol=1e-12 if X64 else 1e-5
    )


@pytest.mark.slow
def test_rotation_passes_the_suite():
    check_operator(problems.rotation_blur((3, 4), 50, step=25))


def test_rotation_turns_clockwise():
    x = np.zeros((5, 5))
    x[0, 2] = 1  # at the top
    turned = 2 * np.asarray(problems.rotation_blur((5, 5), 90, step=90) @ x) - x
    np.testing.assert_allclose(turned, np.rot90(x, -1), atol=1e-5)  # to the right
