"""Cold starts: ``python -m benchmarks.cold NAME POINT`` does a point's job once in a new process."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .grid import Point, square
from .measure import quartiles
from .problem import make_problem
from .registry import Peer, peer_named

OURS = "convops"
POINTS = (square(1024, 9), square(2048, 31), Point((1_000_000,), (1025,)))
ROOT = Path(__file__).resolve().parent.parent


def cold_starts(
    peers: Sequence[Peer], pythons: Mapping[str, Path], points: Sequence[Point], times: int
) -> Iterator[dict[str, Any]]:
    """Seconds from a process's start to its first result, and its peak memory, for convops and for every peer."""
    for point in points:
        names = [OURS, *(peer.name for peer in peers if not peer.refuses(point) and "native" not in peer.groups)]
        for name in names:
            environment = "" if name == OURS else peer_named(name).environment
            command = [str(pythons[environment]) if environment else sys.executable, "-m", "benchmarks.cold"]
            yield {"point": point.name, "name": name, **_started([*command, name, json.dumps(point.as_json())], times)}


def _started(command: Sequence[str], times: int) -> dict[str, Any]:
    """What one command took, several times over; or how it failed."""
    seconds, answer = [], {}
    for _ in range(times):
        start = time.perf_counter()
        with subprocess.Popen(
            command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            line = next((line for line in lines if line.startswith("{")), "")
            seconds.append(time.perf_counter() - start)
        if not line or process.returncode:
            return {"status": f"failed with exit status {process.returncode}"}
        answer = json.loads(line)
    return {"status": "timed", **answer, **quartiles(seconds)}


def peak_memory() -> int:
    """The most memory this process has held, in bytes.

    Linux lets a child inherit `getrusage`'s figure from the process that started it, so the kernel's own is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _first_result(name: str, point: Point) -> None:
    """Do the job once, as a user does: the operator made and applied, nothing jitted by hand."""
    problem = make_problem(point)
    if name == OURS:
        import convops as co

        how: dict[str, Any] = {"mode": point.mode, "boundary": point.boundary}
        np.asarray(co.convolution(problem.kernel, point.shape, **how).matvec(problem.x))
    else:
        np.asarray(peer_named(name).build(problem)())


def main() -> None:
    """Print the peak memory after the arrays and the imports, and after the first result."""
    name, point = sys.argv[1], Point.from_json(json.loads(sys.argv[2]))
    if name == OURS:
        import convops  # noqa: F401
    else:
        peer_named(name).missing()  # imports the package
    imports = peak_memory()
    _first_result(name, point)
    print(json.dumps({"imports": imports, "peak": peak_memory()}), flush=True)


if __name__ == "__main__":
    main()
