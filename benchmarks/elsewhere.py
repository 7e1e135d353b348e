"""A solver of another package in an environment and a process of its own."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .environments import ROOT, default_folder, interpreter

Solve = Callable[[], np.ndarray]


@contextmanager
def elsewhere(environment: str, module: str, **problem: object) -> Iterator[Solve]:
    """The solver in ``benchmarks.peers.<module>`` of a problem, at the other end of a pipe."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        np.savez(path, **problem)
        python = interpreter(environment, default_folder())
        command = [str(python), "-m", f"benchmarks.peers.{module}", str(path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:

            def solve() -> np.ndarray:
                process.stdin.write("\n")
                process.stdin.flush()
                if not process.stdout.readline():
                    raise RuntimeError(f"the process of {module} ended")
                return np.load(f"{path}.x.npy")

            yield solve
