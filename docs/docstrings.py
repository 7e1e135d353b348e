"""Docstrings as Markdown: links between the public names, and formulas that Markdown leaves alone."""

import inspect
import re
from typing import Any

import griffe

import convops
import convops.problems
import convops.psf
import convops.testing

PATHS = {
    name: f"{module.__name__}.{name}"
    for module in (convops.psf, convops.problems, convops.testing, convops)
    for name, value in vars(module).items()
    if (inspect.isfunction(value) or inspect.isclass(value)) and not name.startswith("_")
    if module is not convops.testing or value.__module__.startswith("convops.testing.")
}
TEX = {
    r"\propto": "∝",
    r"\textstyle": "",
    r"\sum": "Σ",
    r"\exp": "exp",
    r"\max": "max",
    r"\min": "min",
    r"\qquad": "  ",
    r"\,": " ",
    "^{-1}": "⁻¹",
    "^T": "ᵀ",
    "^2": "²",
}


class MarkdownDocstrings(griffe.Extension):
    """Rewrites the docstrings of the public functions, classes and their members before they are parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring and {obj.name, obj.parent.name if obj.parent else ""} & set(PATHS):
            own = {p.name for p in getattr(obj, "parameters", ())} | {obj.name}
            obj.docstring.value = markdown(obj.docstring.value, set(PATHS) - own)


def markdown(text: str, names: set[str]) -> str:
    r"""Link `names`, escape angle brackets and write TeX in plain characters, outside examples.

    >>> markdown(r":math:`|x|^2 \propto 1`, <x, y>, `pad`, ``pad``.", {"pad"})
    '``|x|² ∝ 1``, &lt;x, y>, [`pad`][convops.pad], ``pad``.'
    """
    text = re.sub(r"(?m)^( *)\.\. math:: (.*)$", lambda m: f"{m[1]}    {_characters(m[2])}", text)
    text = re.sub(r":math:`([^`]*)`", lambda m: f"``{_characters(m[1])}``", text)
    lines, example = [], False
    for line in text.split("\n"):
        example = bool(line.strip()) and (example or ">>>" in line)
        lines.append(line if example else _prose(line, names))
    return "\n".join(lines)


def _prose(line: str, names: set[str]) -> str:
    """One line of text: what stands in backticks is code, or the name of something public."""
    parts = re.split(r"(``[^`]*``|`[^`]*`)", line)
    for i, part in enumerate(parts):
        name = part.strip("`").removeprefix("convops.")
        if i % 2 == 0:
            parts[i] = part.replace("<", "&lt;")
        elif not part.startswith("``") and name in names:
            parts[i] = f"[{part}][{PATHS[name]}]"
    return "".join(parts)


def _characters(tex: str) -> str:
    for old, new in TEX.items():
        tex = tex.replace(old, new)
    tex = re.sub(r"\\mathrm\{(\w+)\}", r"\1", tex)
    if "\\" in tex:
        raise ValueError(f"{tex!r} still holds TeX: add its command to TEX in {__file__}, or write it in characters")
    return re.sub(r" {3,}", "  ", tex).strip()
