"""A process that runs the peers of another environment: ``python -m benchmarks.worker``.

It reads one JSON object a line and answers with one. ``{"do": "prepare", "peer": name, "point": {...}}`` is answered
with a key and the path of the result, ``{"do": "run", "key": key, "times": n}`` with the seconds of each call; the
other tasks are the methods of `Desk`. A failure is ``{"failure": text}``; ``{"do": "stop"}`` ends the process.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from .grid import Point
from .machine import version
from .measure import clocked
from .problem import make_problem
from .registry import peer_named


class Desk:
    """What is prepared, and the answers."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.prepared: dict[str, tuple[Point, Callable[[], Any]]] = {}

    def missing(self, peers: list[str]) -> dict[str, Any]:
        return {"missing": {name: peer_named(name).missing() for name in peers}}

    def prepare(self, peer: str, point: dict[str, Any]) -> dict[str, Any]:
        here = Point.from_json(point)
        with precision(here):
            run = peer_named(peer).build(make_problem(here))
            result = np.asarray(run())
        self.prepared[peer] = (here, run)
        path = os.path.join(self.folder, "result.npy")
        np.save(path, result)
        return {"key": peer, "result": path}

    def run(self, key: str, times: int) -> dict[str, Any]:
        point, run = self.prepared[key]
        with precision(point):
            return {"seconds": clocked(run)(times)}

    def version(self, distribution: str) -> dict[str, Any]:
        return {"version": version(distribution)}

    def drop(self) -> dict[str, Any]:
        self.prepared.clear()
        return {}


def precision(point: Point) -> contextlib.AbstractContextManager[Any]:
    """Double precision for the points that ask for it, where jax is in use."""
    if point.dtype == "float64" and "jax" in sys.modules:
        import jax

        return jax.enable_x64(True)
    return contextlib.nullcontext()


def main() -> None:
    """Answer until told to stop or until the line is cut; what packages print goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(folder)
        for line in sys.stdin:
            question = json.loads(line)
            task = question.pop("do")
            if task == "stop":
                return
            try:
                answer = getattr(desk, task)(**question)
            except Exception as failure:
                answer = {"failure": f"{type(failure).__name__}: {' '.join(str(failure).split())[:300]}"}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
