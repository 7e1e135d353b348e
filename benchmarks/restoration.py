"""Restorations beside those of other packages: ``python -m benchmarks.restoration``.

Total variation against SCICO and DeepInverse, sparse wavelet coefficients against PyLops and PyProximal, Richardson
and Lucy against scikit-image. All in turn, in random order, float32; SCICO and DeepInverse run in environments and
processes of their own. What is missing, or does another job, is named and not timed.
"""

import inspect
import random
from contextlib import ExitStack

import numpy as np

import convops as co

from .elsewhere import elsewhere, here
from .report import table
from .turns import photograph, timed

WEIGHT, RHO, STEPS = 2e-2, 0.5, 50
SPARSITY, LEVELS, FISTA_STEPS = 2e-3, 4, 100
LIMIT = 1e-3

# The parameters of fewest steps (for DeepInverse's ADMM of least work) on grids, and the fewest steps by which the
# objective is within LIMIT of the least.
NEAR = {
    "convops admm": {"rho": 0.14, "steps": 39},
    "DeepInverse PDCP": {"stepsize": 1.4, "steps": 62},
    "DeepInverse ADMM with TVPrior": {"stepsize": 4.0, "steps": 24, "inner": 12, "inner_stepsize": 0.1},
}


class Star:
    """SCICO's Siemens star, 256 x 256 samples, a periodic box of 5 x 5, and total variation."""

    def __init__(self) -> None:
        problem = co.problems.siemens_star()
        self.A, self.b = problem.A, np.asarray(problem.b, np.float32)
        self.start, self.penalty = self.A.H @ self.b, co.TotalVariation(WEIGHT, boundary="wrap")
        self.given = {"b": self.b, "kernel": np.asarray(self.A.kernel, np.float32), "weight": WEIGHT}

    def solve(self, rho: float, steps: int) -> np.ndarray:
        options = {"penalty": self.penalty, "x0": self.start, "rho": rho, "rtol": 0.0, "max_steps": steps}
        return np.asarray(co.admm(self.A, self.b, **options).x)

    def objective(self, x: np.ndarray) -> float:
        """1/2 norm(A x - b)^2 + weight TV(x), the sums in double precision."""
        x = x.reshape(self.b.shape)
        D = [(np.roll(x, -1, axis) - x).astype(float) for axis in (0, 1)]
        r = np.asarray(self.A @ x, float) - self.b
        return float(np.sum(r**2) / 2 + WEIGHT * np.sum(np.hypot(*D)))


def total_variation(rng: random.Random) -> list[list[str]]:
    """ADMM for total variation, 50 steps: SCICO's Siemens star, 256 x 256 samples, a periodic box of 5 x 5."""
    star = Star()
    with elsewhere("scico", "tv_by_scico", **star.given, rho=RHO, steps=STEPS) as theirs:
        ours = {"convops admm": lambda: star.solve(RHO, STEPS)}
        return timed(ours | {"SCICO ADMM": theirs}, rng, limit=LIMIT)


def near_the_least(rng: random.Random) -> list[list[str]]:
    """Total variation of the same star to an objective 1e-3 above the least, each with its best parameters.

    The last column is how far the objective is above the least.
    """
    star = Star()
    least = star.objective(star.solve(0.1, 3000))
    ours = NEAR["convops admm"]
    candidates = {f"convops admm, {ours['steps']} steps": lambda: star.solve(**ours)}
    with ExitStack() as stack:
        scico = elsewhere("scico", "tv_by_scico", **star.given, **ours)
        candidates[f"SCICO ADMM, {ours['steps']} steps"] = stack.enter_context(scico)
        for name in list(NEAR)[1:]:
            theirs = elsewhere("deepinverse", "tv_by_deepinverse", **star.given, **NEAR[name])
            candidates[f"{name}, {NEAR[name]['steps']} steps"] = stack.enter_context(theirs)
        return timed(candidates, rng, lambda x, _: star.objective(x) / least - 1, 1.05 * LIMIT)


def sparse(kernel: np.ndarray, rng: random.Random) -> list[list[str]]:
    """FISTA without restarts, 100 steps of 1 / norm(A)^2, for sparse Haar coefficients of the photograph."""
    scene, W = photograph(), co.wavelet((512, 512), levels=LEVELS)
    A = co.convolution(kernel, scene.shape)
    noise = 0.01 * np.random.default_rng(0).standard_normal(scene.shape)
    b = np.asarray(A @ scene) + noise.astype(np.float32)
    step = 1 / float(A.norm()) ** 2
    options = {"step": step, "restart": False, "rtol": 0.0, "max_steps": FISTA_STEPS}
    given = {"b": b, "kernel": kernel, "weight": SPARSITY, "levels": LEVELS, "step": step, "steps": FISTA_STEPS}
    return timed(
        {
            "convops fista": lambda: np.asarray(co.fista(A, b, penalty=co.L1(SPARSITY, transform=W), **options).x),
            "PyLops fista": here("fista_by_pylops", **given),
            "PyProximal ProximalGradient": here("fista_by_pyproximal", **given),
        },
        rng,
        limit=LIMIT,
    )


def gaussian(rng: random.Random) -> list[list[str]]:
    """FISTA for 4 levels of Haar coefficients, 100 steps: 512 x 512 samples, zeros around, a Gaussian of 2 pixels."""
    return sparse(np.asarray(co.psf.gaussian(2.0), np.float32), rng)


def motion(rng: random.Random) -> list[list[str]]:
    """The same with a motion of 21 pixels."""
    return sparse(np.asarray(co.psf.motion(21, angle=20.0), np.float32), rng)


def photons(rng: random.Random) -> list[list[str]]:
    """Richardson and Lucy, 50 plain steps: a photograph of 512 x 512 samples, a Gaussian of 2 pixels, zeros around."""
    scene = photograph()
    kernel = np.asarray(co.psf.gaussian(2.0, (17, 17)), np.float32)
    A = co.convolution(kernel, scene.shape)
    b = np.asarray(A @ scene)
    start = np.full(b.shape, 0.5, np.float32)
    options = {"x0": start, "accelerate": False, "normalize": False, "stop": None, "rtol": 0.0, "max_steps": STEPS}
    return timed(
        {
            "convops richardson_lucy": lambda: np.asarray(co.richardson_lucy(A, b, **options).x),
            "scikit-image richardson_lucy": here("photons_by_skimage", b=b, kernel=kernel, steps=STEPS),
        },
        rng,
        limit=LIMIT,
    )


def main() -> None:
    """Measure and print."""
    rng = random.Random(0)
    for job in (total_variation, near_the_least, gaussian, motion, photons):
        print(f"\n{inspect.getdoc(job)}\n", flush=True)
        print(table(["", "median", "by the fastest of the others", "first call", "difference"], job(rng)), flush=True)


if __name__ == "__main__":
    main()
