"""Nanoseconds for each unit of `Work`, by platform.

``cpu`` was measured on 2 cores of an AMD EPYC with AVX2; `python -m benchmarks.calibrate` measures the machine it runs
on and prints a table to put here. Only their ratios decide, and those change little between machines of a kind.
``gpu`` and ``tpu`` are estimates from an H100's published bandwidth and rates, not measured yet.
"""

COSTS: dict[str, dict[str, float]] = {
    "cpu": {
        "calls": 26000.0,
        "bytes": 0.0285,
        "taps": 0.0304,
        "transforms": 0.208,
        "lone_transforms": 0.509,
        "products": 0.0155,
        "mixes": 4.5,
        "tiles": 26000.0,
        "patches": 0.394,
    },
    "gpu": {
        "calls": 4000.0,
        "bytes": 0.0005,
        "taps": 0.0002,
        "transforms": 0.0015,
        "lone_transforms": 0.003,
        "products": 0.0001,
        "mixes": 0.005,
        "tiles": 60000.0,
        "patches": 0.002,
    },
}
COSTS["tpu"] = COSTS["gpu"]
