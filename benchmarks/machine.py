"""On what machine, with which versions and how many threads: what a reader needs to judge the numbers."""

import datetime
import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

DISTRIBUTIONS = ("jax", "jaxlib", "numpy", "scipy", "opencv-python-headless", "torch", "pylops")


def describe() -> dict[str, Any]:
    """The machine, the versions in this process, thread counts, date and load."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in DISTRIBUTIONS},
        "threads": _threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def cores() -> int:
    """Cores that this process may use: what every library gets as its number of threads."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def version(distribution: str) -> str:
    """Version of an installed distribution; empty where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _threads() -> dict[str, int]:
    """Threads of the libraries that were imported; jax takes all the cores."""
    found = {"jax": cores()}
    if "torch" in sys.modules:
        found["torch"] = sys.modules["torch"].get_num_threads()
    if "cv2" in sys.modules:
        found["OpenCV"] = sys.modules["cv2"].getNumThreads()
    return found
