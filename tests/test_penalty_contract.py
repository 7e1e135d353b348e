"""Every penalty keeps the contract, and the suite that says so notices what is wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import convops as co
from convops.testing import check_penalty

SHAPE = (4, 5)
BLUR = co.convolution(np.random.default_rng(5).standard_normal((2, 3)), SHAPE, boundary="reflect")
PERIODIC = co.convolution(np.random.default_rng(6).standard_normal((2, 3)), SHAPE, boundary="wrap")
REAL = {
    "quadratic": co.Quadratic(None, 0.7, mean=0.5),
    "quadratic with an operator": co.Quadratic(BLUR, 0.7, mean=np.linspace(0, 1, 20).reshape(SHAPE)),
    "periodic quadratic": co.Quadratic(PERIODIC, 0.7),
    "quadratic of differences": co.Quadratic("gradient", 0.7),
    "masked quadratic": co.Quadratic(co.mask(np.arange(20).reshape(SHAPE) % 3 > 0), 0.7, mean=2.0),
    "L1": co.L1(0.4),
    "L1 with weights": co.L1(np.linspace(0, 1, 20).reshape(SHAPE)),
    "L1 of wavelets": co.L1(0.4, transform=co.wavelet(SHAPE, axes=0)),
    "L1 with an operator": co.L1(0.3, transform=BLUR),
    "L1 of differences": co.L1(0.3, transform="gradient"),
    "GroupL1": co.GroupL1(0.6),
    "GroupL1 of all": co.GroupL1(0.6, axis=(0, -1)),
    "GroupL1 with weights": co.GroupL1(np.linspace(0, 1, 4), axis=1),
    "GroupL1 of differences": co.GroupL1(0.3, transform="gradient"),
    "TV": co.TotalVariation(0.3),
    "anisotropic TV": co.TotalVariation(0.3, isotropic=False, boundary="wrap"),
    "vector TV": co.TotalVariation(0.3, channel_axis=-1),
    "TV along an axis": co.TotalVariation(np.full(SHAPE, 0.3), axes=-1, boundary="wrap"),
    "Huber": co.Huber(0.6, delta=0.4),
    "grouped Huber": co.Huber(0.6, delta=0.4, axis=1),
    "Huber TV": co.Huber(0.6, delta=0.4, transform="gradient"),
    "Huber with an operator": co.Huber(0.6, delta=0.4, transform=BLUR),
    "hyper-Laplacian": co.HyperLaplacian(0.5),
    "hyper-Laplacian, 1/2": co.HyperLaplacian(0.5, power=0.5),
    "hyper-Laplacian, 0.3": co.HyperLaplacian(0.5, power=0.3),
    "hyper-Laplacian of wavelets": co.HyperLaplacian(0.5, transform=co.wavelet(SHAPE, axes=0)),
    "non-negative": co.NonNegative(),
    "box": co.Box(-0.5, np.linspace(0, 1, 20).reshape(SHAPE)),
    "simplex": co.Simplex(2.0),
    "L1 in a box": co.L1(0.4) + co.Box(-0.5, 1.0),
    "hyper-Laplacian, non-negative": co.HyperLaplacian(0.5) + co.NonNegative() + co.Quadratic(None, 0.3, mean=1.0),
    "Huber twice, quadratic": co.Huber(0.6, delta=0.4)
    + co.Huber(0.2, delta=0.1, transform="gradient")
    + co.Quadratic(),
    "TV, L1, box": co.TotalVariation(0.3) + co.L1(0.2) + co.Box(-1.0, 1.0),
    "TV, simplex": co.TotalVariation(0.3) + co.Simplex(),
    "TV, quadratics": co.TotalVariation(0.3) + co.Quadratic(BLUR, 0.3) + co.Quadratic(None, 0.5, mean=1.0),
    "group, non-negative": co.GroupL1(0.3) + co.NonNegative(),
}
COMPLEX = ["quadratic", "periodic quadratic", "L1", "GroupL1", "TV", "Huber", "Huber TV", "hyper-Laplacian, 0.3"]


QUICK = [
    "periodic quadratic",
    "masked quadratic",
    "L1",
    "GroupL1 with weights",
    "grouped Huber",
    "hyper-Laplacian",
    "box",
    "L1 in a box",
    "TV, L1, box",
]


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in REAL])
def test_contract(name):
    check_penalty(REAL[name], SHAPE)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["TV, L1, box", "hyper-Laplacian", "Huber TV", "simplex", "periodic quadratic"])
def test_contract_of_single_precision(name):
    check_penalty(REAL[name], SHAPE, dtype=jnp.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPLEX)
def test_contract_of_complex_numbers(name):
    check_penalty(REAL[name], SHAPE, dtype=jnp.result_type(jnp.zeros(()), jnp.complex64))


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [co.TGV(0.3), co.TGV(0.3, ratio=1.0, axes=1, boundary="wrap")], ids=repr)
def test_contract_of_tgv(penalty):
    check_penalty(penalty, SHAPE, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [7, (3, 4, 2)])
def test_contract_in_other_dimensions(shape):
    check_penalty(co.TotalVariation(0.3), shape)
    check_penalty(co.Huber(0.3, delta=0.2, transform="gradient"), shape)


# ---------------------------------------------------------------- what the suite notices


class Half(co.L1):
    """An L1 whose prox goes half the way."""

    def _prox(self, x, step):
        return super()._prox(x, step / 2)


class Rough(co.L1):
    """An L1 with a NaN for a derivative at zero."""

    def _value(self, x):
        return self.weight.astype(x.dtype) * jnp.sum(jnp.sqrt(x**2))


class Far(co.Quadratic):
    """A quadratic that states half its curvature."""

    def _bound(self, shape):
        return super()._bound(shape) / 2


class Loud(co.L1):
    """An L1 with twice the weight in its terms."""

    def _terms(self, shape):
        return (2.0 * co.L1(self.weight)).terms(shape)


@pytest.mark.parametrize(
    ("penalty", "text"),
    [
        (Half(0.5), "moving away lowers"),
        (Rough(0.5), "derivative at zero"),
        (Far(None, 0.5), "curvature allows"),
        (Loud(0.5), "sum of the terms"),
    ],
    ids=["prox", "derivative", "curvature", "terms"],
)
def test_the_suite_notices(penalty, text):
    with pytest.raises(AssertionError, match=text):
        check_penalty(penalty, SHAPE)


def test_the_suite_refuses_what_is_no_penalty():
    with pytest.raises(ValueError, match=r"subclass co\.Penalty"):
        check_penalty(jax.nn.relu, SHAPE)
