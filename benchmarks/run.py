"""One run: the peers gathered, every point measured, everything written."""

import dataclasses
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import candidates, cold, environments, machine, ours, report
from .environments import Worker
from .grid import Point, full_grid, quick_grid
from .measure import UNFIT, Effort, measure
from .problem import make_problem, reference
from .registry import PEERS, Peer

FULL = Effort()
QUICK = Effort(seconds=0.05, most=500, patience=0.2)


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run is asked for."""

    quick: bool = False
    only: str = ""
    peers: str = ""
    output: Path = Path("build/benchmarks")
    environments: Path = dataclasses.field(default_factory=environments.default_folder)
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Rivals:
    """The peers that can be measured, the workers and interpreters of their environments, and what is missing."""

    peers: tuple[Peer, ...]
    workers: Mapping[str, Worker]
    pythons: Mapping[str, Path]
    missing: Mapping[str, str]
    versions: Mapping[str, str]


def chosen(peers: Sequence[Peer], pattern: str) -> tuple[tuple[Peer, ...], dict[str, str]]:
    """The peers whose names a pattern matches, and why the others are missing."""
    matched = [peer for peer in peers if re.search(pattern, peer.name, re.IGNORECASE)]
    return tuple(matched), {peer.name: "not asked for" for peer in peers if peer not in matched}


def gather(options: Options, peers: Sequence[Peer] = PEERS) -> Rivals:
    """Find the peers, make the environments that some need, and start a worker in each."""
    asked, missing = chosen(peers, options.peers)
    workers, pythons, versions = {}, {}, {}
    for name in {peer.environment for peer in asked if peer.environment}:
        members = [peer.name for peer in asked if peer.environment == name]
        try:
            pythons[name] = environments.interpreter(name, options.environments)
            workers[name] = Worker.start(pythons[name])
            missing |= workers[name].missing(members)
        except Exception as error:
            missing |= dict.fromkeys(members, f"its environment could not be made: {error}")
    missing |= {peer.name: peer.missing() for peer in asked if not peer.environment}
    missing = {name: reason for name, reason in missing.items() if reason}
    there = tuple(peer for peer in asked if peer.name not in missing)
    for peer in there:
        inside = workers[peer.environment].version(peer.distribution) if peer.environment else ""
        versions[peer.name] = f"{peer.distribution} {inside or machine.version(peer.distribution)}"
    return Rivals(there, workers, pythons, missing, versions)


def measure_point(point: Point, rivals: Rivals, effort: Effort, rng: random.Random) -> dict[str, Any]:
    """Measure one point."""
    problem = make_problem(point)
    with ours.precision(point):
        everybody = candidates.candidates(problem, rivals.peers, rivals.workers, effort.patience)
        found = measure(everybody, reference(problem), point.dtype, effort, rng)
    for worker in rivals.workers.values():
        worker.drop()
    return {
        "name": point.name,
        "family": point.family,
        "point": point.as_json(),
        "candidates": found,
        "refused": candidates.refusals(point, rivals.peers, effort.patience),
    }


def printed(row: Mapping[str, Any], position: str, seconds: float) -> str:
    """A point's result as a line for each candidate, the fastest first."""
    lines = [f"{position} {row['name']} ({seconds:.1f} s)"]
    for name, facts in sorted(row["candidates"].items(), key=lambda pair: pair[1].get("median", float("inf"))):
        error = f"error {facts['error']:.1e}" if facts.get("error") is not None else ""
        engine = f"[{facts['engine']}]" if name == ours.AUTO and facts.get("engine") else ""
        if facts["status"] == UNFIT:
            continue
        what = report.milliseconds(facts["median"]) + " ms" if "median" in facts else facts["status"]
        lines.append(f"    {name + ' ' + engine:34s} {what:>12s}  {error}")
    return "\n".join(lines)


def run(options: Options) -> dict[str, Any]:
    """Measure what was asked for, write it, and return it."""
    rivals = gather(options)
    for name, reason in rivals.missing.items():
        print(f"missing: {name}: {reason}")
    results = {
        "quick": options.quick,
        "seconds": 0,
        "seed": options.seed,
        "machine": machine.describe(),
        "versions": rivals.versions,
        "missing": rivals.missing,
        "points": [],
        "cold": [],
    }
    begun = time.perf_counter()
    try:
        for rows in measured(options, rivals):
            results |= {"points": rows, "seconds": round(time.perf_counter() - begun)}
            report.keep(results, options.output)
    except KeyboardInterrupt:
        print(f"stopped: {len(results['points'])} points are reported")
    finally:
        for worker in rivals.workers.values():
            worker.stop()
    results["cold"] = cold_starts(options, rivals)
    results["seconds"] = round(time.perf_counter() - begun)
    finish(results, options.output)
    return results


def measured(options: Options, rivals: Rivals) -> Iterator[list[dict[str, Any]]]:
    """Measure point after point, in random order; yield all that there are so far, in the grid's order."""
    effort = QUICK if options.quick else FULL
    grid = quick_grid() if options.quick else full_grid()
    grid = [point for point in grid if re.search(options.only, f"{point.family}: {point.name}")]
    rng, rows = random.Random(options.seed), {}
    order = rng.sample(range(len(grid)), len(grid))  # a run that is stopped has seen a fair part of the grid
    for i, number in enumerate(order):
        start = time.perf_counter()
        rows[number] = measure_point(grid[number], rivals, effort, rng)
        print(printed(rows[number], f"[{i + 1}/{len(grid)}]", time.perf_counter() - start), flush=True)
        yield [rows[each] for each in sorted(rows)]


def cold_starts(options: Options, rivals: Rivals) -> list[dict[str, Any]]:
    """Cold starts of a full or a quick run; none where only some points were asked for."""
    if options.only:
        return []
    if options.quick:
        few = [peer for peer in rivals.peers if peer.name in ("scipy fftconvolve", "torch conv", "lax.conv")]
        return list(cold.cold_starts(few, rivals.pythons, cold.POINTS[:1], 1))
    return list(cold.cold_starts(rivals.peers, rivals.pythons, cold.POINTS, 2))


def finish(results: dict[str, Any], output: Path) -> None:
    """Write and draw the results, and print the summary."""
    written = report.write(results, output)
    try:
        from . import plots

        written += plots.draw(results, output)
    except ImportError as error:
        print(f"no plots: {error}")
    print("\n" + (output / "summary.md").read_text())
    print("written:", *written)
