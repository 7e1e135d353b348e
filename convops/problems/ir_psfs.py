"""The point-spread functions of IR Tools, on the smallest grids that hold them, centre at index ``n // 2``."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .drawing import generator

LEVELS = ("mild", "medium", "severe")
DEGREES = {"mild": 15, "medium": 45, "severe": 90}


def gauss(level: str, shape: tuple[int, int], seed: Any) -> np.ndarray:
    """exp(-(r / s)^2 / 2) with s = 2, 4, 6 pixels, as far as it exceeds 1e-16 of its peak."""
    del shape, seed
    s = {"mild": 2.0, "medium": 4.0, "severe": 6.0}[level]
    offsets = np.arange(-np.ceil(8.6 * s), np.ceil(8.6 * s) + 1)
    profile = np.exp(-((offsets / s) ** 2) / 2)
    return _unit(np.outer(profile, profile))


def defocus(level: str, shape: tuple[int, int], seed: Any) -> np.ndarray:
    """One where i^2 + j^2 <= R^2, R = 7, 15, 31 pixels."""
    del shape, seed
    radius = {"mild": 7, "medium": 15, "severe": 31}[level]
    squares = np.arange(-radius, radius + 1) ** 2
    return _unit((squares[:, None] + squares <= radius**2).astype(float))


def motion(level: str, shape: tuple[int, int], seed: Any) -> np.ndarray:
    """Fading motion at 45 degrees: diag(d) + diag(d[:-1], 1) / 2 from the centre, d from 1 to 0 in L = 5, 10, 50."""
    del shape, seed
    length = {"mild": 5, "medium": 10, "severe": 50}[level]
    fading = np.linspace(1, 0, length)
    psf = np.zeros((2 * length - 1, 2 * length - 1))
    psf[length - 1 :, length - 1 :] = np.diag(fading) + 0.5 * np.diag(fading[:-1], 1)
    return _unit(psf)


def speckle(level: str, shape: tuple[int, int], seed: Any) -> np.ndarray:
    """A star through a circular pupil and a Kolmogorov phase screen, D / r0 = 10, 30, 70 for D = 3.7 m.

    phi has the power spectrum 0.023 r0^(-5/3) f^(-11/3) and psf = abs(ifft2(P exp(i phi)))^2. As in IR Tools the
    pupil P is half the grid of n pixels wide, 1.28 m (n = 256, 1 cm each), part of the telescope's 3.7 m. Schmidt,
    Numerical Simulation of Optical Wave Propagation (2010), listing 9.2, whose screen is the real part of a complex
    one; here it is real, from filtered white noise of the same power.
    """
    n = min(shape)
    r0 = 3.7 / {"mild": 10, "medium": 30, "severe": 70}[level]
    spacing = 1 / 2.56  # cycles a metre: the grid is 2.56 m wide
    frequency = np.fft.fftfreq(n, 1 / n) * spacing
    squares = frequency[:, None] ** 2 + frequency**2
    squares[0, 0] = np.inf  # no piston
    amplitude = np.sqrt(0.023 * r0 ** (-5 / 3) * squares ** (-11 / 6)) * spacing
    white = np.fft.fft2(generator(seed).standard_normal((n, n))) / n
    phase = np.fft.ifft2(white * amplitude).real * n**2
    middle = np.arange(n) - n // 2
    pupil = middle[:, None] ** 2 + middle**2 <= (n / 4) ** 2
    return _unit(np.fft.fftshift(np.abs(np.fft.ifft2(pupil * np.exp(1j * phase))) ** 2))


def shake(level: str, shape: tuple[int, int], seed: Any) -> np.ndarray:
    """A camera's random path: a spline through 10 knots within n/50, n/25, n/12.5 of the start, in 100 frames.

    Each frame, and one at the start, is a point between four pixels, weighted bilinearly.
    """
    from scipy.interpolate import CubicSpline

    share = {"mild": 50, "medium": 25, "severe": 12.5}[level]
    rng = generator(seed)
    knots = np.zeros((10, 2))
    knots[1:] = rng.uniform(-1, 1, (9, 2)) * np.array(shape) / share
    path = CubicSpline(np.arange(10), knots)(np.linspace(0, 9, 100))  # not-a-knot, as MATLAB's spline
    path = np.concatenate([np.zeros((1, 2)), path])
    half = np.ceil(np.abs(path).max(axis=0)).astype(int) + 1
    psf = np.zeros(2 * half + 1)
    low = np.floor(path).astype(int)
    for corner in np.ndindex(2, 2):
        weights = np.prod(np.where(corner, path - low, 1 - (path - low)), axis=1)
        np.add.at(psf, tuple((low + corner + half).T), weights)
    return _unit(psf)


def _unit(psf: np.ndarray) -> np.ndarray:
    return psf / psf.sum()


PSFS: dict[str, Callable[[str, tuple[int, int], Any], np.ndarray]] = {
    "gauss": gauss,
    "defocus": defocus,
    "motion": motion,
    "speckle": speckle,
    "shake": shake,
}
