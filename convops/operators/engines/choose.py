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

# a structure may decide where it takes at most such a part of the time, and saves so many microseconds
WORTHWHILE, LEAST_SAVING = 0.7, 100.0


class Choice(NamedTuple):
    """An engine and its structure, the predicted times in microseconds, why others cannot be used, and why this one."""

    engine: str
    structure: Any
    costs: dict[str, float]
    unsuitable: dict[str, str]
    reason: str


def choose(facts: Facts, method: str = "auto", platform: str | None = None) -> Choice:
    """Return the engine for a kernel: the one named, or the cheapest.

    What depends on the kernel's numbers (zeros, rank, symmetry) makes operators of one shape differ in structure, so
    that jit traces them anew. It decides only where it saves enough.
    """
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
    best = min(costs, key=costs.__getitem__)
    if method != "auto":
        return Choice(best, structures[best], costs, unsuitable, "asked for by `method`")
    shaped = {name: cost for name, cost in costs.items() if name not in ("separable", "dct")}
    whole = structures["stencil"]._replace(taps=None)
    shaped["stencil"] = stencil.work(facts, whole).cost(table)
    plain = min(shaped, key=shaped.__getitem__)
    if costs[best] <= WORTHWHILE * shaped[plain] and shaped[plain] - costs[best] >= LEAST_SAVING:
        return Choice(best, structures[best], costs, unsuitable, "the least predicted time")
    structure = whole if plain == "stencil" else structures[plain]
    text = "the least predicted time"
    if costs[best] < shaped[plain]:
        text += f" by shapes alone: {best} would save too little to trace kernels of one shape apart"
    return Choice(plain, structure, costs, unsuitable, text)


def able(facts: Facts, method: str) -> bool:
    """Whether an engine, or ``auto``, can compute the convolution."""
    if method == "auto":
        return True
    try:
        ENGINES[method].plan(facts)
    except Unsuitable:
        return False
    return True
