"""Derivatives of every engine in the kernel and the signal, against the dense matrices of the oracle."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from comparing import DTYPE, assert_same, needs_x64
from kernels import RTOL, kernel_of

import convops as co

CONTRACTED = [(co_kernel, mode) for co_kernel in ((3, 2), (4, 5)) for mode in ("same", "full")]


@needs_x64
@pytest.mark.parametrize(("size", "mode"), CONTRACTED)
@pytest.mark.parametrize("method", ["stencil", "fourier", "xla"])
def test_derivatives_in_kernel_and_signal(method, size, mode):
    """Reverse mode, forward mode and the mixed second derivative against the matrices."""
    k, x = kernel_of(size), kernel_of((6, 7), seed=1)

    def product(k, x):
        return co.convolution(k, x.shape, mode=mode, method=method)._matvec(x)

    matrix = oracle.convolution_matrix_nd(k, x.shape, mode=mode)
    columns = oracle.kernel_operator_matrix(x, k.shape, mode=mode)
    y = kernel_of(product(k, x).shape, seed=2)
    value, pull = jax.vjp(product, k, x)
    assert_same(value.ravel(), matrix @ x.ravel(), "any", rtol=RTOL)
    dk, dx = pull(jnp.asarray(y))
    assert_same(dk.ravel(), columns.T @ y.ravel(), "any", rtol=RTOL)
    assert_same(dx.ravel(), matrix.T @ y.ravel(), "any", rtol=RTOL)
    u, v = kernel_of(size, seed=3), kernel_of((6, 7), seed=4)
    tangent = jax.jvp(product, (k, x), (u, v))[1]
    assert_same(tangent.ravel(), matrix @ v.ravel() + columns @ u.ravel(), "any", rtol=RTOL)
    mixed = jax.grad(lambda x: jnp.vdot(jax.grad(lambda k: jnp.sum(product(k, x) * y))(k), u))(x)
    other = oracle.convolution_matrix_nd(u, x.shape, mode=mode)
    assert_same(mixed.ravel(), other.T @ y.ravel(), "any", rtol=RTOL)


@pytest.mark.parametrize("side", ["kernel", "signal"])
def test_derivatives_where_only_one_is_complex(side):
    k, x = kernel_of((2, 3), side == "kernel"), kernel_of((6, 7), side == "signal", seed=1)
    y, pull = jax.vjp(lambda k, x: co.convolution(k, x.shape, method="stencil")._matvec(x), k, x)
    matrix, columns = oracle.convolution_matrix_nd(k, x.shape), oracle.kernel_operator_matrix(x, k.shape)
    assert_same(y.ravel(), matrix @ x.ravel(), "any", rtol=RTOL)
    c = kernel_of(y.shape, True, seed=2)
    both = columns.T @ c.ravel(), matrix.T @ c.ravel()
    for found, wanted, like in zip(pull(jnp.asarray(c)), both, (k, x), strict=True):
        assert_same(found.ravel(), wanted if np.iscomplexobj(like) else wanted.real, "any", rtol=RTOL)


@needs_x64
def test_derivatives_and_batches_commute():
    """vmap of grad and grad of vmap, over kernels, signals and both, for the stencil's own operations."""
    kernels, signals = kernel_of((3, 2, 4)), kernel_of((3, 5, 6), seed=1)

    def value(k, x):
        return jnp.sum(jnp.sin(co.convolution(k, x.shape, boundary="reflect", method="stencil")._matvec(x)))

    for axes in ((0, 0), (None, 0), (0, None)):
        args = [a if axis == 0 else a[0] for a, axis in zip((kernels, signals), axes, strict=True)]
        mapped = jax.vmap(jax.grad(value, (0, 1)), axes)(*args)
        total = jax.grad(lambda k, x, axes=axes: jnp.sum(jax.vmap(value, axes)(k, x)), (0, 1))(*args)
        for side in (0, 1):
            each = [
                jax.grad(value, side)(*(a[i] if s == 0 else a for a, s in zip(args, axes, strict=True)))
                for i in range(3)
            ]
            assert_same(mapped[side], np.stack(each), "any", rtol=RTOL)
            assert_same(total[side], np.stack(each) if axes[side] == 0 else np.sum(each, 0), "any", rtol=RTOL)


def test_the_kernel_gradient_of_a_sparse_stencil_is_zero_where_the_kernel_is():
    kernel = np.zeros((9, 9), DTYPE[False])
    kernel[2, 3] = kernel[7, 8] = 1.0
    operator = co.convolution(kernel, (12, 11), method="stencil")
    slope = jax.grad(lambda op: jnp.sum(op.matvec(np.ones((12, 11), DTYPE[False])) ** 2))(operator)
    assert np.array_equal(np.asarray(slope.kernel) != 0, kernel != 0)
