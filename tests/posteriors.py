"""Tikhonov problems with their dense matrices, for what is said of the Gaussian posterior."""

import jax
import numpy as np
import oracle

import convops as co

RNG = np.random.default_rng(31)
SHAPE = (7, 6)
WEIGHT, NOISE = 0.2, 0.3
PSF = RNG.random((4, 3)) / 6
TURNED = PSF * np.exp(1j * np.arange(3))
EVEN = np.outer([1, 2, 3, 2, 1], [1, 4, 1]) / 54
PRODUCT = np.outer([0.5, 0.3, 0.1, 0.1], [0.2, 0.5, 0.3])
MASK = RNG.random(SHAPE) > 0.25
KEY = jax.random.key(5)


def differences(shape, wrap, axes=None):
    """The gradient's matrix."""
    blocks = []
    for axis in range(len(shape)) if axes is None else axes:
        eye = np.eye(shape[axis])
        step = np.roll(eye, -1, 0) - eye if wrap else np.vstack([np.diff(eye, axis=0), 0 * eye[:1]])
        blocks.append(oracle.kron([step if a == axis else np.eye(n) for a, n in enumerate(shape)]))
    return np.vstack(blocks)


def valid(A, mask):
    """The matrix of the blur of an unknown scene, by the definition of the valid convolution."""
    used = tuple(n + k - 1 for n, k in zip(SHAPE, PSF.shape, strict=True))
    places = np.arange(np.prod(A.in_shape)).reshape(A.in_shape)[: used[0], : used[1]].ravel()
    M = np.zeros((np.prod(SHAPE), np.prod(A.in_shape)))
    M[:, places] = oracle.convolution_matrix_nd(PSF, used, mode="valid")
    return M * np.ravel(mask)[:, None]


def unseen(mask):
    A = co.unknown_boundary(PSF, SHAPE, mask=mask)
    return A, "gradient", valid(A, mask), differences(A.in_shape, wrap=True)


def blurred(kernel, L, D, **options):
    A = co.convolution(kernel, SHAPE, **options)
    return A, L, oracle.convolution_matrix_nd(kernel, SHAPE, **options), D


def frames():
    parts = [blurred(k, None, None, boundary="wrap") for k in (PSF, PSF[::-1])]
    return co.vstack([p[0] for p in parts]), "gradient", np.vstack([p[2] for p in parts]), differences(SHAPE, True)


EYE = np.eye(np.prod(SHAPE))
HALVES = np.split(differences(SHAPE, False), 2)
CLOSED = {
    "fft": blurred(PSF, "gradient", differences(SHAPE, True), boundary="wrap"),
    "fft, complex": blurred(TURNED, "gradient", differences(SHAPE, True), boundary="wrap"),
    "dct": blurred(EVEN, "gradient", differences(SHAPE, False), boundary="symmetric"),
    "dct, laplacian": blurred(EVEN, "laplacian", -sum(D.T @ D for D in HALVES), boundary="symmetric"),
    "svd": blurred(PRODUCT, None, EYE),
    "svd, valid": blurred(PRODUCT, None, EYE, mode="valid"),
    "svd, full": blurred(PRODUCT, "identity", EYE, mode="full"),
    "frames": frames(),
    "one axis": blurred(PSF[0], "gradient", differences(SHAPE, True, (1,)), boundary="wrap", axes=1),
}
SOLVED = {
    "unknown boundary": unseen(MASK),
    "unknown boundary, weights": unseen(MASK * (0.5 + RNG.random(SHAPE))),
    "reflect": blurred(PSF, "gradient", differences(SHAPE, False), boundary="reflect"),
}
MODELS = CLOSED | SOLVED


def data(name, seed=0):
    A = MODELS[name][0]
    return np.random.default_rng(seed).standard_normal(A.out_shape)


def dense(name, weight=WEIGHT):
    """A, L and the posterior covariance by noise^2, in double precision."""
    _, _, M, D = MODELS[name]
    return M, D, np.linalg.inv(M.conj().T @ M + weight * D.T @ D)


def noisy(A, truth, seed):
    return np.asarray(A @ truth) + NOISE * np.random.default_rng(seed).standard_normal(A.out_shape)


def check_gradient(value, point):
    """Against a central difference along one direction an argument."""
    gradients = jax.jit(jax.grad(value, argnums=range(len(point))))(*point)
    for i, gradient in enumerate(gradients):
        move = np.random.default_rng(i).standard_normal(np.shape(point[i]))
        ends = [value(*(p + s * 1e-5 * move if j == i else p for j, p in enumerate(point))) for s in (1, -1)]
        np.testing.assert_allclose(np.sum(gradient * move), (ends[0] - ends[1]) / 2e-5, rtol=1e-6, err_msg=str(i))
