"""Notebooks as Markdown: the text, the code and what it gave, pictures beside the page."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    from latex2mathml.converter import convert
except ImportError:  # formulas stay as they were typed
    convert = None

# code is left alone: a fence or a span comes first and is put back as it was
FORMULA = re.compile(
    r"(?P<code>```.*?```|`[^`]*`)|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\n]+(?:\n[^$\n]+)?)\$", re.DOTALL
)


def page(notebook: Path) -> tuple[str, dict[str, bytes]]:
    """Return the Markdown of an executed notebook, and its pictures by file name."""
    parts, pictures = [], {}
    for number, cell in enumerate(_cells(notebook)):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(FORMULA.sub(_mathml, source))
            continue
        if cell["cell_type"] != "code" or not source.strip():
            continue
        parts.append(_fenced(source, "python"))
        for index, (kind, data) in enumerate(_outputs(cell)):
            if kind == "png":
                name = f"{notebook.stem}_{number}_{index}.png"
                pictures[name] = base64.b64decode(data)
                parts.append(f"![What the code above draws]({name})")
            else:
                parts.append(_fenced(data.rstrip(), "text"))
    heading, *rest = parts or [f"# {notebook.stem}"]
    return "\n\n".join([heading, f"[Download this notebook]({notebook.name})", *rest]) + "\n", pictures


def listing(notebooks: list[Path]) -> str:
    """Return a Markdown list of notebooks: the title and the first paragraph of each."""
    items = []
    for notebook in notebooks:
        first = next(("".join(c["source"]) for c in _cells(notebook) if c["cell_type"] == "markdown"), "")
        title, _, text = first.strip().partition("\n")
        title = title.lstrip("# ") or notebook.stem
        summary = FORMULA.sub(_mathml, " ".join(text.strip().split("\n\n")[0].split()))
        items.append(f"- [{title}](notebooks/{notebook.stem}.md)\n  ([file](notebooks/{notebook.name})). {summary}")
    return "\n".join(items)


def _mathml(found: re.Match[str]) -> str:
    """A TeX formula as MathML, which browsers draw without a script."""
    if convert is None or found["code"]:
        return found[0]
    if found["block"]:
        return f"\n<div>{convert(found['block'].strip(), display='block')}</div>\n"
    return convert(found["inline"])


def _cells(notebook: Path) -> list[dict[str, Any]]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def _outputs(cell: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a cell printed or drew, as ("png", base64) or ("text", text)."""
    for output in cell["outputs"]:
        data = output.get("data", {})
        if output["output_type"] == "stream":
            yield "text", "".join(output["text"])
        elif "image/png" in data:
            yield "png", "".join(data["image/png"])
        elif "text/plain" in data:
            yield "text", "".join(data["text/plain"])


def _fenced(text: str, language: str) -> str:
    return f"````{language}\n{text}\n````"
