"""Virtual environments for the peers that cannot share ours, and the worker process in each."""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .grid import Point
from .measure import Run

ROOT = Path(__file__).resolve().parent.parent
JAX = importlib.metadata.version("jax")

INSTALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    # SCICO pins an older jax, but its operators run on ours: one jax for both, or the comparison is of two compilers.
    "scico": ((f"jax=={JAX}", f"jaxlib=={JAX}", "scipy", "flax", "imageio"), ("--no-deps", "scico==0.0.7")),
    # torch comes first and by its version, lest the CUDA build comes with it; by_deepinverse says why no torchvision.
    "deepinverse": (
        ("torch==2.13.0", "numpy", "scipy"),
        ("--no-deps", "deepinv==0.5.0"),
        ("torch==2.13.0", "matplotlib", "tqdm", "torchmetrics", "einops", "requests", "h5py", "natsort"),
    ),
}
"""For each environment, the arguments of one pip install after another."""


def default_folder() -> Path:
    """Where environments are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "convops-benchmarks"


def interpreter(name: str, folder: Path) -> Path:
    """The Python of an environment, which is made where it is not there; raises RuntimeError with pip's reason."""
    steps = INSTALLS[name]
    key = hashlib.sha256(repr((steps, sys.version_info[:2])).encode()).hexdigest()[:8]
    home = folder / f"{name}-{key}"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (home / "complete").exists():
        return python
    print(f"making the environment {home} ...", flush=True)
    venv.create(home, with_pip=True, clear=True)
    for arguments in steps:
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"pip install {' '.join(arguments)}: {done.stderr.strip().splitlines()[-1:]}")
    (home / "complete").touch()
    return python


@dataclasses.dataclass
class Worker:
    """A process of another environment that prepares and runs peers when asked to."""

    process: subprocess.Popen[str]
    log: Any

    @staticmethod
    def start(python: Path) -> "Worker":
        """Start the worker of an environment."""
        log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        command = [str(python), "-m", "benchmarks.worker"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        return Worker(subprocess.Popen(command, cwd=ROOT, text=True, **pipes), log)

    def ask(self, task: str, **question: Any) -> dict[str, Any]:
        """The worker's answer; raises RuntimeError with its failure."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": task, **question}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"the worker ended: {self.log.read().strip()[-300:]}")
        answer = json.loads(line)
        if "failure" in answer:
            raise RuntimeError(answer["failure"])
        return answer

    def missing(self, peers: Sequence[str]) -> dict[str, str]:
        """Why each peer cannot be had; empty if it can."""
        return self.ask("missing", peers=list(peers))["missing"]

    def version(self, distribution: str) -> str:
        """Version of a distribution in the worker's environment."""
        return self.ask("version", distribution=distribution)["version"]

    def prepare(self, peer: str, point: Point) -> tuple[Run, np.ndarray]:
        """What runs a peer at a point, and its result."""
        answer = self.ask("prepare", peer=peer, point=point.as_json())
        key = answer["key"]
        return lambda times: self.ask("run", key=key, times=times)["seconds"], np.load(answer["result"])

    def drop(self) -> None:
        """Let go of all that is prepared."""
        self.ask("drop")

    def stop(self) -> None:
        """End the process."""
        if self.process.poll() is None and self.process.stdin is not None:
            self.process.stdin.write('{"do": "stop"}\n')
            self.process.stdin.close()
            self.process.wait(10)
        self.log.close()
