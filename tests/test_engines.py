"""Every engine gives the same matrix: forward and adjoint, against the dense matrices of the oracle."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from comparing import DTYPE, assert_same, needs_x64
from kernels import RTOL, both_ways, even, kernel_of, low_rank

import convops as co
from convops.operators.engines import ENGINES

WINDOWS = [
    {"mode": "full"},
    {"mode": "valid"},
    {"boundary": ("zero", "wrap")},
    {"boundary": ("symmetric", "reflect"), "origin": (0, 3)},
    {"boundary": ("edge", "antireflect"), "origin": "scipy"},
    {"boundary": ("antireflect", "symmetric"), "stride": (2, 3), "dilation": (1, 2)},
    {"mode": "full", "stride": (3, 1), "dilation": (2, 1)},
    {"mode": "valid", "stride": 2},
]


@pytest.mark.parametrize("options", WINDOWS, ids=str)
@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("rank", [1, 2])
def test_separable_in_every_window(rank, is_complex, options):
    kernel, shape = low_rank((3, 4), rank, is_complex), (7, 6)
    operator = co.convolution(kernel, shape, method="separable", **options)
    assert operator.structure.terms == rank
    both_ways(operator, oracle.convolution_matrix_nd(kernel, shape, **options), is_complex)


@pytest.mark.parametrize(("shape", "kernel", "rank"), [((4, 5, 3), (2, 3, 3), 1), ((2, 3, 4, 3), (2, 2, 1, 3), 1)])
def test_separable_in_more_axes(shape, kernel, rank):
    k = low_rank(kernel, rank)
    operator = co.convolution(k, shape, boundary="reflect", method="separable")
    assert operator.structure.terms == rank
    both_ways(operator, oracle.convolution_matrix_nd(k, shape, boundary="reflect"))


def test_separable_with_carried_axes_and_longer_kernels_than_signals():
    kernel = low_rank((5, 4), 1)
    operator = co.convolution(kernel, (2, 3, 4), axes=(2, 0), boundary="symmetric", method="separable")
    both_ways(operator, oracle.convolution_matrix_nd(kernel, (2, 3, 4), axes=(2, 0), boundary="symmetric"))


@pytest.mark.parametrize(("is_complex", "complex_signal"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("length", [2, 301])
@pytest.mark.parametrize(
    "options",
    [
        {"mode": "full"},
        {"mode": "valid", "stride": 3},
        {"boundary": "antireflect", "dilation": 2},
        {"boundary": "wrap", "stride": 2, "origin": 0},
        pytest.param({"origin": "scipy"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_overlap_in_many_blocks(options, length, is_complex, complex_signal):
    kernel = kernel_of((length,), is_complex)
    operator = co.convolution(kernel, 777, method="overlap", **options)
    matrix = oracle.convolution_matrix_nd(kernel, 777, **options)
    both_ways(operator, matrix, complex_signal)


def test_overlap_cuts_long_signals_into_blocks():
    operator = co.convolution(kernel_of((65,)), 20000, method="overlap")
    assert operator.structure.length < 5000
    other = co.convolution(operator.kernel, 20000, method="fourier")
    x = kernel_of((20000,), seed=4)
    assert_same(operator @ x, np.asarray(other @ x), "any", rtol=RTOL)
    assert_same(operator.H @ x, np.asarray(other.H @ x), "any", rtol=RTOL)


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize(
    ("shape", "size", "options"),
    [
        ((7,), (3,), {}),
        ((8,), (5,), {}),
        ((3,), (9,), {}),
        ((6, 5), (3, 7), {"dilation": (2, 1)}),
        ((3, 4, 2), (3, 1, 5), {}),
    ],
)
def test_dct(shape, size, options, is_complex):
    kernel = even(size, is_complex)
    operator = co.convolution(kernel, shape, boundary="symmetric", method="dct", **options)
    both_ways(operator, oracle.convolution_matrix_nd(kernel, shape, boundary="symmetric", **options), is_complex)


@pytest.mark.parametrize("is_complex", [False, True])
def test_dct_carries_other_axes(is_complex):
    kernel = even((3, 5), is_complex)
    operator = co.convolution(kernel, (4, 2, 7), axes=(0, 2), boundary="symmetric", method="dct")
    matrix = oracle.convolution_matrix_nd(kernel, (4, 7), boundary="symmetric")
    rows = matrix.reshape(4, 7, 4, 7)
    wanted = np.einsum("acbd,st->ascbtd", rows, np.eye(2))
    both_ways(operator, wanted.reshape(56, 56), is_complex)


@needs_x64
@pytest.mark.parametrize("size", [3, 5])
def test_xla_reads_nothing_beyond_large_arrays_of_doubles(size):
    """XLA's own padding does, on some CPUs, which ends the process."""
    kernel, x = kernel_of((size, size)), np.arange(2048.0**2).reshape(2048, 2048) % 7
    by_xla, plain = (co.convolution(kernel, x.shape, method=method) for method in ("xla", "stencil"))
    np.testing.assert_allclose(by_xla @ x, plain @ x, atol=1e-12)
    np.testing.assert_allclose(by_xla.H @ x, plain.H @ x, atol=1e-12)
    channel = co.convolution(kernel[None, None], (1, *x.shape), channels=True, method="xla")
    plain_slope, *slopes = [
        jax.jit(jax.grad(lambda x, A=A: jnp.sum(A.matvec(x.reshape(A.in_shape)) ** 2)))(x)
        for A in (plain, by_xla, channel)
    ]
    for slope in slopes:
        np.testing.assert_allclose(slope, plain_slope, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize(("lead", "own"), [((), True), ((1, 1), True), ((2, 1), False), ((1, 2), False)])
def test_xla_has_derivatives_of_its_own_for_one_channel(lead, own):
    kernel = jnp.ones((*lead, 3, 2))
    A = co.convolution(kernel, (*lead[1:], 5, 6), channels=bool(lead), method="xla")
    assert ("xla_convolve" in str(jax.make_jaxpr(A.matvec)(jnp.ones(A.in_shape)))) == own
    assert ("xla_correlate" in str(jax.make_jaxpr(A.rmatvec)(jnp.ones(A.out_shape)))) == own


def test_dct_of_a_kernel_that_is_symmetric_about_an_origin_off_its_middle():
    kernel = np.array([0.0, 0.0, 1.0, 2.0, 1.0]).astype(DTYPE[False])
    operator = co.convolution(kernel, 8, boundary="symmetric", origin=3, method="dct")
    both_ways(operator, oracle.convolution_matrix_nd(kernel, 8, boundary="symmetric", origin=3))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_dct_refuses_a_kernel_that_is_nearly_even(dtype):
    """A coarse dtype is no excuse: its numbers are exact."""
    step = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-19}[dtype]
    kernel = jnp.asarray([1.0, 2.0, 1.0 + step]).astype(dtype)
    with pytest.raises(ValueError, match="not symmetric"):
        co.convolution(kernel, 9, boundary="symmetric", method="dct")


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("options", WINDOWS, ids=str)
def test_xla_in_every_window(options, is_complex):
    kernel, shape = kernel_of((3, 4), is_complex), (7, 6)
    operator = co.convolution(kernel, shape, method="xla", **options)
    both_ways(operator, oracle.convolution_matrix_nd(kernel, shape, **options), is_complex)


