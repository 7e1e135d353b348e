"""C^T diag(g) C by one pair of FFTs, against the matrix by SciPy's transforms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft
from diagonalizing import by_dct, close

from convops.operators.cosine_filter import cosine_filter

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("shape", [(1,), (2,), (9,), (1, 6), (7, 10), (8, 5), (4, 5, 6), (3, 2, 7)])
def test_equals_the_dense_matrix(shape):
    gain, x, y = RNG.standard_normal((3, *shape))
    axes = tuple(range(len(shape)))
    F = jax.jit(cosine_filter(jnp.asarray(gain), axes))
    matrix = by_dct(gain, axes)
    close(F(jnp.asarray(x)), (matrix @ x.ravel()).reshape(shape))
    close(F(jnp.asarray(x + 2j * y)), (matrix @ (x + 2j * y).ravel()).reshape(shape))


def test_leaves_other_axes_alone():
    gain, x = RNG.standard_normal((2, 6, 7, 3))
    close(
        jax.jit(cosine_filter(jnp.asarray(gain), (0, 1)))(jnp.asarray(x)),
        scipy.fft.idctn(gain * scipy.fft.dctn(x, axes=(0, 1), norm="ortho"), axes=(0, 1), norm="ortho"),
    )


def test_carries_axes_in_front_as_vmap_does():
    gain, x = RNG.standard_normal((5, 7)), RNG.standard_normal((2, 5, 7))
    F = cosine_filter(jnp.asarray(gain), (0, 1))
    wanted = [(by_dct(gain) @ part.ravel()).reshape(5, 7) for part in x]
    close(jax.jit(F)(jnp.asarray(x)), wanted)
    close(jax.jit(jax.vmap(F))(jnp.asarray(x)), wanted)


def test_is_its_own_transpose():
    gain, x, y = RNG.standard_normal((3, 9, 8))
    F = cosine_filter(jnp.asarray(gain), (0, 1))
    close(jax.jit(lambda y: jax.vjp(F, jnp.asarray(x))[1](y)[0])(jnp.asarray(y)), jax.jit(F)(jnp.asarray(y)))
    slope = jax.jit(jax.grad(lambda g: jnp.sum(y * cosine_filter(g, (0, 1))(jnp.asarray(x)))))(jnp.asarray(gain))
    close(slope, scipy.fft.dctn(x, norm="ortho") * scipy.fft.dctn(y, norm="ortho"))
