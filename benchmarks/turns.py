"""Solves that take turns: medians, first calls, and a line for each that is missing or does another job."""

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np

import convops as co

from .elsewhere import FAILURES, Solve

ROUNDS = 5


def photograph() -> np.ndarray:
    """The bundled photograph, every pixel four times."""
    return np.kron(co.problems.photograph() / 255, np.ones((2, 2))).astype(np.float32)


def difference(x: np.ndarray, ours: np.ndarray) -> float:
    """Relative difference of two results."""
    return float(np.linalg.norm(x - ours) / np.linalg.norm(ours))


def timed(
    candidates: Mapping[str, Solve],
    rng: random.Random,
    away: Callable[[np.ndarray, np.ndarray], float] = difference,
    limit: float = math.inf,
) -> list[list[str]]:
    """Medians, ratios to the fastest of the others, first calls, and how far each result is away from ours, the first.

    A candidate that fails, or is further away than the limit, is not timed: its line says why.
    """
    first, results, refused = _first_calls(candidates)
    ours = next(iter(results.values()))
    apart = {name: away(x, ours) for name, x in results.items()}
    refused |= {
        name: f"refused: {value:.0e} away, {limit:.0e} allowed" for name, value in apart.items() if not value <= limit
    }
    median = _medians({name: solve for name, solve in candidates.items() if name not in refused}, rng)
    others = min((value for name, value in median.items() if not _is_ours(name)), default=math.nan)
    return [
        [name, refused[name], "", "", ""]
        if name in refused
        else [name, *_figures(median[name], others, first[name], apart[name])]
        for name in candidates
    ]


def _figures(median: float, others: float, first: float, apart: float) -> list[str]:
    return [f"{1e3 * median:.0f} ms", f"{median / others:.2f}", f"{first:.1f} s", f"{apart:.0e}"]


def _is_ours(name: str) -> bool:
    return name.startswith("convops")


def _first_calls(candidates: Mapping[str, Solve]) -> tuple[dict[str, float], dict[str, np.ndarray], dict[str, str]]:
    """Seconds of the first calls, results, and why there is none; a failure of ours is raised."""
    first, results, refused = {}, {}, {}
    for name, solve in candidates.items():
        began = time.perf_counter()
        try:
            results[name] = solve().ravel()
        except FAILURES as error:
            if _is_ours(name):
                raise
            refused[name] = str(error)
        first[name] = time.perf_counter() - began
    return first, results, refused


def _medians(candidates: Mapping[str, Solve], rng: random.Random) -> dict[str, float]:
    """Median seconds, all in turn, in random order."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name in rng.sample(list(candidates), len(candidates)):
            began = time.perf_counter()
            candidates[name]()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(found) for name, found in seconds.items()}
