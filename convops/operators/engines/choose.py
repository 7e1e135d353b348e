"""Which engine: the cheapest by the platform's table of costs, among those that can compute the convolution."""

from typing import Any, NamedTuple

import jax

from . import dct, fourier, overlap, separable, stencil, xla
from .costs import COSTS
from .facts import Facts, Unsuitable

ENGINES: dict[str, Any] = {
    "stencil": stencil,
    "separable": separable,
    "fourier": fourier,
    "overlap": overlap,
    "dct": dct,
    "xla": xla,
}


class Choice(NamedTuple):
    """An engine and its structure, the predicted times in microseconds, and why others cannot be used."""

    engine: str
    structure: Any
    costs: dict[str, float]
    unsuitable: dict[str, str]


def choose(facts: Facts, method: str = "auto", platform: str | None = None) -> Choice:
    """Return the engine for a kernel: the one named, or the cheapest."""
    if method != "auto" and method not in ENGINES:
        raise ValueError(f"`method` is {method!r}; accepted are 'auto', {', '.join(map(repr, ENGINES))}")
    table = COSTS.get(platform or jax.default_backend(), COSTS["cpu"])
    costs, structures, unsuitable = {}, {}, {}
    for name, engine in ENGINES.items() if method == "auto" else [(method, ENGINES[method])]:
        try:
            structures[name] = engine.plan(facts)
        except Unsuitable as reason:
            if name == method:
                raise ValueError(f"`method` is {method!r}: {reason}; leave it 'auto'") from None
            unsuitable[name] = str(reason)
            continue
        costs[name] = engine.work(facts, structures[name]).cost(table)
    chosen = min(costs, key=costs.__getitem__)
    return Choice(chosen, structures[chosen], costs, unsuitable)
