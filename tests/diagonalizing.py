"""Operators that the FFT or the DCT-II diagonalises, and their matrices by other means."""

import numpy as np
import scipy.fft
from comparing import X64

import convops as co

TOLERANCE = 1e-12 if X64 else 2e-5
RNG = np.random.default_rng(11)
SHAPE = (5, 6)
K = np.array([[1.0, 2.0, -1.0], [0.5, -3.0, 2.0]])
KC = K + 1j * np.array([[0.2, -1.0, 0.3], [1.5, 0.1, 0.7]])
EVEN = np.array([[0.1, 0.5, 0.1], [0.7, 3.0, 0.7], [0.1, 0.5, 0.1]])  # symmetric along both axes, not a product
LONG = np.array([1.0, 2.0, 3.0, 5.0, 8.0, 9.0, 8.0, 5.0, 3.0, 2.0, 1.0])


def close(got, wanted, tolerance=TOLERANCE):
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= tolerance * max(np.abs(wanted).max(), 1)


def dense(A):
    return np.asarray(A.as_matrix(), np.complex128 if np.iscomplexobj(A.as_matrix()) else np.float64)


def by_fft(eigenvalues, axes=(0, 1)):
    """The matrix from NumPy's FFT of the columns of the identity."""
    shape = eigenvalues.shape
    columns = np.eye(eigenvalues.size).reshape(-1, *shape)
    moved = tuple(a + 1 for a in axes)
    found = np.fft.ifftn(eigenvalues * np.fft.fftn(columns, axes=moved), axes=moved)
    return found.reshape(eigenvalues.size, -1).T


def by_dct(eigenvalues, axes=(0, 1)):
    columns = np.eye(eigenvalues.size).reshape(-1, *eigenvalues.shape)
    moved = tuple(a + 1 for a in axes)
    coefficients = eigenvalues * scipy.fft.dctn(columns, axes=moved, norm="ortho")
    parts = [scipy.fft.idctn(p, axes=moved, norm="ortho") for p in (coefficients.real, coefficients.imag)]
    found = parts[0] + 1j * parts[1] if np.iscomplexobj(eigenvalues) else parts[0]
    return found.reshape(eigenvalues.size, -1).T


def periodic(kernel=K, shape=SHAPE, **options):
    return co.diagonalized(co.convolution(kernel, shape, boundary="wrap", **options))


def mirrored(kernel=EVEN, shape=SHAPE, **options):
    return co.diagonalized(co.convolution(kernel, shape, boundary="symmetric", **options))
