"""A small deblurring problem, and its dense solutions in NumPy."""

import numpy as np

import convops as co

RNG = np.random.default_rng(3)
SHAPE = (9, 8)
PSF = RNG.random((4, 3)) + 0.1
PSF /= PSF.sum()
SCENE = RNG.random(SHAPE)
WEIGHT = 3e-2


def relative(got, wanted):
    return np.linalg.norm(np.ravel(got) - np.ravel(wanted)) / np.linalg.norm(np.ravel(wanted))


def problem(boundary, complex_kernel=False):
    psf = PSF * np.exp(1j * np.arange(12).reshape(4, 3)) if complex_kernel else PSF
    A = co.convolution(psf, SHAPE, boundary=boundary)
    b = np.asarray(A @ SCENE) + 0.01 * np.random.default_rng(0).standard_normal(SHAPE)
    return A, b


def dense(A, b, L, weight):
    M, D = np.asarray(A.as_matrix()), np.asarray(L.as_matrix())
    N = M.conj().T @ M + weight * D.conj().T @ D
    return np.linalg.solve(N.astype(np.result_type(N, np.float64)), M.conj().T @ b.ravel()).reshape(A.in_shape)
