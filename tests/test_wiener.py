"""The Wiener filter against the Gaussian posterior mean with dense covariances."""

import jax
import numpy as np
import pytest
from comparing import X64

import convops as co

RNG = np.random.default_rng(21)
SHAPE = (9, 8)
PSF = RNG.random((4, 3)) / 6
EVEN = np.outer([1, 2, 3, 2, 1], [1, 4, 1]) / 54
MEAN = RNG.standard_normal(SHAPE)


def covariance(power, transform):
    """T^-1 diag(power) T from the definitions of the transforms."""
    sides = []
    for n in SHAPE:
        k, i = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
        if transform == "fft":
            sides.append(np.exp(-2j * np.pi * k * i / n) / np.sqrt(n))
        else:
            sides.append(np.cos(np.pi * k * (2 * i + 1) / (2 * n)) * np.sqrt(np.where(k == 0, 1, 2) / n))
    T = np.kron(*sides)
    return T.conj().T @ (np.broadcast_to(power, SHAPE).ravel()[:, None] * T)


def even_power(shape):
    """A power spectrum of real signals: the same at opposite frequencies."""
    frequencies = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1]))
    return 1 / (0.1 + frequencies) ** 2


MODELS = {
    "fft": (co.convolution(PSF, SHAPE, boundary="wrap"), "fft", even_power(SHAPE)),
    "complex": (co.convolution(PSF * np.exp(1j * np.arange(3)), SHAPE, boundary="wrap"), "fft", RNG.random(SHAPE)),
    "dct": (co.convolution(EVEN, SHAPE, boundary="symmetric"), "dct", RNG.random(SHAPE)),
    "number": (co.convolution(PSF, SHAPE, boundary="wrap"), "fft", 3.0),
    "a row": (co.convolution(EVEN, SHAPE, boundary="symmetric"), "dct", RNG.random(SHAPE[1])),
}


@pytest.mark.parametrize("mean", [0.0, MEAN])
@pytest.mark.parametrize("name", MODELS)
def test_it_is_the_posterior_mean(name, mean):
    A, transform, power = MODELS[name]
    noise = 0.01 if transform == "fft" else 0.01 + 0.1 * np.random.default_rng(23).random(SHAPE)
    b = np.random.default_rng(22).standard_normal(SHAPE)
    M = np.asarray(A.as_matrix())
    M = M.astype(np.result_type(M, np.float64))
    S, N = covariance(power, transform), covariance(noise, transform)
    centre = np.broadcast_to(mean, SHAPE).ravel()
    wanted = centre + S @ M.conj().T @ np.linalg.solve(M @ S @ M.conj().T + N, b.ravel() - M @ centre)
    sol = co.wiener(A, b, noise_power=noise, signal_power=power, mean=mean)
    error = np.linalg.norm(np.ravel(sol.x) - wanted) / np.linalg.norm(wanted)
    assert error <= (1e-11 if X64 else 1e-4)
    again = jax.jit(lambda b: co.wiener(A, b.reshape(-1), noise_power=noise, signal_power=power, mean=mean).x)(b)
    np.testing.assert_allclose(again, np.ravel(sol.x), atol=1e-10 if X64 else 1e-4)


def test_it_is_tikhonov_where_the_spectra_are_flat():
    A = MODELS["fft"][0]
    b = np.random.default_rng(22).standard_normal(SHAPE)
    sol = co.wiener(A, b, noise_power=0.3, signal_power=2.0)
    np.testing.assert_allclose(sol.x, co.tikhonov(A, b, weight=0.15).x, atol=1e-12 if X64 else 1e-5)
    silent = co.wiener(A, b, noise_power=0.0, signal_power=0.0, mean=1.5)
    np.testing.assert_allclose(silent.x, 1.5)


REFUSED = [
    ({"noise_power": 1.0, "signal_power": 1.0, "mean": 1j * MEAN}, "`mean` is complex"),
    ({"noise_power": 1.0, "signal_power": 1.0, "mean": np.ones(3)}, "`mean` has shape"),
    ({"noise_power": 1.0, "signal_power": -1.0}, "`signal_power` must be"),
    ({"noise_power": np.ones(3), "signal_power": 1.0}, "`noise_power` has shape"),
    ({"noise_power": np.nan, "signal_power": 1.0}, "`noise_power` must be"),
]


@pytest.mark.parametrize(("powers", "message"), REFUSED)
def test_refusals(powers, message):
    with pytest.raises(ValueError, match=message):
        co.wiener(MODELS["fft"][0], np.ones(SHAPE), **powers)
    with pytest.raises(ValueError, match="no transform"):
        co.wiener(co.convolution(PSF, SHAPE), np.ones(SHAPE), noise_power=1.0, signal_power=1.0)
