"""`prepare` on small arrays whose answer is known by hand."""

import itertools
import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sampling import TOL, near

from convops import psf

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
    expected = placed(BLOB, (9, 12), (4 - 2, 6 - 9)) / BLOB.sum()
    near(psf.prepare(BLOB, center=center), expected)
    volume = np.stack([0 * BLOB, 0 * BLOB, 0 * BLOB, BLOB])  # centre 3 -> 2
    near(psf.prepare(volume, center=center), np.stack([0 * BLOB, 0 * BLOB, expected, 0 * BLOB]))
    near(psf.prepare(volume[:, 2, 9], center=center), [0, 0, 1, 0])


def test_prepare_centres_on_mass_and_not_on_the_peak():
    lopsided = np.zeros((7, 7))
    lopsided[0, 3], lopsided[3:7, 3] = 3, 2  # mass at row 36/11 = 3.27; peak at row 0
    near(psf.prepare(lopsided, center="mass"), lopsided / 11)
    with pytest.warns(UserWarning, match=r"3\.27 pixels after its centre \(index 6\) along axis 0.*center='mass'"):
        h = psf.prepare(lopsided, center="peak")
    near(h, placed(lopsided, (13, 7), (6, 0)) / 11)  # grown, nothing lost


def test_prepare_keeps_half_pixels_and_even_sizes():
    for n in (4, 5, 6):
        two = np.zeros(n)
        two[n // 2 - 1 : n // 2 + 1] = 1
        near(psf.prepare(two), two / 2)
    near(psf.prepare([0, 0, 0, 1, 1.0]), [0, 0, 0.5, 0.5, 0])  # the nearer of the two
    near(psf.prepare([1, 1, 0, 0, 0.0]), [0, 0.5, 0.5, 0, 0])


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
    expected = np.where(stack == 40, 31, np.where(stack == 1000, 991, 0))
    with pytest.warns(UserWarning, match="axis"):
        near(psf.prepare(stack, background="edge", normalize=False, center=None), expected)


def test_prepare_warns_of_a_background_left_in():
    rng = np.random.default_rng(0)
    bead = 100 + 3 * rng.standard_normal((21, 21)) + 900 * np.asarray(psf.gaussian(2.0, (21, 21))) / 0.04
    with pytest.warns(UserWarning, match="nearly constant border of .*`background='edge'`"):
        psf.prepare(bead)
    with pytest.warns(UserWarning, match="nearly constant"):
        psf.prepare(100 + 9000 * np.asarray(psf.gaussian(1.0, (8, 9, 10))))
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
    window = BLOB[1:4, 7:11]  # rows around 2, columns 9 - 2 to 9 + 1
    near(psf.prepare(BLOB, crop=(3, 4)), window / window.sum())
    near(psf.prepare([1.0, 2, 1], crop=(6,)), [0, 0, 0.25, 0.5, 0.25, 0])
    near(psf.prepare([1.0, 2, 1], crop=(1,), normalize=False), [2])
    near(psf.prepare([0, 0, 0, 1.0, 3, 1], crop=1.0), [0.2, 0.6, 0.2])


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


@pytest.mark.parametrize("middle", [(9.5, 8.5), (10.3, 9.1), (7.8, 8.1), (10.0, 9.0)])
def test_prepare_moves_by_fractions(middle):
    rows, columns = np.indices((20, 19))
    blob = np.exp(-((rows - middle[0]) ** 2 + (columns - middle[1]) ** 2) / 4)
    h = np.asarray(psf.prepare(blob, center="subpixel"), float)
    away = [np.arange(n) @ h.sum(1 - axis) - n // 2 for axis, n in enumerate(h.shape)]
    np.testing.assert_allclose(away, 0, atol=0.02)
    rows, columns = (i - n // 2 for i, n in zip(np.indices(h.shape), h.shape, strict=True))
    ideal = np.exp(-(rows**2 + columns**2) / 4)
    np.testing.assert_allclose(h / h.max(), ideal, atol=0.05)


def test_prepare_by_fractions_leaves_a_centred_psf_alone():
    for h in [psf.gaussian(1.5, (12, 9)), psf.gaussian((1.0, 2.0), angle=20), psf.disk(3.0), psf.box(5)]:
        near(psf.prepare(h, center="subpixel"), h)
