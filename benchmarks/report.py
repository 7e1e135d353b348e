"""What is written: results.json, a Markdown table a family, and the summary."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import ours
from .candidates import COPY
from .measure import UNFIT
from .registry import PEERS
from .summary import GOALS, GROUPS, Figure, Row, engine_names, fastest, figures, median, ratio

GROUP_TITLES = {"python": "Python", "native": "native"}
TRANSFORMS = ("torch fft, spectrum kept", "scipy fft, spectrum kept")


def write(results: Mapping[str, Any], output: Path) -> list[Path]:
    """Write the results as JSON and as Markdown into a folder."""
    output.mkdir(parents=True, exist_ok=True)
    rows = results["points"]
    texts = {
        "results.json": as_json(results),
        "summary.md": _joined([machine_text(results), summary_table(figures(rows)), worst_table(figures(rows))]),
        "bounds.md": bounds_table(rows),
        "tables.md": _joined(
            [f"### {family}\n\n{family_table(members)}" for family, members in by_family(rows).items()]
        ),
        "starts.md": cold_table(results["cold"]),
        "peers.md": _joined([peer_table(results), failures(rows)]),
    }
    for name, text in texts.items():
        (output / name).write_text(text)
    return [output / name for name in texts]


def keep(results: Mapping[str, Any], output: Path) -> None:
    """Write the numbers alone, so that a process that ends loses none: ``--from`` makes reports of them."""
    output.mkdir(parents=True, exist_ok=True)
    half = output / "results.json.part"
    half.write_text(as_json(results))
    half.replace(output / "results.json")


def as_json(results: Mapping[str, Any]) -> str:
    """The results as JSON with a line for each point, floating-point numbers to four digits."""
    text = json.dumps({**results, "points": "POINTS"}, indent=1, allow_nan=False)
    lines = ",\n  ".join(json.dumps(row, allow_nan=False) for row in results["points"])
    text = text.replace('"POINTS"', f"[\n  {lines}\n ]" if lines else "[]")
    return re.sub(r"-?\d+\.\d{4,}(e-?\d+)?", lambda match: f"{float(match[0]):.4g}", text) + "\n"


def by_family(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The points of each family, in the grid's order."""
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(row["family"], []).append(row)
    return families


def number(value: float | None, digits: int = 2) -> str:
    """A number in a table: two significant digits, and no exponent unless it is tiny."""
    if value is None or not math.isfinite(value):
        return "–"
    if value != 0 and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value) or 1)))}f}"


def milliseconds(seconds: float | None) -> str:
    """A time in a table."""
    return number(None if seconds is None else 1e3 * seconds, 3)


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table, all columns but the first aligned to the right."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines)) + "\n"


def summary_table(found: Iterable[Figure]) -> str:
    """Every figure with its goals."""

    def line(figure: Figure) -> list[str]:
        worst = figure.worst[0][1] if figure.worst else None
        goals = [number(figure.mean_goal), number(figure.worst_goal)]
        verdict = {True: "yes", False: "no", None: "not measured"}[figure.reached]
        if figure.mean_goal == figure.worst_goal == math.inf:
            verdict = "–"
        values = [number(figure.mean), goals[0], number(worst), goals[1]]
        return [figure.title + f", {figure.unit}" * bool(figure.unit), *values, f"{figure.over}", verdict]

    head = ["", "geometric mean", "at most", "worst", "at most", "points above", "reached"]
    return table(head, map(line, found))


def worst_table(found: Iterable[Figure]) -> str:
    """The worst points of every figure."""
    lines = [[figure.title, point, number(value)] for figure in found for point, value in figure.worst]
    return table(["The worst points", "point", "value"], lines)


