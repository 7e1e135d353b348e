"""What is refused, and that the text names the argument, what came and what is accepted."""

import numpy as np
import pytest

import convops as co

MAKERS = {
    "convolution": lambda *kernel, **options: co.convolution(np.ones(kernel), (5, 6), **options),
    "correlation": lambda *kernel, **options: co.correlation(np.ones(kernel), (5, 6), **options),
    "kernel_operator": lambda *kernel, **options: co.kernel_operator(np.ones((5, 6)), kernel, **options),
}
every_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def names(*words):
    """A pattern that finds the words in this order, whatever stands between."""
    return "(?s)" + ".*".join(words)


@every_maker
@pytest.mark.parametrize("mode", ["full", "valid"])
@pytest.mark.parametrize("boundary", ["wrap", "antireflect", ("zero", "edge")])
def test_full_and_valid_take_zero_only(make, mode, boundary):
    with pytest.raises(ValueError, match=names("`boundary`", "zero")) as caught:
        make(2, 3, mode=mode, boundary=boundary)
    assert mode in str(caught.value)


@every_maker
@pytest.mark.parametrize(
    ("argument", "accepted"),
    [
        ("mode", ["full", "same", "valid"]),
        ("boundary", ["zero", "wrap", "symmetric", "reflect", "edge", "antireflect"]),
        ("origin", ["center", "scipy"]),
        ("method", ["auto", "stencil", "fourier"]),
    ],
)
def test_unknown_names_get_the_accepted_list(make, argument, accepted):
    with pytest.raises(ValueError, match=names(f"`{argument}`", "nonsense")) as caught:
        make(2, 3, **{argument: "nonsense"})
    assert all(name in str(caught.value) for name in accepted)


@every_maker
@pytest.mark.parametrize("kernel", [(0, 3), (2, 0), (0,)])
def test_empty_kernels(make, kernel):
    with pytest.raises(ValueError, match=r"`kernel(_shape)?`"):
        make(*kernel)


@every_maker
@pytest.mark.parametrize("origin", [-1, 2, 3, (0, 3), (2, 0), (-1, 0)])
def test_origin_outside_the_kernel(make, origin):
    with pytest.raises(ValueError, match="`origin`"):
        make(2, 3, origin=origin)


def test_origin_outside_a_dilated_kernel():
    """`origin` counts elements of the kernel, not the holes between them."""
    with pytest.raises(ValueError, match="`origin`"):
        co.convolution(np.ones(3), 9, dilation=3, origin=4)


@every_maker
@pytest.mark.parametrize("argument", ["stride", "dilation"])
@pytest.mark.parametrize("value", [0, -1, (1, 0), 1.5])
def test_stride_and_dilation_are_positive_integers(make, argument, value):
    with pytest.raises((ValueError, TypeError), match=f"`{argument}`"):
        make(2, 3, **{argument: value})


@every_maker
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("boundary", ("wrap", "zero", "zero")),
        ("origin", (0,)),
        ("stride", (1, 1, 1)),
        ("dilation", (2,)),
    ],
)
def test_tuples_have_one_entry_a_kernel_axis(make, argument, value):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        make(2, 3, **{argument: value})


@every_maker
@pytest.mark.parametrize("axes", [(0, 0), (0, -2), (0, 2), (-3, 0), (0,), (0, 1, 1)])
def test_axes(make, axes):
    with pytest.raises(ValueError, match="`axes`"):
        make(2, 3, axes=axes)


@every_maker
def test_a_kernel_has_no_more_axes_than_the_signal(make):
    with pytest.raises(ValueError, match=r"`kernel(_shape)?`|`shape`|`signal`"):
        make(2, 3, 2)


def test_channels():
    with pytest.raises(ValueError, match="channels"):  # three input channels in the kernel, two in the signal
        co.convolution(np.ones((4, 3, 5)), (2, 9), channels=True)
    with pytest.raises(ValueError, match=r"`kernel`.*\(out, in\)"):  # no channel axes
        co.convolution(np.ones(5), (2, 9), channels=True)
    with pytest.raises(ValueError, match="channels"):
        co.kernel_operator(np.ones((2, 9)), (4, 3, 5), channels=True)


