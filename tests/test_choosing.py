"""Which engine `auto` takes, what `explain` says of it, and what `tune` finds."""

import itertools
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from comparing import DTYPE, assert_same
from kernels import RTOL, even, kernel_of, low_rank

import convops as co


def test_one_trace_for_kernels_of_one_shape():
    traces = 0

    @jax.jit
    def apply(A, x):
        nonlocal traces
        traces += 1
        return A.matvec(x)

    for seed, size in itertools.product(range(3), ((3, 3), (21, 20))):
        apply(co.convolution(kernel_of(size, seed=seed), (30, 31)), np.ones((30, 31), DTYPE[False]))
    assert traces == 2


CHOSEN = [
    ((3, 3), (512, 512), {}, "stencil"),
    ((63, 63), (512, 512), {}, "fourier"),
    ((5,), (10**6,), {}, "stencil"),
    ((1025,), (10**6,), {}, "overlap"),
]


@pytest.mark.parametrize(("size", "shape", "options", "engine"), CHOSEN, ids=str)
def test_auto_by_shape(size, shape, options, engine):
    assert co.convolution(kernel_of(size), shape, **options).method == engine


def test_auto_by_structure():
    line = np.zeros((51, 51), DTYPE[False])
    line[25] = 1 / 51
    assert co.convolution(line, (512, 512)).method in ("stencil", "separable")
    assert co.convolution(low_rank((15, 15), 1), (512, 512)).method == "separable"
    motion = np.zeros((9, 20), DTYPE[False])  # two taps a column, a fifth of all
    motion[np.arange(20) * 8 // 19, np.arange(20)] = motion[np.arange(20) * 7 // 19 + 1, np.arange(20)] = 1 / 40
    blur = co.convolution(motion, (512, 500))
    assert blur.method == "stencil"
    assert len(blur.structure.taps) == np.count_nonzero(motion) < 40
    assert co.convolution(kernel_of((9, 20)), (512, 500)).structure in (None, (None, False))
    few = co.convolution(low_rank((5, 6), 1), (64, 65))  # where the gain is not worth a trace of its own
    assert few.method == "stencil"
    assert "separable would save too little" in few.explain()
    assert co.convolution(kernel_of((64, 64, 3, 3)), (64, 64, 64), channels=True).method == "xla"


def test_explain_says_what_every_engine_would_take():
    text = co.convolution(kernel_of((63, 63)), (512, 512), boundary="symmetric").explain()
    for name in ("fourier", "stencil", "xla"):
        assert name in text.split("predicted: ")[1].splitlines()[0]
    for part in ("least predicted time", "FFT lengths", "not dct:", "bytes", "NaN"):
        assert part in text
    assert "asked for by `method`" in co.convolution(kernel_of((3, 3)), (20, 20), method="fourier").explain()


def test_rounding_error_of_separable_is_reported_and_small():
    kernel = low_rank((15, 13), 1)
    operator = co.convolution(kernel, (64, 64), method="separable")
    bound = float(operator.explain().split("an output by at most ")[1].split()[0])
    assert bound <= 1e3 * np.finfo(DTYPE[False]).eps * np.abs(kernel).sum()


def test_tune_measures_and_remembers(tmp_path):
    file = tmp_path / "times.json"
    operator = co.convolution(kernel_of((4, 3)), (19, 18), boundary="reflect")
    tuned = co.tune(operator, file=file, seconds=0.01)
    assert "measured by `tune`" in tuned.explain()
    measured = set(next(iter(json.loads(file.read_text()).values())))
    assert {"stencil", "fourier", "xla"} <= measured
    assert "dct" not in measured
    x = kernel_of((19, 18), seed=2)
    assert_same(tuned @ x, np.asarray(operator @ x), "any", rtol=RTOL)
    product = co.tune(co.gradient((19, 18)) @ operator, seconds=0.01)
    assert math.prod(product.shape) == math.prod((co.gradient((19, 18)) @ operator).shape)
    with pytest.raises(ValueError, match="give an operator"):
        co.tune(3)
    for seconds in ("a", -1, np.nan):
        with pytest.raises(ValueError, match=r"`seconds` is .*; give a number of seconds"):
            co.tune(operator, seconds=seconds)
    with pytest.raises(ValueError, match="traced"):
        jax.jit(lambda k: co.tune(co.convolution(k, 9)).kernel)(np.ones(3))


def test_tune_takes_batches():
    kernels = np.stack([kernel_of((4,), seed=s) for s in range(6)]).reshape(2, 3, 4)
    make = lambda k: co.batched(jax.vmap(lambda k: co.convolution(k, 10))(k))  # noqa: E731
    A = co.batched(jax.vmap(make)(kernels))
    tuned = co.tune(A, seconds=0.005)
    x = kernel_of((2, 3, 10), seed=9)
    assert_same(tuned @ x, np.asarray(A @ x), "any", rtol=RTOL)
    assert "measured by `tune`" in tuned.op.op.explain()
    rows = [co.convolution(np.outer(k[0], k[1]), (9, 8), method="separable") for k in kernels]  # by their numbers
    assert co.tune(co.batched(rows), seconds=0.005).op.method in ("separable", "stencil", "fourier", "xla")


def test_tune_goes_by_the_times_in_its_file(tmp_path, monkeypatch):
    """The least of them, whichever engine's; and nothing is measured again."""
    monkeypatch.setattr("convops.operators.tuning._FOUND", {})
    file, A = tmp_path / "times.json", co.convolution(kernel_of((4, 2)), (21, 9))
    co.tune(A, file=file, seconds=0.01)
    ((key, measured),) = json.loads(file.read_text()).items()
    for fastest in ("xla", "fourier", "stencil"):
        times = {key: {name: 1.0 if name == fastest else 50.0 for name in measured}}
        file.write_text(json.dumps(times))
        assert co.tune(A, file=file).method == fastest
        assert json.loads(file.read_text()) == times


def test_a_file_that_is_not_one_of_times_is_refused(tmp_path):
    file = tmp_path / "other.json"
    for text in ('{"a": ', '{"a": 3}', "[]"):
        file.write_text(text)
        with pytest.raises(ValueError, match="`file`"):
            co.tune(co.convolution(np.ones(3), 9), file=file)
        assert file.read_text() == text


def test_gram_on_full_is_two_products_where_they_cost_less_than_one():
    kernels = (kernel_of(size).astype("f4") for size in ((3, 2), (8, 9)))  # doubles go through FFTs from 8 x 9 taps on
    few, many = (co.convolution(k, (512, 500), mode="full").gram() for k in kernels)
    assert (few.method, few.shape) == ("stencil", many.shape)
    assert not isinstance(many, type(few))
    assert many.tags >= {"psd", "selfadjoint"}
    k, x = kernel_of((8, 9)), np.random.default_rng(5).normal(size=(512, 500))
    blurred = scipy.signal.fftconvolve(x, k)
    assert_same(
        many @ x.astype(DTYPE[False]), scipy.signal.fftconvolve(blurred, k[::-1, ::-1], mode="valid"), "any", rtol=1e-5
    )
    assert isinstance(co.convolution(k, (512, 500), boundary="wrap").gram(), type(few))


def test_tune_keeps_what_is_known_of_the_operator():
    A = co.convolution(kernel_of((3, 2)), (9, 8), boundary="wrap")
    assert co.tune(A.gram(), seconds=0.01).tags == A.gram().tags >= {"psd", "selfadjoint"}
    near = co.convolution(kernel_of((5, 5)), (9, 8), method="separable", rank=1)
    assert co.tune(near, seconds=0.01).left_out == near.left_out


def test_tune_ignores_engines_that_it_does_not_know(tmp_path):
    file, A = tmp_path / "times.json", co.convolution(kernel_of((2, 3)), (23, 8))
    co.tune(A, file=file, seconds=0.01)
    times = json.loads(file.read_text())
    file.write_text(json.dumps({key: {"another": 0.1, **each} for key, each in times.items()}))
    assert co.tune(A, file=file).method != "another"
    assert [path.name for path in tmp_path.iterdir()] == ["times.json"]


LOSING = {
    "separable": ((5, 4), {"boundary": "wrap"}),
    "dct": ((3, 5), {"boundary": "symmetric"}),
    "overlap": ((5,), {"mode": "full"}),
}


@pytest.mark.parametrize("method", LOSING)
def test_what_is_made_of_an_operator_needs_no_engine_that_cannot_compute_it(method):
    """Under jit a kernel's rank and symmetry are unknown, and sums lose them: another engine takes over."""
    size, options = LOSING[method]
    kernel = even(size) if method == "dct" else low_rank(size, 1)
    shape = (13, 12)[: len(size)]
    A = co.convolution(kernel, shape, method=method, **options)
    other = co.convolution(kernel_of(size, seed=9), shape, **options)
    x, dense, more = kernel_of(shape, seed=5), np.asarray(A.as_matrix()), np.asarray(other.as_matrix())
    made = {
        "2 A": (lambda A: 2 * A, 2 * dense),
        "A + B": (lambda A: A + other, dense + more),
        "A^H A": (lambda A: A.gram(), dense.T @ dense),
        "A^H B": (lambda A: A.H @ other, dense.T @ more),
    }
    for name, (function, expected) in made.items():
        want = (expected @ x.ravel()).reshape(function(A).out_shape)
        assert_same(function(A) @ x, want, "any", name, rtol=10 * RTOL)
        assert_same(jax.jit(lambda A, f=function: f(A) @ x)(A), want, "any", name, rtol=10 * RTOL)
    slope = jax.grad(lambda s: jnp.sum((s * A) @ x))(2.0)
    assert_same(slope, np.sum(dense @ x.ravel()), "any", rtol=10 * RTOL)
