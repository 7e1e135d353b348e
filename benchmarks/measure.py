"""How a point is measured: every candidate warmed up and checked, then timed in turn, in random order."""

import dataclasses
import gc
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
PAUSE = 2e-3  # before a turn: the threads of the library before still spin for about a millisecond
TURN = 5e-3  # seconds of one turn, at least one call
MANY = 100  # calls of one turn at most: a short call's time differs from turn to turn, as its threads wake up or spin
SLOW = 1.0  # seconds a call; of slower candidates the one call after the warming up is taken
FAR = 8.0  # times the fastest; candidates that far off are called `FEW` times
FEW = 3
UNFIT = "not for this engine"

Run = Callable[[int], list[float]]
"""Call a candidate some times; the seconds of each call."""


class Unfit(Exception):
    """What an engine that cannot do a point says: no failure."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long a candidate is timed (seconds, calls), and which are."""

    seconds: float = 0.15
    least: int = 5
    most: int = 3000
    patience: float = 1.0  # by what the work is multiplied up to which slow candidates are timed at all


@dataclasses.dataclass
class Candidate:
    """Something to time at a point, and what has come of it."""

    name: str
    prepare: Callable[[], tuple[Run, np.ndarray | None]]  # makes what runs it, warm, and its result if it has the job's
    run: Run | None = None
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)

    def warm_up(self, reference: np.ndarray, tolerance: float) -> None:
        """Prepare the candidate and compare its result with the right one; a failure is a fact as well."""
        try:
            self.run, result = self.prepare()
            error = 0.0 if result is None else relative_error(result, reference)
            if result is not None:
                self.facts["error"] = error if np.isfinite(error) else None
            self.facts["estimate"] = self.run(1)[0]
        except Unfit:
            self.facts["status"] = UNFIT
            return
        except Exception as failure:
            self.run = None
            self.facts["status"] = f"failed: {type(failure).__name__}: {' '.join(str(failure).split())[:300]}"
            return
        self.facts["status"] = "timed" if error <= tolerance else "does not do the same job"
        if error > tolerance:
            self.run = None


def relative_error(result: np.ndarray, reference: np.ndarray) -> float:
    """Norm of the difference by the norm of the reference; infinite where the shapes do not fit or a NaN is in it."""
    result = np.asarray(result)
    if result.size != reference.size or not np.isfinite(result).all():
        return float("inf")
    difference = result.reshape(reference.shape).astype(np.float64) - reference
    return float(np.linalg.norm(difference) / np.linalg.norm(reference))


def clocked(function: Callable[[], Any]) -> Run:
    """Time a function of this process, call by call."""

    def run(times: int) -> list[float]:
        seconds = []
        for _ in range(times):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
        return seconds

    return run


def calls(estimates: Sequence[float], fastest: float, effort: Effort) -> list[int]:
    """How often each candidate is called, from the seconds that one call of it and of the fastest take about."""
    found = []
    for estimate in estimates:
        wanted = max(effort.least, min(effort.most, int(effort.seconds / estimate)))
        few = 0 if estimate > SLOW else FEW if estimate > FAR * fastest else wanted
        found.append(min(wanted, few))
    return found


def schedule(turns: Sequence[int], rng: random.Random) -> list[int]:
    """An order of turns, random, in which every candidate's are spread over the whole time."""
    places = [((i + rng.random()) / count, which) for which, count in enumerate(turns) for i in range(count)]
    return [which for _, which in sorted(places)]


def time_in_turn(candidates: Sequence[Candidate], effort: Effort, rng: random.Random) -> None:
    """Time the candidates that were warmed up, and put the quartiles into their facts."""
    timed = [candidate for candidate in candidates if candidate.run is not None]
    estimates = [max(candidate.facts["estimate"], 1e-7) for candidate in timed]
    fastest = min((e for e, c in zip(estimates, timed, strict=True) if "error" in c.facts), default=1.0)
    wanted = calls(estimates, fastest, effort)
    at_once = [
        max(1, min(count, MANY, int(TURN / estimate))) for count, estimate in zip(wanted, estimates, strict=True)
    ]
    turns = [-(-count // many) for count, many in zip(wanted, at_once, strict=True)]  # rounded up
    seconds: list[list[float]] = [[c.facts["estimate"]] if c.facts["estimate"] > SLOW else [] for c in timed]
    gc.collect()
    gc.disable()
    try:
        for which in schedule(turns, rng):
            time.sleep(PAUSE)
            run = timed[which].run
            assert run is not None
            if at_once[which] > 1:
                run(1)  # its own caches and threads, not those of the candidate before
            seconds[which] += run(at_once[which])
    finally:
        gc.enable()
    for candidate, found in zip(timed, seconds, strict=True):
        candidate.facts |= quartiles(found)


def quartiles(seconds: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles and number of runs."""
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else [*seconds] * 3
    return {"median": middle, "quartiles": [low, high], "runs": len(seconds)}


def measure(
    candidates: Iterable[Candidate], reference: np.ndarray, dtype: str, effort: Effort, rng: random.Random
) -> dict[str, dict[str, Any]]:
    """Warm up, check and time the candidates of a point; what came of each, by name."""
    found = list(candidates)
    rng.shuffle(found)
    for candidate in found:
        candidate.warm_up(reference, TOLERANCE[dtype])
    time_in_turn(found, effort, rng)
    for candidate in found:
        candidate.run = None
        candidate.facts.pop("estimate", None)
    return {candidate.name: candidate.facts for candidate in found}
