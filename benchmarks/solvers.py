"""Whole solves against SciPy, PyLops, SCICO and DeepInverse, to the same accuracy: ``python -m benchmarks.solvers``.

A photograph of 512 x 512 samples with zeros around, blurred by a Gaussian of 2 pixels (17 x 17 taps) or by a motion of
21, float32. Every candidate keeps the kernel's spectrum, or whatever its package prepares; all run in turn, in random
order; SCICO and DeepInverse in environments and processes of their own.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import jax
import numpy as np
import pylops
import scipy.fft
import scipy.sparse.linalg as scipy_linalg

import convops as co

from .elsewhere import Solve, elsewhere
from .report import table
from .turns import photograph, timed

SIZE, STEPS, WEIGHT, RTOL = 512, 100, 1e-2, 1e-5
ELSEWHERE = {"SCICO cg": ("scico", "solves_by_scico"), "DeepInverse CG": ("deepinverse", "solves_by_deepinverse")}


def lengths_of(kernel: np.ndarray) -> list[int]:
    """Lengths of transforms in which nothing wraps around."""
    return [scipy.fft.next_fast_len(SIZE + k - 1, real=True) for k in kernel.shape]


@contextmanager
def others(kernel: np.ndarray, b: np.ndarray, **how: float) -> Iterator[dict[str, Solve]]:
    """The solvers of packages in processes of their own."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(elsewhere(*where, b=b, kernel=kernel, lengths=lengths_of(kernel), **how))
            for name, where in ELSEWHERE.items()
        }


def by_scipy(kernel: np.ndarray) -> scipy_linalg.LinearOperator:
    """The blur by SciPy's transforms on all cores, the spectrum kept."""
    lengths = lengths_of(kernel)
    spectrum = scipy.fft.rfft2(kernel, lengths)
    starts = [k // 2 for k in kernel.shape]

    def forward(x: np.ndarray) -> np.ndarray:
        y = scipy.fft.irfft2(
            scipy.fft.rfft2(x.reshape(SIZE, SIZE), lengths, workers=-1) * spectrum, lengths, workers=-1
        )
        return y[starts[0] : starts[0] + SIZE, starts[1] : starts[1] + SIZE].ravel()

    def adjoint(y: np.ndarray) -> np.ndarray:
        wide = np.zeros(lengths, np.float32)
        wide[starts[0] : starts[0] + SIZE, starts[1] : starts[1] + SIZE] = y.reshape(SIZE, SIZE)
        x = scipy.fft.irfft2(scipy.fft.rfft2(wide, workers=-1) * spectrum.conj(), lengths, workers=-1)
        return x[:SIZE, :SIZE].ravel()

    return scipy_linalg.LinearOperator((SIZE**2, SIZE**2), forward, adjoint, dtype=np.float32)


def differences(x: np.ndarray) -> np.ndarray:
    """D^T D x of the forward differences, the last of which is zero."""
    x = x.reshape(SIZE, SIZE)
    out = np.zeros_like(x)
    for axis in (0, 1):
        d = np.diff(x, axis=axis)
        out += np.concatenate([np.zeros_like(np.take(d, [0], axis)), d], axis)
        out -= np.concatenate([d, np.zeros_like(np.take(d, [0], axis))], axis)
    return out.ravel()


def least_squares(A: co.LinearOperator, kernel: np.ndarray, b: np.ndarray) -> dict[str, Solve]:
    """CGLS or LSQR, 100 steps."""
    scipys = by_scipy(kernel)
    theirs = pylops.signalprocessing.Convolve2D(
        (SIZE, SIZE), kernel, tuple(k // 2 for k in kernel.shape), dtype="float32"
    )
    start = np.zeros(SIZE**2, np.float32)
    none = {"atol": 0.0, "btol": 0.0, "conlim": 0.0, "iter_lim": STEPS}
    return {
        "convops cgls": lambda: np.asarray(co.cgls(A, b, rtol=0.0, max_steps=STEPS).x),
        "convops lsqr": lambda: np.asarray(co.lsqr(A, b, rtol=0.0, max_steps=STEPS).x),
        "SciPy lsqr": lambda: scipy_linalg.lsqr(scipys, b.ravel(), **none)[0],
        "PyLops cgls": lambda: pylops.optimization.basic.cgls(theirs, b.ravel(), start.copy(), STEPS, tol=0.0)[0],
    }


def tikhonov(A: co.LinearOperator, kernel: np.ndarray, b: np.ndarray) -> dict[str, Solve]:
    """Conjugate gradients on (A^T A + weight D^T D) x = A^T b, to a residual of 1e-5."""
    scipys = by_scipy(kernel)
    shape = (SIZE, SIZE)
    theirs = pylops.signalprocessing.Convolve2D(shape, kernel, tuple(k // 2 for k in kernel.shape), dtype="float32")
    D = [pylops.FirstDerivative(shape, axis=a, kind="forward", dtype="float32") for a in (0, 1)]
    normal = scipy_linalg.LinearOperator(
        (SIZE**2, SIZE**2), lambda x: scipys.rmatvec(scipys.matvec(x)) + WEIGHT * differences(x), dtype=np.float32
    )
    pylops_normal = theirs.H * theirs + WEIGHT * (D[0].H * D[0] + D[1].H * D[1])
    rhs, pylops_rhs = scipys.rmatvec(b.ravel()), theirs.H * b.ravel()
    return {
        "convops tikhonov": lambda: np.asarray(co.tikhonov(A, b, L="gradient", weight=WEIGHT, rtol=RTOL).x),
        "SciPy cg": lambda: scipy_linalg.cg(normal, rhs, rtol=RTOL)[0],
        "PyLops cg": lambda: pylops.optimization.basic.cg(
            pylops_normal, pylops_rhs, np.zeros_like(rhs), 1000, tol=RTOL * float(np.linalg.norm(pylops_rhs))
        )[0],
    }


def main() -> None:
    """Measure and print."""
    scene = photograph()
    kernels = {"Gaussian, 2 pixels": co.psf.gaussian(2.0), "motion, 21 pixels": co.psf.motion(21, angle=20.0)}
    rng = random.Random(0)
    for name, psf in kernels.items():
        kernel = np.asarray(psf, np.float32)
        A = co.convolution(kernel, (SIZE, SIZE))
        noise = 0.01 * np.random.default_rng(0).standard_normal((SIZE, SIZE)).astype(np.float32)
        b = np.asarray(jax.block_until_ready(A @ scene)) + noise
        jobs = {
            least_squares: {"weight": 0.0, "rtol": 0.0, "steps": STEPS},
            tikhonov: {"weight": WEIGHT, "rtol": RTOL, "steps": 1000},
        }
        for job, how in jobs.items():
            print(f"\n{name}: {job.__doc__}\n")
            header = ["", "median", "by the fastest of the others", "first call", "difference"]
            with others(kernel, b, **how) as theirs:
                print(table(header, timed(job(A, kernel, b) | theirs, rng)))


if __name__ == "__main__":
    main()