@pytest.mark.parametrize("method", ["stencil", "fourier", "xla"])
@pytest.mark.parametrize("channels", [(2, 3), (5, 1), (17, 16)])
def test_channels(channels, method):
    kernel, shape = kernel_of((*channels, 2, 3)), (channels[1], 4, 5)
    options = {"boundary": ("reflect", "zero"), "stride": (1, 2)}
    operator = co.convolution(kernel, shape, channels=True, method=method, **options)
    both_ways(operator, oracle.channels_matrix(kernel, shape, **options))


REFUSED = [
    ("separable", kernel_of((9, 10)), {}, "not a short sum of separable"),
    ("separable", kernel_of((4,)), {}, "nothing to separate"),
    ("overlap", kernel_of((5, 5, 3)), {"channels": True}, "without channels"),
    ("dct", even((3, 3)), {"boundary": "wrap"}, "symmetric"),
    ("dct", even((3, 3)), {"boundary": "symmetric", "stride": 2}, "stride 1"),
    ("dct", kernel_of((3, 3)), {"boundary": "symmetric"}, "not symmetric about its origin"),
    ("dct", even((3, 3)), {"boundary": "symmetric", "origin": 0}, "not symmetric about its origin"),
    ("xla", kernel_of((1, 2, 1, 2)), {}, "at most 3 axes"),
    ("magic", kernel_of((3, 3)), {}, "accepted are 'auto', 'stencil'"),
]


