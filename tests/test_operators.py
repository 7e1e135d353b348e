"""Every operator in the package keeps the contract of `convops.testing.check_operator`."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

import convops as co
from convops.testing import check_operator

RNG = np.random.default_rng(7)
K1 = np.array([1.0, -2.0, 3.0, 0.5])
K2 = np.array([[1.0, 2.0, -1.0], [0.5, -3.0, 2.0]])
K3 = RNG.standard_normal((2, 3, 2))
KC = K2 + 1j * np.array([[0.2, -1.0, 0.3], [1.5, 0.1, 0.7]])
PLUS = np.zeros((9, 15))
PLUS[4, ::2] = np.arange(1.0, 9.0)
M = RNG.standard_normal((6, 5))
S = scipy.sparse.random_array((6, 5), density=0.4, rng=np.random.default_rng(1))


def convolutions():
    for method in ("stencil", "fourier"):
        for boundary in ("zero", "wrap", "symmetric", "reflect", "edge", "antireflect"):
            yield f"{boundary}-{method}", co.convolution(K2, (5, 6), boundary=boundary, method=method)
            yield (
                f"{boundary}-{method}-complex-strided",
                co.convolution(KC, (5, 6), boundary=boundary, method=method, stride=(2, 1), dilation=(1, 2), origin=0),
            )
            yield f"{boundary}-{method}-longer", co.convolution(K1, 3, boundary=boundary, method=method, dilation=2)
        for mode in ("full", "valid"):
            yield f"{mode}-{method}", co.convolution(K2, (5, 6), mode=mode, method=method)
            yield f"{mode}-{method}-strided", co.convolution(K3, (5, 4, 6), mode=mode, method=method, stride=(1, 3, 2))
        yield f"mixed-{method}", co.convolution(K3, (4, 5, 3), boundary=("wrap", "edge", "zero"), method=method)
        yield f"axes-{method}", co.convolution(K2, (4, 3, 5), axes=(2, 0), boundary="reflect", method=method)
        yield f"sparse-{method}", co.convolution(PLUS, (7, 10), boundary="symmetric", method=method)
        yield f"correlation-{method}", co.correlation(KC, (5, 6), boundary="symmetric", method=method)
        channels = RNG.standard_normal((2, 3, 2, 3))
        yield (
            f"channels-{method}",
            co.convolution(channels, (3, 5, 4), channels=True, boundary="symmetric", method=method),
        )
        yield f"empty-{method}", co.convolution(K1, 3, mode="valid", method=method)
        signal = RNG.standard_normal((5, 6))
        yield f"kernel-{method}", co.kernel_operator(signal, (2, 3), boundary="symmetric", method=method)
        yield (
            f"kernel-{method}-complex",
            co.kernel_operator(signal * (1 + 2j), (3, 2), mode="full", stride=(2, 1), dilation=(1, 2), method=method),
        )
        yield (
            f"kernel-{method}-channels",
            co.kernel_operator(
                RNG.standard_normal((3, 2, 5, 4)), (2, 3, 2, 3), channels=True, boundary="wrap", method=method
            ),
        )
        yield f"kernel-{method}-axes", co.kernel_operator(RNG.standard_normal((3, 2, 5)), 4, axes=1, method=method)


def others():
    A, B = co.convolution(K2, (5, 6)), co.convolution(K2[::-1], (5, 6), boundary="symmetric")
    C = co.convolution(KC, (5, 6), boundary="edge")
    W = co.convolution(K2, (5, 6), boundary="wrap")
    yield "identity", co.identity((3, 4))
    yield "diagonal", co.diagonal(RNG.standard_normal((3, 4)))
    yield "diagonal-complex", co.diagonal(RNG.standard_normal(5) + 1j)
    yield "mask", co.mask(RNG.random((4, 3)) > 0.4)
    yield "crop", co.crop((6, 7), (slice(1, 5), slice(0, 7, 3)))
    yield "downsample", co.downsample((6, 7), (2, 3), 1)
    for boundary in ("zero", "wrap", "symmetric", "reflect", "edge", "antireflect"):
        yield f"pad-{boundary}", co.pad((3, 4), ((2, 1), (5, 9)), boundary)
        yield f"gradient-{boundary}", co.gradient((3, 5), boundary)
        yield f"laplacian-{boundary}", co.laplacian((4, 5), boundary)
    yield "central", co.difference((4, 5), 0, kind="central", boundary="reflect")
    yield "backward", co.difference((4, 5), 1, kind="backward", boundary="wrap")
    yield "function", co.from_function(lambda x: jnp.cumsum(x)[1:], 5)
    yield "function-adjoint", co.from_function(jnp.flip, (3, 4), adjoint=jnp.flip)
    yield "matrix", co.from_matrix(M, out_shape=(2, 3))
    yield "matrix-complex", co.from_matrix(M * (1 - 2j))
    yield "scipy-sparse", co.from_scipy(S)
    yield "adjoint", C.H
    yield "transpose", C.T
    yield "conjugate", (C @ B).conj()
    yield "sum", A + B - 2 * C
    yield "scaled", (2 - 3j) * co.gradient((3, 4))
    yield "composition", A @ co.mask(RNG.random((5, 6)) > 0.5) @ B.H
    yield "fused-product", W @ W
    yield "fused-sum", A + co.convolution(K2.T, (5, 6), origin=(0, 1))
    yield "gram-full", co.convolution(K2, (5, 6), mode="full").gram()
    yield "gram-wrap", W.gram()
    yield "gram", C.gram()
    yield "vstack", co.vstack([A, B])
    yield "vstack-flat", co.vstack([A, co.crop((5, 6), slice(1, 3))])
    yield "hstack", co.hstack([A, B, C])
    yield "block-diagonal", co.block_diagonal([A, co.identity(3)])
    yield "kronecker", co.kronecker(co.convolution(K1, 4), co.gradient((2, 3)))
    yield "batched", co.batched(jax.vmap(lambda k: co.convolution(k, (4, 5), boundary="edge"))(jnp.stack([K2, 2 * K2])))
    yield "batched-list", co.batched([A, co.convolution(-K2, (5, 6))])


ALL = dict([*convolutions(), *others()])
# in the quick suite every window meets one of the engines, and every boundary one of the differences
SLOW = {*[n for n in ALL if "-stencil" in n][1::2], *[n for n in ALL if "-fourier" in n][::2]}
SLOW |= {*(f"gradient-{b}" for b in ("wrap", "reflect", "edge"))}
SLOW |= {*(f"laplacian-{b}" for b in ("zero", "symmetric", "antireflect"))}
SLOW |= {"hstack", "conjugate", "scaled", "gram-wrap", "fused-product"}  # whose parts or likes are there


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else []) for n in ALL])
def test_conformance(name):
    check_operator(ALL[name], pickle=not name.startswith("function"))


def test_scipy_operator_calls_back():
    A = co.from_scipy(scipy.sparse.linalg.aslinearoperator(M))
    check_operator(A, pickle=False)


def broken(forward=None, adjoint=None):
    A = co.convolution(K2, (5, 6), boundary="symmetric")
    return co.from_function(forward or A._matvec, (5, 6), adjoint=adjoint or A._rmatvec)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (broken(adjoint=lambda y: co.correlation(K2, (5, 6), boundary="symmetric")._matvec(y)), "adjoint identity"),
        (broken(adjoint=lambda y: 2 * co.convolution(K2, (5, 6), boundary="symmetric")._rmatvec(y)), "adjoint"),
        (broken(forward=lambda x: jnp.abs(x)), "linearity"),
        (broken(forward=lambda x: x + 1), "linearity"),
        (broken(forward=lambda x: co.convolution(K2, (5, 6))._matvec(x)), "adjoint identity"),
        (broken(adjoint=lambda y: jnp.zeros((5, 1))), "shape"),
        (broken(adjoint=lambda y: jnp.zeros((5, 6), jnp.float16)), "dtype"),
    ],
)
def test_the_suite_finds_what_is_wrong(op, message):
    with pytest.raises(AssertionError, match=message):
        check_operator(op, pickle=False)


def test_kernels_of_one_shape_share_one_trace():
    traces = []

    @jax.jit
    def apply(A, x):
        traces.append(1)
        return A.matvec(x)

    x = RNG.standard_normal((20, 21))
    kernels = (co.psf.gaussian(2.0, (15, 15)), co.psf.disk(4.0, (15, 15)), co.psf.motion(9.0, 30.0, (15, 15)))
    for kernel in kernels:
        apply(co.convolution(kernel, x.shape, boundary="symmetric"), x)
    assert len(traces) == 1


def test_from_scipy_leaves_the_matrix_as_it_was():
    S = scipy.sparse.coo_array((np.ones(3), ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    A = co.from_scipy(S)
    assert (S.nnz, A.nnz) == (3, 2)


@pytest.mark.parametrize("kind", [float, complex])
def test_derivatives_through_what_is_called_back(kind):
    matrix = (np.arange(6.0) + (1j if kind is complex else 0)).reshape(2, 3)
    F, A = co.from_scipy(scipy.sparse.linalg.aslinearoperator(matrix)), matrix
    for product, dense in ((F, A), (F.H, A.conj().T), (F.gram(), A.conj().T @ A)):
        x = np.arange(1.0, dense.shape[1] + 1)
        slope = jax.grad(lambda x, product=product: jnp.sum(jnp.abs(product @ x) ** 2))(x)
        np.testing.assert_allclose(slope, 2 * (dense.conj().T @ dense @ x).real, rtol=1e-5)


def test_windows_are_pickled_without_what_they_keep():
    window = co.convolution(np.ones(3), 8).window
    hash(window)
    again = pickle.loads(pickle.dumps(window))
    assert again == window
    assert "_hash" not in again.__dict__
    assert hash(again) == hash(window)
