"""Photon counts of a small scene, and Richardson-Lucy with matrices."""

import jax
import numpy as np

X64 = jax.config.jax_enable_x64
TOLERANCE = 1e-10 if X64 else 2e-5
SHAPE = (24, 31)
RNG = np.random.default_rng(5)
PSF = RNG.random((5, 3)) + 0.05
PSF /= PSF.sum()
EVEN = RNG.random((4, 6)) + 0.05
EVEN /= EVEN.sum()
SCENE = np.zeros(SHAPE)
SCENE[3:20, 5:20] = 60.0
SCENE[10:14, 22:29] = 200.0
SCENE[0, 30] = 150.0
PLAIN = {"accelerate": False, "stop": None, "rtol": 0.0}


def data(A, background=0.0, seed=0):
    mean = np.asarray(A @ SCENE, float) + background
    return np.random.default_rng(seed).poisson(np.maximum(mean, 0)).astype(float)


def dense(A):
    return np.asarray(A.as_matrix(), float)


def kl(b, mean):
    return float(np.sum(mean - b + np.where(b > 0, b * np.log(np.where(b > 0, b, 1) / mean), 0)))


def plain(M, b, x, steps, background=0.0, kept=1.0):
    """Richardson-Lucy with matrices."""
    sensitivity = M.T @ (kept * np.ones(len(M)))
    for _ in range(steps):
        x = x * (M.T @ (kept * b / (M @ x + background))) / sensitivity
    return x


def error(got, wanted):
    return np.abs(np.ravel(got) - np.ravel(wanted)).max() / np.abs(wanted).max()
