"""Derivatives of the PSFs in their parameters against central differences; jit and vmap."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sampling import FLOAT, TOL, X64

from convops import psf

ANYWHERE = np.random.default_rng(3).standard_normal((4, 9, 10))

SMOOTH = {
    "gaussian sigma": (lambda p: psf.gaussian(p[0], (8, 9)), [1.7]),
    "gaussian sigmas": (lambda p: psf.gaussian(p, (8, 9)), [1.7, 0.6]),
    "gaussian tuple": (lambda p: psf.gaussian((p[0], 2.0), (8, 9)), [1.7]),
    "gaussian angle": (lambda p: psf.gaussian(p[:2], (8, 9), angle=p[2]), [1.7, 0.6, 33.0]),
    "gaussian angle 0": (lambda p: psf.gaussian((1.0, 2.0), (8, 9), angle=p[0]), [0.0]),
    "gaussian angle 45": (lambda p: psf.gaussian((1.0, 2.0), (8, 9), angle=p[0]), [45.0]),
    "gaussian 3-D": (lambda p: psf.gaussian(p, (4, 5, 6)), [0.9, 1.5, 1.1]),
    "covariance": (
        lambda p: psf.gaussian(covariance=[[p[0], p[1]], [p[1], p[2]]], shape=(8, 9)),
        [2.0, 0.7, 1.4],
    ),
    "disk": (lambda p: psf.disk(p[0], (8, 9)), [2.3]),
    "disk 3.0": (lambda p: psf.disk(p[0], (8, 9)), [3.0]),
    "disk 2.5, at a kink": (lambda p: psf.disk(p[0], (8, 9)), [2.5]),
    "ball": (lambda p: psf.disk(p[0], (4, 5, 6)), [1.2]),
    "box": (lambda p: psf.box(p, (8, 9)), [2.3, 4.0]),
    "box 3.0, at a kink": (lambda p: psf.box(p[0], (8, 9)), [3.0]),
    "motion": (lambda p: psf.motion(p[0], p[1], (8, 9)), [5.3, 25.0]),
    "motion along a row": (lambda p: psf.motion(p[0], p[1], (8, 9)), [4.6, 0.0]),
    "motion 5, 90": (lambda p: psf.motion(p[0], p[1], (8, 9)), [5.0, 90.0]),
    "motion 1, 45": (lambda p: psf.motion(p[0], p[1], (8, 9)), [1.0, 45.0]),
}


def probe(make):
    """A scalar with no symmetry, to differentiate."""

    def value(p):
        h = make(p)
        weights = np.resize(ANYWHERE, h.shape)
        return jnp.sum(weights * h) + jnp.sum(jnp.sin(7 * h))

    return value


@pytest.mark.parametrize("name", SMOOTH)
def test_gradient_is_the_central_difference(name):
    make, at = SMOOTH[name]
    value, at = jax.jit(probe(make)), np.array(at)
    gradient = np.asarray(jax.grad(value)(jnp.asarray(at, FLOAT)))
    assert np.isfinite(gradient).all()
    step, tol = (1e-5, 1e-5) if X64 else (1e-2, 2e-2)
    for k in range(at.size):
        e = step * np.eye(at.size)[k]
        difference = (float(value(jnp.asarray(at + e))) - float(value(jnp.asarray(at - e)))) / (2 * step)
        assert abs(difference - gradient[k]) <= tol * max(1, abs(difference)), (k, difference, gradient[k])


@pytest.mark.skipif(not X64, reason="second derivatives by differences need 64 bits")
@pytest.mark.parametrize("name", ["gaussian sigmas", "gaussian angle", "covariance", "motion", "gaussian angle 0"])
def test_second_derivative(name):
    make, at = SMOOTH[name]
    slope, at = jax.jit(jax.grad(probe(make))), np.array(at)
    hessian = np.asarray(jax.jit(jax.hessian(probe(make)))(jnp.asarray(at)))
    for k in range(at.size):
        e = 1e-5 * np.eye(at.size)[k]
        difference = (slope(jnp.asarray(at + e)) - slope(jnp.asarray(at - e))) / 2e-5
        np.testing.assert_allclose(hessian[k], difference, rtol=1e-5, atol=1e-5)


def test_motion_is_continuously_differentiable():
    """The slope itself has no jump, neither along an axis nor at odd lengths nor at length 1."""
    slope = jax.jit(jax.grad(probe(SMOOTH["motion"][0])))
    for length, angle in itertools.product([1.0, 3.0, 5.0, 6.2], [0.0, 45.0, 90.0, 30.0]):
        before = slope(jnp.array([length, angle]) - 1e-3)
        after = slope(jnp.array([length, angle]) + 1e-3)
        np.testing.assert_allclose(before, after, atol=0.05)


NEVER_NAN = {
    "gaussian": lambda p, shape: psf.gaussian(p, shape),
    "gaussian turned": lambda p, shape: psf.gaussian((p, 1.0), shape, angle=p),
    "disk": lambda p, shape: psf.disk(p, shape),
    "box": lambda p, shape: psf.box(p, shape),
    "motion length": lambda p, shape: psf.motion(p, 30.0, shape),
    "motion angle": lambda p, shape: psf.motion(3.0, p, shape),
}


@pytest.mark.parametrize("name", NEVER_NAN)
@pytest.mark.parametrize("shape", [(1, 1), (4, 5)])
def test_traced_values_never_give_nan(name, shape):
    def probed(p):
        h = NEVER_NAN[name](p, shape)
        return h, h

    values = jnp.array([-1.0, 0.0, 1e-30, 1e-3, 0.5, 1.0, 2.0, 2.5, 3.0, 100.0, 1e9])
    slope, h = jax.jit(jax.vmap(jax.jacrev(probed, has_aux=True)))(values)
    assert np.isfinite(h).all()
    assert np.isfinite(slope).all()
    np.testing.assert_allclose(h.sum((1, 2)), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["gaussian angle", "gaussian 3-D", "covariance", "disk", "box", "motion"])
def test_jit_and_vmap_are_the_loop(name):
    make, at = SMOOTH[name]
    batch = jnp.asarray(np.array(at) * np.array([[1.0], [1.1], [0.9]]), FLOAT)
    loop = np.stack([make(p) for p in batch])
    np.testing.assert_allclose(jax.jit(jax.vmap(make))(batch), loop, atol=10 * TOL)
    np.testing.assert_allclose(jax.jit(make)(batch[1]), loop[1], atol=10 * TOL)


def test_one_trace_for_many_values():
    traces = []

    @jax.jit
    def make(length, angle):
        traces.append(None)
        return psf.motion(length, angle, (9, 9))

    for k in range(4):
        make(3.0 + k, 10.0 * k)
    assert len(traces) == 1
