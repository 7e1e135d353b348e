"""The plots of the documentation, drawn without a display."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import ours
from .candidates import COPY
from .registry import PEERS
from .report import GROUP_TITLES, by_family
from .summary import Row, engine_names, median, ratio

COLOURS = {"python": "tab:blue", "native": "tab:orange"}
PANELS = 3
STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9,
}


def draw(results: Mapping[str, Any], output: Path) -> list[Path]:
    """Draw everything into a folder; needs matplotlib."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        rows = [row for row in results["points"] if median(row, ours.AUTO) is not None]
        found = {"ratios.png": _ratios(rows), "sizes.png": _kernel_sizes(rows), "engines.png": _engines(rows)}
        for name, figure in found.items():
            figure.savefig(output / name, dpi=110, bbox_inches="tight")
    return [output / name for name in found]


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _ratios(rows: Sequence[Row]) -> Any:
    """Our time by that of the fastest peer, one dot a point, family by family."""
    families = by_family(rows)
    figure, (axes,) = _figure(8, 0.32 * len(families) + 1.2)
    for height, members in enumerate(families.values()):
        for group, colour in COLOURS.items():
            values = [found[1] for row in members if (found := ratio(row, group))]
            shift = 0.12 if group == "python" else -0.12
            label = f"fastest {GROUP_TITLES[group]} peer" if height == 0 else None
            axes.plot(values, [height + shift] * len(values), "o", color=colour, alpha=0.6, markersize=4, label=label)
    axes.set(xscale="log", xlabel="time of convops / time of the peer: faster to the left of 1")
    _by_family(axes, families)
    return figure


def _kernel_sizes(rows: Sequence[Row]) -> Any:
    """Times over the kernel's size, for the square images that most kernels were measured on."""
    plain = [row for row in rows if row["family"] == "2-D" and len(set(row["point"]["shape"])) == 1]
    counts = Counter(row["point"]["shape"][0] for row in plain)
    sizes = sorted(size for size, _ in counts.most_common(PANELS))
    figure, panels = _figure(3.4 * max(len(sizes), 1) + 1.5, 4.2, max(len(sizes), 1))
    handles: dict[str, Any] = {}
    for panel, size in zip(panels, sizes, strict=False):
        here = [row for row in plain if row["point"]["shape"][0] == size]
        handles |= _curves(panel, here)
        taps = sorted({row["point"]["kernel"][0] for row in here})
        panel.set(xscale="log", yscale="log", xlabel="taps along an axis", title=f"{size} x {size}")
        panel.set_xticks(taps, list(map(str, taps)))
        panel.set_xticks([], minor=True)
    panels[0].set_ylabel("milliseconds")
    if handles:
        figure.legend(handles.values(), handles, loc="outside right center", fontsize=7)
    return figure


def _curves(panel: Any, rows: Sequence[Row]) -> dict[str, Any]:
    """One curve a candidate, in the same colour in every panel; what the legend needs."""
    import matplotlib as mpl

    palette, handles = mpl.colormaps["tab20"], {}
    styles = {peer.name: {"color": palette(i % 20), "linewidth": 1} for i, peer in enumerate(PEERS)}
    styles |= {peer.name: styles[peer.name] | {"linestyle": "--"} for peer in PEERS if "native" in peer.groups}
    styles |= {ours.AUTO: {"color": "black", "linewidth": 2.5, "zorder": 3}}
    styles |= {COPY: {"color": "grey", "linestyle": ":", "marker": ""}}
    for name, style in styles.items():
        pairs = [(row["point"]["kernel"][0], 1e3 * s) for row in rows if (s := median(row, name)) is not None]
        if pairs:
            style = {"marker": "o", "markersize": 3, "label": name, **style}
            (handles[name],) = panel.plot(*zip(*sorted(pairs), strict=True), **style)
    return handles


def _engines(rows: Sequence[Row]) -> Any:
    """Every engine by the one that `auto` chose, one dot a point, family by family."""
    families = by_family(rows)
    figure, (axes,) = _figure(8, 0.32 * len(families) + 1.2)
    methods = sorted({name for row in rows for name in engine_names(row) if name != ours.AUTO})
    for i, method in enumerate(methods):
        dots = [
            (s / (median(row, ours.AUTO) or 1), height + 0.5 * ((i + 0.5) / len(methods) - 0.5))
            for height, members in enumerate(families.values())
            for row in members
            if (s := median(row, method)) is not None
        ]
        if dots:
            axes.plot(*zip(*dots, strict=True), "o", markersize=4, alpha=0.7, label=method.removeprefix("convops "))
    axes.set(xscale="log", xlabel="time of an engine / time of the one chosen: to the left of 1 it had been better")
    _by_family(axes, families)
    return figure


def _by_family(axes: Any, families: Mapping[str, Any]) -> None:
    """A line at one, and the families down the side."""
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(families)), list(families))
    axes.invert_yaxis()
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
