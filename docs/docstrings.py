"""Docstrings as Markdown: links between the public names, and the few TeX formulas in plain characters."""

import inspect
import re
from typing import Any

import griffe

import convops

LINKED = {name for name, value in vars(convops).items() if inspect.isfunction(value) or inspect.isclass(value)}
PUBLIC = LINKED | set(convops.psf.__all__)
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
        if obj.docstring and {obj.name, obj.parent.name if obj.parent else ""} & PUBLIC:
            own = {p.name for p in getattr(obj, "parameters", ())} | {obj.name}
            obj.docstring.value = linked(plain(obj.docstring.value), LINKED - own)


def plain(text: str) -> str:
    r"""Replace `.. math::` and `:math:` by code in plain characters.

    >>> plain(r"so :math:`|x|^2 \propto 1`")
    'so ``|x|² ∝ 1``'
    """
    text = re.sub(r"(?m)^( *)\.\. math:: (.*)$", lambda m: f"{m[1]}    {_characters(m[2])}", text)
    return re.sub(r":math:`([^`]*)`", lambda m: f"``{_characters(m[1])}``", text)


def linked(text: str, names: set[str]) -> str:
    """Link public names in single backticks, outside examples.

    >>> linked("As `pad` does, not ``pad``.", {"pad"})
    'As [`pad`][convops.pad] does, not ``pad``.'
    """
    pattern = re.compile(r"(?<!`)`(" + "|".join(map(re.escape, sorted(names))) + r")`(?!`)")
    lines = text.split("\n")
    return "\n".join(line if ">>>" in line else pattern.sub(r"[`\1`][convops.\1]", line) for line in lines)


def _characters(tex: str) -> str:
    for old, new in TEX.items():
        tex = tex.replace(old, new)
    tex = re.sub(r"\\mathrm\{(\w+)\}", r"\1", tex)
    if "\\" in tex:
        raise ValueError(f"{tex!r} still holds TeX: add its command to TEX in {__file__}, or write it in characters")
    return re.sub(r" {3,}", "  ", tex).strip()
