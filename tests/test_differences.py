"""Differences as operators: the gradient's normal operator, and sums of differences, as one difference."""

import jax.numpy as jnp
import numpy as np
import pytest
from comparing import DTYPE, assert_same
from differencing import differences
from kernels import RTOL

import convops as co


@pytest.mark.parametrize("boundary", ["symmetric", "edge", "wrap", "zero", "reflect"])
@pytest.mark.parametrize(("shape", "axes"), [((3, 5), None), ((2, 1), None), ((3, 2, 4), (0, 2))])
def test_gram_of_the_gradient(shape, axes, boundary):
    D = co.gradient(shape, boundary, axes=axes)
    gram = D.gram()
    one = boundary in ("symmetric", "edge", "wrap")
    assert (type(gram) is type(co.laplacian(shape))) == one
    assert gram.tags >= {"selfadjoint", "psd"}
    assert ("circulant" in gram.tags) == (boundary == "wrap")
    if boundary in ("symmetric", "edge", "wrap"):
        matrix = sum(M.T @ M for M in differences(shape, "wrap" if boundary == "wrap" else "symmetric", axes))
    else:
        matrix = np.asarray(D.as_matrix()).T @ np.asarray(D.as_matrix())
    assert_same(gram.as_matrix(), matrix.astype(DTYPE[False]), "any", rtol=RTOL)
    x = np.random.default_rng(0).standard_normal(shape).astype(DTYPE[False])
    assert_same(gram @ x, (matrix @ x.ravel()).reshape(shape), "any", rtol=RTOL)
    assert gram.norm("bound") >= 0.9999 * np.linalg.norm(matrix, 2)


@pytest.mark.parametrize("kind", ["forward", "backward", "central"])
def test_sums_of_differences(kind):
    shape = (4, 3)
    left = co.difference(shape, 0, kind=kind, boundary="edge")
    for right in (co.difference(shape, 1, kind="backward", boundary="wrap"), co.laplacian(shape, "edge", axes=0)):
        total = left + right
        assert type(total) is type(left)
        assert_same(total.as_matrix(), np.asarray(left.as_matrix() + right.as_matrix()), "any", rtol=RTOL)
        assert total.nnz >= jnp.count_nonzero(total.as_matrix())
    apart = left + co.difference(shape, 0, boundary="wrap")
    assert type(apart) is not type(left)


def test_gram_of_a_stack_of_observations():
    kernels = np.random.default_rng(1).standard_normal((2, 3, 2)).astype(DTYPE[False])
    stack = co.vstack([co.convolution(k, (5, 6), boundary="wrap") for k in kernels])
    gram, matrix = stack.gram(), np.asarray(stack.as_matrix())
    assert type(gram) is type(co.convolution(kernels[0], (5, 6)))
    assert_same(gram.as_matrix(), matrix.T @ matrix, "any", rtol=RTOL)
