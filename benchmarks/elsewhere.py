"""Solvers of other packages: in an environment and a process of their own, or in this one."""

import importlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .environments import ROOT, default_folder, interpreter

Solve = Callable[[], np.ndarray]
FAILURES = (ImportError, OSError, RuntimeError)


def missing(error: Exception) -> Solve:
    """Stands for a solver that cannot be had; raises RuntimeError with the reason."""

    def solve() -> np.ndarray:
        raise RuntimeError(f"missing: {error}")

    return solve


def here(module: str, **problem: object) -> Solve:
    """The solver in ``benchmarks.peers.<module>`` of a problem, in this process."""
    try:
        return importlib.import_module(f".peers.{module}", __package__).prepare(problem)
    except ImportError as error:
        return missing(error)


@contextmanager
def elsewhere(environment: str, module: str, **problem: object) -> Iterator[Solve]:
    """The solver in ``benchmarks.peers.<module>`` of a problem, at the other end of a pipe."""
    try:
        python = interpreter(environment, default_folder())
    except FAILURES as error:
        yield missing(error)
        return
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        path = Path(folder) / "problem.npz"
        np.savez(path, **problem)
        command = [str(python), "-m", f"benchmarks.peers.{module}", str(path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:

            def solve() -> np.ndarray:
                process.stdin.write("\n")
                process.stdin.flush()
                if not process.stdout.readline():
                    log.seek(0)
                    raise RuntimeError(f"the process of {module} ended: {''.join(log.read().splitlines()[-1:])}")
                return np.load(f"{path}.x.npy")

            yield solve
