"""What the PSFs refuse, with one sentence that names the argument."""

import math

import jax
import numpy as np
import pytest

from convops import psf

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