@pytest.mark.parametrize(
    ("method", "kernel", "options", "text"), REFUSED, ids=lambda v: v if isinstance(v, str) else ""
)
def test_engines_refuse_what_they_cannot_do(method, kernel, options, text):
    with pytest.raises(ValueError, match=text):
        co.convolution(kernel, (5,) * kernel.ndim, method=method, **options)


@pytest.mark.parametrize("method", ["separable", "dct"])
def test_engines_that_look_at_numbers_refuse_traced_kernels(method):
    with pytest.raises(ValueError, match="the kernel is traced"):
        jax.jit(lambda k: co.convolution(k, (5, 5), boundary="symmetric", method=method).kernel)(np.ones((3, 3)))


def suited(kernel, shape, **options):
    """The operators of every engine that can compute a convolution."""
    found = {}
    for method in ENGINES:
        try:
            found[method] = co.convolution(kernel, shape, method=method, **options)
        except ValueError:
            continue
    return found


@needs_x64
@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        (kernel_of((4, 6)), {"boundary": "reflect"}),
        (kernel_of((5, 4), True), {"mode": "full"}),
        (np.eye(9)[:, :8] * np.arange(1.0, 9.0), {"boundary": "wrap"}),
        (low_rank((6, 7), 3), {"boundary": "antireflect"}),
        (np.outer([1.0, 2.0, 4.0, 2.0, 1.0], [3.0, 5.0, 3.0]), {"boundary": "symmetric"}),
    ],
    ids=["dense", "complex", "sparse", "rank 3", "symmetric"],
)
def test_engines_agree_to_rounding(kernel, options):
    operators = suited(kernel, (40, 33), **options)
    assert len(operators) >= 3
    x = kernel_of((40, 33), seed=5)
    exact = operators["stencil"] @ x
    y = kernel_of(exact.shape, True, seed=6)
    back = operators["stencil"].H @ y
    for name, operator in operators.items():
        assert np.max(np.abs(operator @ x - exact)) <= 1e-12 * np.max(np.abs(exact)), name
        assert np.max(np.abs(operator.H @ y - back)) <= 1e-12 * np.max(np.abs(back)), name


def test_an_approximation_only_when_asked_for():
    kernel = kernel_of((7, 9))
    operator = co.convolution(kernel, (20, 21), method="separable", rank=2)
    left, values, right = np.linalg.svd(kernel)
    near = (left[:, :2] * values[:2]) @ right[:2]
    assert_same(operator.kernel, near, "any", rtol=1e-6)
    both_ways(operator, oracle.convolution_matrix_nd(np.asarray(operator.kernel), (20, 21)))
    x = kernel_of((20, 21), seed=1)
    exact = co.convolution(kernel, (20, 21)) @ x
    stated = float(operator.explain().split("leaves out at most ")[1].split()[0])
    assert 0 < np.max(np.abs(operator @ x - exact)) <= stated * np.max(np.abs(x)) * 1.1
    for options in ({"method": "auto"}, {"method": "separable", "rank": 0}):
        with pytest.raises(ValueError, match="`rank`"):
            co.convolution(kernel, (20, 21), **{"rank": 2, **options})
