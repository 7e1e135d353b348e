"""The figures that the measurements come down to, each with its goal and its worst points."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from . import ours
from .registry import PEERS

Row = Mapping[str, Any]
"""A measured point: its name, family, and for each candidate what came of it."""

GROUPS = {group: [p.name for p in PEERS if group in p.groups] for group in ("python", "native", "operators")}
GOALS = {"python": 0.8, "native": 2.0}  # of a single point
WORST = 5
AGREEMENT = 1e-12


@dataclasses.dataclass(frozen=True)
class Figure:
    """A ratio over the grid: its geometric mean and its worst points, against what it should be."""

    title: str
    ratios: tuple[tuple[str, float], ...]  # point (and peer), ratio; the larger the worse
    mean_goal: float = math.inf
    worst_goal: float = math.inf
    unit: str = ""

    @property
    def mean(self) -> float:
        """Geometric mean; not a number where there is no point."""
        logs = [math.log(max(ratio, 1e-300)) for _, ratio in self.ratios]
        return math.exp(sum(logs) / len(logs)) if logs else math.nan

    @property
    def worst(self) -> list[tuple[str, float]]:
        """The worst points, the worst first."""
        return sorted(self.ratios, key=lambda pair: -pair[1])[:WORST]

    @property
    def over(self) -> int:
        """How many points miss the goal for single points."""
        return sum(ratio > self.worst_goal for _, ratio in self.ratios)

    @property
    def reached(self) -> bool | None:
        """Whether both goals are reached; None where nothing was measured."""
        return (self.mean <= self.mean_goal and self.over == 0) if self.ratios else None


def figures(rows: Sequence[Row]) -> list[Figure]:
    """Every figure of the summary."""
    speed = [row for row in rows if median(row, ours.AUTO) is not None]
    return [
        Figure("time / fastest Python peer", _against(speed, "python"), 0.25, GOALS["python"]),
        Figure("for comparison: fastest native reference / fastest Python peer", _native(speed), 0.25, GOALS["python"]),
        Figure("time / fastest native reference", _against(speed, "native"), 0.9, GOALS["native"]),
        Figure("time / fastest of lax.conv, PyLops, SCICO, DeepInverse", _against(speed, "operators"), 0.2, 1.0),
        Figure("time / each of lax.conv, PyLops, SCICO, DeepInverse", _against_each(speed, "operators"), 0.2, 1.0),
        Figure("adjoint / forward", _to_forward(speed, "adjoint"), 1.1, 1.4),
        Figure("auto / best engine", _to_best(speed), 1.05, 1.3),
        Figure("gram on full and wrap / forward", _to_forward(speed, "gram"), 1.15, 1.15),
        Figure("compile time of a product", _facts(rows, "compile"), math.inf, 0.5, "s"),
        Figure("construction time", _facts(rows, "construct"), unit="s"),
        Figure("float64: relative error of every engine", _errors(rows), math.inf, AGREEMENT),
    ]


def median(row: Row, name: str) -> float | None:
    """A candidate's median at a point, in seconds; None where it was not timed."""
    return row["candidates"].get(name, {}).get("median")


def fastest(row: Row, names: Iterable[str]) -> tuple[str, float] | None:
    """The fastest of some candidates at a point, and its median."""
    found = [(name, seconds) for name in names if (seconds := median(row, name)) is not None]
    return min(found, key=lambda pair: pair[1], default=None)


def engine_names(row: Row) -> list[str]:
    """The candidates of ours that do the point's job."""
    no_engines = (ours.FORWARD, ours.KERNEL_OPERATOR)
    return [name for name in row["candidates"] if name.split()[0] == ours.AUTO and name not in no_engines]


def ratio(row: Row, group: str) -> tuple[str, float] | None:
    """The fastest of a group at a point, and our time by its."""
    rival, mine = fastest(row, GROUPS[group]), median(row, ours.AUTO)
    return None if rival is None or mine is None else (rival[0], mine / rival[1])


def _against(rows: Iterable[Row], group: str) -> tuple[tuple[str, float], ...]:
    found = [(row["name"], ratio(row, group)) for row in rows]
    return tuple((f"{name} ({rival[0]})", rival[1]) for name, rival in found if rival)


def _native(rows: Iterable[Row]) -> tuple[tuple[str, float], ...]:
    """What the fastest native reference makes of the goals for us: how far a library can get on this machine."""

    def value(row: Row) -> float | None:
        rival, native = fastest(row, GROUPS["python"]), fastest(row, GROUPS["native"])
        return native[1] / rival[1] if rival and native else None

    return _mapped(rows, value)


def _against_each(rows: Iterable[Row], group: str) -> tuple[tuple[str, float], ...]:
    def pairs(row: Row) -> Iterable[tuple[str, float]]:
        for peer in GROUPS[group]:
            seconds = median(row, peer)
            if seconds is not None:
                yield f"{row['name']} ({peer})", (median(row, ours.AUTO) or math.nan) / seconds

    return tuple(pair for row in rows for pair in pairs(row))


def _mapped(rows: Iterable[Row], value: Callable[[Row], float | None]) -> tuple[tuple[str, float], ...]:
    return tuple((row["name"], found) for row in rows if (found := value(row)) is not None)


def _to_forward(rows: Iterable[Row], operation: str) -> tuple[tuple[str, float], ...]:
    """Our time by that of the same operator's forward product, which was timed in turn with it."""
    chosen = [r for r in rows if r["point"]["operation"] == operation and median(r, ours.FORWARD)]
    return _mapped(chosen, lambda row: (median(row, ours.AUTO) or 0) / (median(row, ours.FORWARD) or 1))


def _to_best(rows: Iterable[Row]) -> tuple[tuple[str, float], ...]:
    """The time of what `auto` chose by the best engine's; points where only one engine was timed say nothing."""

    def value(row: Row) -> float | None:
        names = [name for name in engine_names(row) if median(row, name) is not None]
        best = fastest(row, names)
        return (median(row, ours.AUTO) or 0) / best[1] if best and len(names) > 1 else None

    return _mapped(rows, value)


def _facts(rows: Iterable[Row], fact: str) -> tuple[tuple[str, float], ...]:
    chosen = [row for row in rows if row["point"]["operation"] != "kernel_gradient" or fact == "compile"]
    return _mapped(chosen, lambda row: row["candidates"].get(ours.AUTO, {}).get(fact))


def _errors(rows: Iterable[Row]) -> tuple[tuple[str, float], ...]:
    def value(row: Row) -> float | None:
        found = [row["candidates"][name].get("error") for name in engine_names(row)]
        return max((error for error in found if error is not None), default=None)

    return _mapped([row for row in rows if row["point"]["dtype"] == "float64"], value)
