"""Total variation against SCICO, Richardson and Lucy against scikit-image: ``python -m benchmarks.restoration``.

All in turn, in random order, float32. SCICO runs in an environment and a process of its own.
"""

import random

import numpy as np
from skimage.restoration import richardson_lucy

import convops as co

from .elsewhere import elsewhere
from .report import table
from .solvers import timed

WEIGHT, RHO, STEPS = 2e-2, 0.5, 50


def total_variation(rng: random.Random) -> list[list[str]]:
    """ADMM for total variation, 50 steps: SCICO's Siemens star, 256 x 256 samples, a periodic box of 5 x 5."""
    problem = co.problems.siemens_star()
    A, b = problem.A, np.asarray(problem.b, np.float32)
    start, penalty = A.H @ b, co.TotalVariation(WEIGHT, boundary="wrap")

    def ours() -> np.ndarray:
        return np.asarray(co.admm(A, b, penalty=penalty, x0=start, rho=RHO, rtol=0.0, max_steps=STEPS).x)

    kernel = np.asarray(A.kernel, np.float32)
    with elsewhere("scico", "tv_by_scico", b=b, kernel=kernel, weight=WEIGHT, rho=RHO, steps=STEPS) as theirs:
        return timed({"convops admm": ours, "SCICO ADMM": theirs}, rng)


def photons(rng: random.Random) -> list[list[str]]:
    """Richardson and Lucy, 50 plain steps: a photograph of 512 x 512 samples, a Gaussian of 2 pixels, zeros around."""
    scene = np.kron(co.problems.photograph() / 255, np.ones((2, 2))).astype(np.float32)
    kernel = np.asarray(co.psf.gaussian(2.0, (17, 17)), np.float32)
    A = co.convolution(kernel, scene.shape)
    b = np.asarray(A @ scene)
    start = np.full(b.shape, 0.5, np.float32)
    options = {"x0": start, "accelerate": False, "normalize": False, "stop": None, "rtol": 0.0, "max_steps": STEPS}
    return timed(
        {
            "convops richardson_lucy": lambda: np.asarray(co.richardson_lucy(A, b, **options).x),
            "scikit-image richardson_lucy": lambda: richardson_lucy(b, kernel, num_iter=STEPS, clip=False),
        },
        rng,
    )


def main() -> None:
    """Measure and print."""
    rng = random.Random(0)
    for job in (total_variation, photons):
        print(f"\n{job.__doc__}\n")
        print(table(["", "median", "by the other", "first call", "difference"], job(rng)))


if __name__ == "__main__":
    main()
