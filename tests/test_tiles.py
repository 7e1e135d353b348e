"""Overlap-save along several axes: every window in several tiles, derivatives, and when `auto` takes it."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from comparing import DTYPE, assert_same
from kernels import RTOL, both_ways, kernel_of

import convops as co
from convops.operators.engines import choose, facts_of, tiles
from convops.operators.window import make_window

WINDOWS = [
    ((13, 10), (3, 4), {"mode": "full"}),
    ((9, 14), (4, 3), {"mode": "valid", "stride": (2, 1)}),
    ((11, 9), (3, 2), {"boundary": ("zero", "wrap"), "origin": (0, 1)}),
    ((10, 7), (2, 5), {"boundary": ("symmetric", "reflect"), "origin": "scipy"}),
    ((12, 9), (3, 2), {"boundary": ("antireflect", "edge"), "stride": (3, 2), "dilation": (1, 3)}),
    ((3, 4), (5, 6), {"boundary": "wrap"}),
    ((5, 4, 6), (2, 3, 2), {"boundary": ("zero", "symmetric", "wrap")}),
]


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiles, "NOMINAL", (5,))
    monkeypatch.setattr(tiles, "BEGINNING", 0)
    tiles.tiling.cache_clear()
    yield
    tiles.tiling.cache_clear()


@pytest.mark.parametrize(("is_complex", "complex_signal"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize(("shape", "size", "options"), WINDOWS, ids=str)
def test_every_window_in_tiles(shape, size, options, is_complex, complex_signal):
    kernel = kernel_of(size, is_complex)
    operator = co.convolution(kernel, shape, method="overlap", **options)
    assert " tiles of FFT lengths" in operator.explain()
    both_ways(operator, oracle.convolution_matrix_nd(kernel, shape, **options), complex_signal)


def test_tiles_are_several_and_leave_nothing_out():
    operator = co.convolution(kernel_of((3, 4)), (23, 17), method="overlap")
    assert np.prod(operator.structure.counts((3, 4), (23, 17))) > 10
    assert_same(
        operator.as_matrix(),
        np.stack([operator @ e for e in np.eye(391).reshape(-1, 23, 17)], -1).reshape(391, -1),
        "any",
        rtol=RTOL,
    )


@pytest.mark.parametrize("options", [{"mode": "valid"}, {"boundary": ("reflect", "symmetric")}])
def test_the_adjoint_takes_no_more_tiles(options, monkeypatch):
    monkeypatch.setattr(tiles, "NOMINAL", (64,))
    window = make_window((40, 37), (9, 8), **options)
    structure = tiles.plan(window)
    assert structure.counts(window.length, tuple(r + 1 for r in window.reach)) == (1, 1)
    assert structure.counts(window.length, window.source) == (1, 1)


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
def test_derivatives_and_batches(is_complex):
    """In the signal and the kernel, twice, and for a kernel an example."""
    shape, size, options = (9, 8), (3, 2), {"boundary": ("symmetric", "zero"), "stride": (1, 2), "origin": 0}
    kernel, x = kernel_of(size, is_complex), kernel_of(shape, is_complex, seed=1)
    others = jnp.stack([kernel, 2 * kernel_of(size, is_complex, seed=2)])

    def results(method):
        def loss(k, x):
            y = co.convolution(k, shape, method=method, **options).matvec(x)
            return jnp.sum(jnp.abs(y) ** 2 * jnp.arange(y.shape[1])[None]) ** 2

        both = jax.grad(loss, (0, 1))
        along = jax.jvp(both, (kernel, x), (jnp.conj(kernel), 2 * x))[1]
        many = jax.vmap(lambda k: co.convolution(k, shape, method=method, **options).matvec(x))(others)
        return *both(kernel, x), *along, many

    for found, expected in zip(*(jax.jit(results, static_argnums=0)(m) for m in ("overlap", "stencil")), strict=True):
        assert_same(found, np.asarray(expected), "any", rtol=100 * RTOL, scale=float(jnp.max(jnp.abs(expected))))


def test_auto_takes_tiles_for_large_images_alone(monkeypatch):
    monkeypatch.undo()
    tiles.tiling.cache_clear()
    kernel = jax.ShapeDtypeStruct((31, 31), DTYPE[False])

    def chosen(n, **options):
        return jax.eval_shape(lambda k: co.convolution(k, (n, n), **options), kernel).method

    assert [chosen(n) for n in (512, 3000)] == ["fourier", "overlap"]
    assert chosen(1500, boundary="wrap") == "fourier"
    facts = facts_of(jnp.asarray(kernel_of((31, 31)), jnp.float32), make_window((4096, 4096), (31, 31)))
    assert choose(facts, platform="cpu").engine == "overlap"
    assert choose(facts, platform="gpu").engine == "fourier"  # where the turns of a loop are launched one by one
