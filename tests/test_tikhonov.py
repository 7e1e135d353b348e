"""Tikhonov regularisation against dense solutions, its derivatives and batches."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import X64
from solving import PSF, RNG, SCENE, SHAPE, WEIGHT, dense, problem, relative

import convops as co
from convops.solvers.solution import STATUS


def periodic(psf):
    return co.convolution(psf, (6, 5), boundary="wrap")


CASES = list(
    itertools.product(
        ["identity", "gradient", "laplacian"], [False, True], ["wrap", "symmetric", "zero", "antireflect"]
    )
)


@pytest.mark.parametrize(
    ("regulariser", "complex_kernel", "boundary"),
    [pytest.param(*case, marks=[] if i % 5 < 3 else pytest.mark.slow) for i, case in enumerate(CASES)],
)
def test_tikhonov_equals_the_dense_solution(boundary, complex_kernel, regulariser):
    A, b = problem(boundary, complex_kernel)
    edge = "wrap" if boundary == "wrap" else "symmetric"
    L = {"identity": None, "gradient": co.gradient(SHAPE, edge), "laplacian": co.laplacian(SHAPE, edge)}[regulariser]
    sol = co.tikhonov(A, b, L=L, weight=WEIGHT)
    wanted = dense(A, b, L or co.identity(SHAPE), WEIGHT)
    closed = boundary == "wrap"
    assert relative(sol.x, wanted) < ((1e-12 if closed else 1e-11) if X64 else 1e-5 if closed else 1e-4)
    assert bool(sol.converged)
    assert (int(sol.num_steps) == 0) == closed
    assert relative(sol.residual_norm, np.linalg.norm(np.asarray(A @ sol.x) - b)) < 1e-4
    rough = 0 if L is None else np.linalg.norm(L @ sol.x) ** 2
    rough = np.linalg.norm(sol.x) ** 2 if L is None else rough
    assert relative(sol.objective, 0.5 * float(sol.residual_norm) ** 2 + 0.5 * WEIGHT * rough) < 1e-4


@pytest.mark.parametrize("boundary", ["wrap", "symmetric"])
def test_powers_of_the_laplacian(boundary):
    """A fractional L shares the transform."""
    psf = PSF if boundary == "wrap" else np.outer([1, 3, 1.0], [2, 5, 2.0]) / 45
    A = co.convolution(psf, SHAPE, boundary=boundary)
    b = np.random.default_rng(1).standard_normal(SHAPE)
    values, vectors = np.linalg.eigh(-np.asarray(co.laplacian(SHAPE, boundary).as_matrix(), np.float64))
    squared = vectors @ np.diag(np.maximum(values, 0) ** 1.4) @ vectors.T
    M = np.asarray(A.as_matrix(), np.float64)
    wanted = np.linalg.solve(M.T @ M + WEIGHT * squared, M.T @ b.ravel())
    L = co.diagonalized(-co.laplacian(SHAPE, boundary)).power(0.7)
    sol = co.tikhonov(A, b, L=L, weight=WEIGHT)
    assert int(sol.num_steps) == 0
    assert relative(sol.x, wanted) < (1e-11 if X64 else 1e-5)
    assert np.isfinite(float(co.tikhonov(A, b, L=L).weight))


@pytest.mark.parametrize(
    ("name", "A", "L"),
    [
        ("some axes", co.convolution(PSF[:, 0], (6, 5), axes=0, boundary="wrap"), co.gradient((6, 5), "wrap")),
        ("odd axes order", co.convolution(PSF, (5, 4, 6), axes=(2, 0), boundary="wrap"), None),
        (
            "product",
            co.convolution(PSF, (6, 5), boundary="wrap") @ co.convolution(PSF.T, (6, 5), boundary="wrap").H,
            None,
        ),
        ("sum", periodic(PSF) + 0.3 * co.identity((6, 5)), co.laplacian((6, 5), "wrap")),
        ("adjoint", periodic(PSF).H, co.gradient((6, 5), ("wrap", "wrap"))),
        ("one axis", co.convolution(PSF[0], 7, boundary="wrap", dilation=3), None),
        ("mixed", co.convolution(PSF, (6, 5), boundary=("wrap", "edge")), co.gradient((6, 5))),
        ("full", co.convolution(PSF, (6, 5), mode="full"), co.gradient((6, 5))),
        ("masked", co.mask(RNG.random((6, 5)) > 0.3) @ periodic(PSF), None),
    ],
)
def test_tikhonov_of_other_operators(name, A, L):
    b = np.random.default_rng(1).standard_normal(A.out_shape)
    sol = co.tikhonov(A, b, L=L, weight=WEIGHT)
    assert relative(sol.x, dense(A, b, L or co.identity(A.in_shape), WEIGHT)) < (1e-11 if X64 else 1e-4), name
    assert (int(sol.num_steps) == 0) == (name not in ("mixed", "full", "masked"))


@pytest.mark.parametrize("boundary", ["wrap", pytest.param("symmetric", marks=pytest.mark.slow)])
def test_tikhonov_differentiates(boundary):
    """In kernel, data and weight: reverse against central differences, forward against reverse, and twice."""
    _, b = problem(boundary)
    edge = "wrap" if boundary == "wrap" else "symmetric"

    @jax.jit
    def loss(psf, b, weight):
        A = co.convolution(psf, SHAPE, boundary=boundary)
        return jnp.sum((co.tikhonov(A, b, L=co.gradient(SHAPE, edge), weight=weight).x - SCENE) ** 2)

    args = [jnp.asarray(PSF), jnp.asarray(b), jnp.asarray(WEIGHT)]
    slopes = jax.jit(jax.grad(loss, (0, 1, 2)))(*args)
    for i, arg in enumerate(args):
        direction = jnp.asarray(np.random.default_rng(i).standard_normal(arg.shape), arg.dtype)

        def moved(s, i=i, direction=direction):
            return loss(*(a + s * direction if j == i else a for j, a in enumerate(args)))

        found = float(jnp.sum(slopes[i] * direction))
        h = 1e-5 if X64 else 3e-3 * float(jnp.max(jnp.abs(arg)))
        differences = (float(moved(h)) - float(moved(-h))) / (2 * h)
        assert abs(differences - found) <= (1e-6 if X64 else 5e-2) * abs(found), i
        forward = jax.jvp(moved, (jnp.zeros(()),), (jnp.ones(()),))[1]
        np.testing.assert_allclose(forward, found, rtol=1e-8 if X64 else 1e-3)
    second = jax.grad(jax.grad(loss, 2), 2)(*args)
    first = jax.jit(jax.grad(loss, 2))
    h = 1e-5 if X64 else 3e-3
    ahead, behind = (float(first(args[0], args[1], args[2] * (1 + s * h))) for s in (1, -1))
    np.testing.assert_allclose(second, (ahead - behind) / (2 * h * WEIGHT), rtol=1e-6 if X64 else 5e-2)


def test_tikhonov_maps_over_images_kernels_and_weights():
    kernels = np.stack([PSF, PSF[::-1], PSF[:, ::-1]])
    _, b = problem("symmetric")
    data, weights = np.stack([b, 2 * b, b**2]), np.array([1e-1, 1e-2, 3e-2])

    def solve(psf, b, weight):
        return co.tikhonov(co.convolution(psf, SHAPE, boundary="edge"), b, weight=weight)

    batch = jax.jit(jax.vmap(solve))(kernels, data, weights)
    assert batch.x.shape == (3, *SHAPE)
    assert batch.status.tolist() == [STATUS[1]] * 3
    for i in range(3):
        one = solve(kernels[i], data[i], weights[i])
        np.testing.assert_allclose(batch.x[i], one.x, atol=1e-11 if X64 else 2e-5)


def test_a_solver_traces_once():
    traces = []

    @jax.jit
    def solve(A, b, weight):
        traces.append(1)
        return co.tikhonov(A, b, weight=weight).x

    _, b = problem("zero")
    for psf, weight in ((PSF, 1e-2), (PSF[::-1], 1e-1), (PSF**2, 3.0)):
        solve(co.convolution(psf, SHAPE), b, weight)
    assert len(traces) == 1


@pytest.mark.parametrize("boundary", ["wrap", "symmetric"])
def test_tikhonov_keeps_single_precision(boundary):
    """Regularisers without arrays of their own do not widen single-precision data, whatever the default float is."""
    psf, b = jnp.asarray(np.outer([1, 2, 1], [1, 3]), jnp.float32) / 16, jnp.ones((6, 7), jnp.float32)
    A = co.convolution(psf, b.shape, boundary=boundary)
    assert co.tikhonov(A, b, L=co.gradient(b.shape, boundary), weight=1e-2).x.dtype == jnp.float32


def test_traced_weights_that_are_none_do_not_converge():
    A = co.convolution([0.25, 0.5, 0.25], 12, boundary="wrap")
    b = A @ np.arange(12.0)
    solve = jax.jit(lambda weight: co.tikhonov(A, b, weight=weight))
    assert bool(solve(0.1).converged)
    for weight, told in ((np.nan, "not finite"), (np.inf, "not finite"), (-0.1, "not positive definite")):
        sol = solve(weight)
        assert not bool(sol.converged)
        assert told in sol.status
        assert np.isfinite(sol.x).all()
