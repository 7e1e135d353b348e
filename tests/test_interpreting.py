"""The interpreter of the exhaustive tests computes what compiled programs do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import DTYPE, METHODS, assert_same, gaussian_integers
from interpreting import interpreted
from jax import lax

import convops as co

WINDOWS = [
    ("full", "zero", "center", 2, 1),
    ("valid", "zero", "center", 1, 2),
    ("same", "zero", "scipy", 3, 1),
    ("same", "wrap", 0, 1, 2),
    ("same", "symmetric", 3, 2, 1),
    ("same", "reflect", "center", 1, 2),
    ("same", "edge", 4, 3, 2),
    ("same", "antireflect", 1, 2, 2),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: "-".join(map(str, window)))
def test_operators_as_compiled(window, method):
    """A real kernel on a complex signal, and the other way round; signals shorter and longer than the kernel."""
    options = dict(zip(("mode", "boundary", "origin", "stride", "dilation"), window, strict=True))
    rng = np.random.default_rng(WINDOWS.index(window))
    for size, is_complex in ((3, False), (10, True)):
        kernel, x = gaussian_integers(rng, (5,), is_complex), gaussian_integers(rng, (size,), not is_complex)

        def products(kernel, x, size=size):
            operator = co.convolution(kernel, size, method=method, **options)
            y = operator.matvec(x)
            return y, operator.rmatvec(y)

        for found, compiled in zip(interpreted(products, kernel, x), jax.jit(products)(kernel, x), strict=True):
            assert isinstance(found, np.ndarray)
            assert_same(found, compiled, method, f"{window}, {size} samples")


X = np.arange(1.0, 13.0).reshape(3, 4)
OPERATIONS = {
    "pad": lambda x: lax.pad(x, jnp.zeros((), x.dtype), [(-1, 2, 1), (3, -2, 2)]),
    "slice": lambda x: lax.slice(x, (0, 1), (3, 4), (2, 3)) + lax.slice(x, (1, 0), (3, 2)),
    "broadcast": lambda x: jnp.broadcast_to(x[:, :1], (2, 3, 4)) * lax.broadcast_in_dim(x[0], (2, 3, 4), (2,)),
    "concatenate": lambda x: jnp.concatenate([x, -x, jnp.flip(x, 0)], 0),
    "update": lambda x: lax.dynamic_update_slice(x, -x[:2, :2], (2, -1)),
    "select": lambda x: jnp.where(x < 4, x, 2 * x.T.reshape(3, 4)),
    "sum": lambda x: jnp.sum(x, 0, keepdims=True) - jnp.sum(x, axis=(0, 1)).reshape(1, 1),
    "iterate": lambda x: sum(w * part for w, part in zip(x[0], x.T, strict=True)),
    "types": lambda x: x.astype(jnp.int8) + jnp.arange(4, dtype=jnp.int8)[None] * 2.5,
    "scatter": lambda x: x.at[np.array([0, 0, 2])].add(x),
    "gather": lambda x: jnp.take(x, np.array([2, 0, 1, 1]), axis=1),
    "transform": lambda x: jnp.fft.ifft(jnp.fft.fft(x, axis=0)),
    "conjugate": lambda x: jnp.conj(x) * (1 + x),
    "clip": lambda x: jax.nn.relu(jnp.real(x) - 5),
    "loop": lambda x: lax.scan(lambda total, row: (total + row, row * total), x[0], x)[1],
}
REAL = ("select", "types")


@pytest.mark.parametrize(
    ("name", "is_complex"),
    [(name, is_complex) for name in OPERATIONS for is_complex in (False, True)[: 1 if name in REAL else 2]],
)
def test_operations_as_compiled(name, is_complex):
    x = (X + 1j * X[::-1] if is_complex else X).astype(DTYPE[is_complex])
    (found,) = interpreted(lambda x: (OPERATIONS[name](x),), x)
    compiled = jax.jit(OPERATIONS[name])(x)
    assert (found.shape, found.dtype) == (compiled.shape, compiled.dtype)
    np.testing.assert_allclose(found, compiled, rtol=1e-6)


def test_ranks_are_not_promoted():
    with pytest.raises(ValueError, match="rank"):
        interpreted(lambda x: (x * x[0],), X)