def family_table(rows: Sequence[Row]) -> str:
    """One line a point: our time, the engine, the best other engine, the fastest peers and the ratios to them."""

    def line(row: Row) -> list[str]:
        auto = row["candidates"].get(ours.AUTO, {})
        others = [name for name in engine_names(row) if name != ours.AUTO]
        cells = [row["name"], milliseconds(auto.get("median")), auto.get("engine") or "–", _timed(row, others)]
        for group in GROUP_TITLES:
            rival = ratio(row, group)
            cells += [_timed(row, GROUPS[group]), number(rival and rival[1])]
        return [*cells, milliseconds(median(row, COPY)), number(auto.get("compile"))]

    peers = [text for title in GROUP_TITLES.values() for text in (f"fastest {title} peer, ms", "ratio")]
    head = ["point", "convops, ms", "engine", "next engine, ms", *peers, "copy, ms", "compile, s"]
    return table(head, map(line, rows))


def bounds_table(rows: Iterable[Row]) -> str:
    """The points that miss a goal, with what bounds them: moving the signal, and the fastest library's transforms."""
    lines = []
    for row in rows:
        rivals = {group: ratio(row, group) for group in GOALS}
        if any(found and found[1] > GOALS[group] for group, found in rivals.items()):
            ratios = [number(found and found[1]) for found in rivals.values()]
            bounds = [milliseconds(median(row, COPY)), _timed(row, TRANSFORMS)]
            lines.append([row["name"], milliseconds(median(row, ours.AUTO)), *ratios, *bounds])
    head = [
        "point",
        "convops, ms",
        "to the Python peer",
        "to the native one",
        "copy of the signal, ms",
        "transforms, ms",
    ]
    return table(head, lines) if lines else "No point misses a goal.\n"


def _timed(row: Row, names: Iterable[str]) -> str:
    found = fastest(row, names)
    return f"{milliseconds(found[1])} ({found[0].removeprefix('convops ')})" if found else "–"


def cold_table(starts: Iterable[Mapping[str, Any]]) -> str:
    """Cold starts and memory."""

    def line(start: Mapping[str, Any]) -> list[str]:
        if start["status"] != "timed":
            return [start["point"], start["name"], start["status"], "–", "–"]
        peak, more = start["peak"] / 2**20, (start["peak"] - start["imports"]) / 2**20
        return [start["point"], start["name"], number(start["median"]), f"{peak:.0f}", f"{more:.0f}"]

    head = ["point", "", "process start to first result, s", "peak memory, MiB", "beyond the imports, MiB"]
    return table(head, map(line, starts))


def peer_table(results: Mapping[str, Any]) -> str:
    """Every peer of the registry: whether it was there, and at how many points it was measured."""

    def line(peer: Any) -> list[str]:
        reason = results["missing"].get(peer.name)
        stati = [row["candidates"].get(peer.name, {}).get("status", "") for row in results["points"]]
        slow = sum(row["refused"].get(peer.name) == "too slow" for row in results["points"])
        wrong, failed = stati.count("does not do the same job"), sum(s.startswith("failed") for s in stati)
        counts = [str(n) for n in (stati.count("timed"), slow, wrong, failed)]
        version = results["versions"].get(peer.name, "")
        return [peer.name, ", ".join(peer.groups), f"missing: {reason}" if reason else version, *counts]

    head = ["peer", "group", "version", "points timed", "too slow", "another result", "failed"]
    return table(head, map(line, PEERS))


def failures(rows: Iterable[Row]) -> str:
    """Every candidate that failed or that gave another result; engines that do not take a point are not failures."""
    lines = []
    for row in rows:
        for name, facts in row["candidates"].items():
            if facts["status"] not in ("timed", UNFIT):
                lines.append([row["name"], name, facts["status"], number(facts.get("error"))])
    head = ["Left out", "candidate", "why", "relative error"]
    return table(head, lines) if lines else "Every candidate gave the right result.\n"


def machine_text(results: Mapping[str, Any]) -> str:
    """What the numbers were measured on, in a sentence or two."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    threads = ", ".join(f"{name} {count}" for name, count in machine["threads"].items())
    load = "" if machine["load"] is None else f"; load average before the run {machine['load']:.1f}"
    kind = "a quick run" if results["quick"] else "a full run"
    return (
        f"Measured on {machine['date']}, {kind} of {len(results['points'])} points: {machine['processor']}, "
        f"{machine['cores']} cores, {machine['system']}, Python {machine['python']}; {versions}; "
        f"threads: {threads}{load}.\n"
    )


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(parts)
