"""Measure the constants of the engines' cost model on this machine: `python -m benchmarks.calibrate`.

Every engine applies a spread of convolutions; the table is the one whose predictions are nearest to the measured times,
in relative terms. Put it into `convops/operators/engines/costs.py`.
"""

import statistics
import time
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import convops as co
from convops.operators.engines import ENGINES, choose
from convops.operators.engines.costs import COSTS
from convops.operators.engines.work import Work

SECONDS = 0.25  # for one engine on one convolution
HOPELESS = 10  # an engine predicted to be so many times slower than the best is not measured


def problems() -> Iterator[tuple[np.ndarray, tuple[int, ...], dict]]:
    """Kernels, shapes and options that between them load every constant."""
    rng = np.random.default_rng(0)
    for shape, lengths in {
        (10_000,): (5, 65, 1025),
        (1_000_000,): (5, 65, 1025, 10_001),
        (256, 256): (3, 9, 15, 31),
        (512, 512): (3, 5, 9, 13, 15, 63),
        (1024, 1024): (3, 9, 15, 31),
        (2048, 2048): (3, 9, 31),
        (64, 64, 64): (3, 5, 9),
        (128, 128, 128): (3, 5, 9),
    }.items():
        for length in lengths:
            yield rng.standard_normal((length,) * len(shape)), shape, {}
    for size, length in ((512, 9), (512, 31), (1024, 15), (2048, 9), (2048, 31)):
        line = rng.standard_normal(length)
        yield np.outer(line, line), (size, size), {}
    for size, length in ((256, 9), (512, 31)):
        line = np.hanning(length + 2)[1:-1]
        yield np.outer(line, line), (size, size), {"boundary": "symmetric"}
    for channels, size, length in ((3, 256, 3), (3, 256, 9), (16, 128, 3), (16, 128, 9), (64, 64, 3), (64, 64, 9)):
        kernel = rng.standard_normal((channels, channels, length, length))
        yield kernel, (channels, size, size), {"channels": True}


def milliseconds(operator: co.LinearOperator) -> float:
    """Median time of a product and an adjoint product, halved."""
    x, y = (jnp.ones(shape, jnp.float32) for shape in (operator.in_shape, operator.out_shape))
    taken = []
    until = time.perf_counter() + SECONDS
    while len(taken) < 4 or (time.perf_counter() < until and len(taken) < 200):
        begin = time.perf_counter()
        jax.block_until_ready((operator.matvec(x), operator.rmatvec(y)))
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[1:]) * 500


def measured() -> Iterator[tuple[str, Work, float]]:
    """Engine and problem, the work counted, and the time in milliseconds; hopeless engines are left out."""
    for kernel, shape, options in problems():
        kernel = jnp.asarray(kernel, jnp.float32)
        for name in ENGINES:
            try:
                operator = co.convolution(kernel, shape, method=name, **options)
            except ValueError:
                continue
            work = ENGINES[name].work(operator._facts(), operator.structure)
            if work.cost(COSTS["cpu"]) > HOPELESS * min(choose(operator._facts()).costs.values()):
                continue
            yield f"{name} {kernel.shape} on {shape}", work, milliseconds(operator)


def fitted(rows: list[tuple[str, Work, float]]) -> dict[str, float]:
    """Constants in nanoseconds with the least relative errors, large ones counting little.

    What hardly any time depends on stays near the table there is.
    """
    works, times = np.array([list(work) for _, work, _ in rows]), np.array([1e6 * time for *_, time in rows])
    start = np.log(list(COSTS["cpu"].values()))

    def errors(logarithms: np.ndarray) -> np.ndarray:
        return np.concatenate([np.log(works @ np.exp(logarithms) / times), logarithms - start])

    found = scipy.optimize.least_squares(errors, start, loss="soft_l1", f_scale=0.3)
    return dict(zip(Work._fields, np.exp(found.x), strict=True))


def main() -> None:
    """Print what was measured beside what the fitted table predicts, and the table."""
    rows = list(measured())
    table = fitted(rows)
    for name, work, time_ in rows:
        predicted = work.cost(table) / 1000
        print(f"{name:60} {time_:9.3f} ms, predicted {predicted:9.3f}, ratio {predicted / time_:5.2f}")
    print(f'"{jax.default_backend()}": {{')
    for name, value in table.items():
        print(f'    "{name}": {value:.3g},')
    print("},")


if __name__ == "__main__":
    main()
