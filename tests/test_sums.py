"""Inner products added up side by side, against NumPy in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convops.operators.sums import STRANDS, inner, length, product, square

SHAPES = [(), (0,), (7,), (2049,), (10_001,), (3, 40, 50), (61, 67), (41, 53, 3), (2 * STRANDS - 1, 400)]


def operands(shape, complex_=False):
    rng = np.random.default_rng(3)
    parts = rng.standard_normal((4, *shape))
    a, b = (parts[0] + 1j * parts[1], parts[2] - 1j * parts[3]) if complex_ else parts[:2]
    return jnp.asarray(a), jnp.asarray(b)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_a_plain_sum(shape, complex_):
    a, b = operands(shape, complex_)
    wanted = np.sum(np.conj(np.asarray(a, complex)) * np.asarray(b))
    bound = 20 * jnp.finfo(a.dtype).eps * max(float(np.sum(np.abs(a) * np.abs(b))), 1) ** 0.5
    size = float(np.sum(np.abs(np.asarray(a, complex)) ** 2))
    assert abs(complex(product(a, b)) - wanted) <= bound
    assert abs(float(inner(a, b)) - wanted.real) <= bound
    assert abs(float(square(a)) - size) <= 10 * jnp.finfo(a.dtype).eps * size
    assert abs(float(length(a)) - size**0.5) <= 10 * jnp.finfo(a.dtype).eps * size**0.5


@pytest.mark.parametrize("shape", [(7,), (61, 67)])
def test_differentiates_both_ways_and_twice(shape):
    a, b = operands(shape)
    close = {"rtol": 1e-5}
    np.testing.assert_allclose(jax.grad(square)(a), 2 * a, **close)
    np.testing.assert_allclose(jax.jvp(square, (a,), (b,))[1], 2 * np.sum(a * b), rtol=1e-4)
    np.testing.assert_allclose(jax.jvp(jax.grad(square), (a,), (b,))[1], 2 * b, **close)
    assert not jax.grad(length)(0 * a).any()


def test_maps_over_a_batch():
    a, b = operands((5, 61, 67))
    np.testing.assert_allclose(jax.vmap(inner)(a, b), np.einsum("nij,nij->n", a, b), rtol=1e-4, atol=1e-3)
