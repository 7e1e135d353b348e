"""What a solver in a process of its own answers with: ``python -m benchmarks.peers.<module> FILE``."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Solve = Callable[[], Any]


def serve(prepare: Callable[[Mapping[str, np.ndarray]], Solve]) -> None:
    """Prepare the problem in the file; for every line of the standard input solve it, save x beside it, and answer."""
    path = sys.argv[1]
    solve = prepare(np.load(path))
    for _ in sys.stdin:
        np.save(f"{path}.x.npy", np.asarray(solve()))
        print(flush=True)