@pytest.mark.parametrize("shape", [-1, (4, -2), 2.5, "five"])
def test_signal_shapes(shape):
    with pytest.raises((ValueError, TypeError), match="`shape`"):
        co.convolution(np.ones(3), shape)


def test_applying_to_the_wrong_shape():
    operator = co.convolution(np.ones((2, 3)), (5, 6), mode="full")
    for wrong in [(6, 5), (29,), (3, 5, 5), ()]:
        with pytest.raises(ValueError, match=names(r"5, 6")):
            operator.matvec(np.ones(wrong))
    with pytest.raises(ValueError, match=r"6, 8"):
        operator.rmatvec(np.ones((5, 6)))


def test_at_never_guesses_a_batch_axis():
    operator = co.convolution(np.ones((2, 3)), (5, 6))
    with pytest.raises(ValueError, match="matvec"):
        operator @ np.ones((7, 5, 6))


def test_matrices():
    operator = co.convolution(np.ones((2, 3)), (50, 60))
    with pytest.raises(ValueError, match=names("`format`", "nonsense")) as caught:
        operator.to_sparse("nonsense")
    assert all(name in str(caught.value) for name in ("csr", "csc", "coo", "bcoo"))
    with pytest.raises(ValueError, match="`order`"):
        operator.as_matrix(order="nonsense")
    with pytest.raises((ValueError, MemoryError), match="limit"):
        operator.as_matrix(limit=1000)
    for build in (operator.as_matrix, operator.to_sparse):
        with pytest.raises(ValueError, match="`limit` is None; give a number of bytes"):
            build(limit=None)
    assert operator.as_matrix(limit=10**9).shape == (3000, 3000)


A = co.convolution(np.ones(3), 8)
REFUSED = {
    "no channels": (lambda: co.convolution(np.ones((0, 3, 2)), (3, 4), channels=True), r"`kernel` is empty"),
    "rank of NaN": (
        lambda: co.convolution(np.full((3, 3), np.nan), (4, 4), method="separable", rank=1),
        "`kernel` holds NaN",
    ),
    "method": (lambda: co.convolution(np.ones(3), 8, method=["a"]), r"`method` is \['a'\]; accepted are 'auto', 'st"),
    "fields": (lambda: co.convolution(np.ones(3, [("a", "f4")]), 8), "`kernel` is a ndarray, not an array of numbers"),
    "one operator": (lambda: co.batched(A), "`ops` is one operator, .* jax.vmap"),
    "one diagonal": (lambda: co.batched(co.diagonal(np.ones(3))), "`ops` is one operator, .* jax.vmap"),
    "no arrays": (lambda: co.batched([co.identity(3)] * 2), "`ops` hold no arrays .* block_diagonal"),
    "mask": (lambda: co.mask("a"), "`keep` is a str"),
    "mask of NaN": (lambda: co.mask([np.nan, 1]), "`keep` holds NaN"),
    "kronecker": (lambda: co.kronecker(A, 2), "`right` is a int; give an operator"),
    "stack": (lambda: co.vstack(A), "`ops` is a Convolution; it must be"),
    "blocks": (lambda: co.block_diagonal(None), "`ops` is a NoneType; it must be"),
    "others": (lambda: co.hstack([A, 3]), "`ops` must be .* got int"),
    "crop": (lambda: co.crop(5, 9), r"`slices` is \(9,\); give at most 1 slices"),
    "function": (lambda: co.from_function(3, 4), "`function` is 3; give a function"),
    "adjoint": (lambda: co.from_function(np.cumsum, 4, None, 3), "`adjoint` is 3; give a function"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals_in_one_sentence(what):
    make, message = REFUSED[what]
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(np.dtype(np.longdouble) == np.float64, reason="the same here")
def test_long_doubles():
    with pytest.raises(ValueError, match=r"`x` has dtype .*; give it as float64"):
        A @ np.ones(8, np.longdouble)
