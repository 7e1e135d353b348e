"""The evidence of a weight, against dense Gaussian densities in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import X64, needs_x64
from posteriors import CLOSED, MODELS, NOISE, PSF, SHAPE, WEIGHT, check_gradient, data, noisy

import convops as co


def density(name, b, weight, noise, mean=None):
    """log N(b; A mean, noise^2 (I + A (L^H L)^+ A^H / weight)) without what A makes of the null space of L."""
    _, _, M, D = MODELS[name]
    values, vectors = np.linalg.eigh(D.T @ D)
    null = values < 1e-9 * values.max()
    rest = b.ravel() - (0 if mean is None else M @ mean.ravel())
    Q = np.eye(b.size)
    if null.any():
        left, sizes, _ = np.linalg.svd(M @ vectors[:, null])
        Q = left[:, np.sum(sizes > 1e-9) :]
    root = M @ (vectors[:, ~null] / np.sqrt(values[~null]))
    C = noise**2 * Q.conj().T @ (np.eye(b.size) + root @ root.conj().T / weight) @ Q
    r = Q.conj().T @ rest
    misfit = np.real(np.vdot(r, np.linalg.solve(C, r)))
    if np.iscomplexobj(r):
        return -np.linalg.slogdet(np.pi * C)[1] - misfit
    return -(np.linalg.slogdet(2 * np.pi * C)[1] + misfit) / 2


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("name", CLOSED)
def test_the_evidence_is_the_dense_density(name, is_complex):
    A, L, _, _ = MODELS[name]
    b = data(name) * (1 + 0.5j if is_complex else 1)
    for weight, noise, mean in ((WEIGHT, NOISE, None), (3e-3, 0.7, np.random.default_rng(1).random(SHAPE))):
        found = co.log_evidence(A, b, L=L, weight=weight, noise=noise, mean=mean)
        wanted = density(name, b, weight, noise, mean)
        assert found.shape == ()
        np.testing.assert_allclose(found, wanted, rtol=1e-10 if X64 else 1e-4)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("fft, complex", "svd, full")]


@pytest.mark.parametrize("name", ["fft", "frames", *SLOW])
def test_the_evidence_is_greatest_at_the_weight_of_reml(name):
    A, L, _, _ = MODELS[name]
    b = noisy(A, np.cumsum(np.cumsum(np.random.default_rng(8).standard_normal(SHAPE), 0), 1) / 3, 9)
    sol = co.tikhonov(A, b, L=L, weight="reml")
    assert not sol.selection.at_edge
    best = float(np.log(sol.weight))

    def profile(u):
        return co.log_evidence(A, b, L=L, weight=jnp.exp(u), noise=None)

    step = 1e-3 if X64 else 0.2
    around = [float(profile(best + s)) for s in (-step, 0, step)]
    assert around[1] >= max(around)
    slope, bend = jax.grad(profile)(best), jax.grad(jax.grad(profile))(best)
    assert bend < 0
    assert abs(slope / bend) <= (1e-6 if X64 else 1e-2)


def test_the_noise_left_out_is_the_one_of_greatest_evidence():
    A, L, _, _ = MODELS["fft"]
    b = data("fft")
    best = co.log_evidence(A, b, L=L, weight=WEIGHT)
    levels = np.linspace(0.2, 3, 4001)
    others = jax.vmap(lambda noise: co.log_evidence(A, b, L=L, weight=WEIGHT, noise=noise))(levels)
    assert abs(float(best - jnp.max(others))) <= 1e-3
    assert co.log_evidence(A, b, L=L, weight=0.0, noise=NOISE) == -np.inf


@needs_x64
def test_derivatives_of_the_evidence():
    @jax.jit
    def value(psf, b, weight, noise):
        A = co.convolution(psf, SHAPE, boundary="wrap")
        return co.log_evidence(A, b, L="gradient", weight=weight, noise=noise)

    check_gradient(value, (PSF, data("fft"), WEIGHT, NOISE))
