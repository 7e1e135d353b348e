"""What the package makes public, and what of it lacks a docstring or a place on the API pages."""

import dataclasses
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import convops
import convops.problems
import convops.psf
import convops.testing

API = Path(__file__).parent / "api"


def public_names() -> dict[str, Any]:
    """Every public name with its object: `convops.convolution`, `convops.LinearOperator.matvec`, ..."""
    found = dict(_exported(convops))
    found |= _exported(convops.psf)
    found |= _exported(convops.problems)
    found |= {name: value for name, value in _exported(convops.testing) if value.__module__.startswith("convops.test")}
    for cls in (convops.LinearOperator, convops.Penalty, convops.Solution):
        found |= {f"convops.{cls.__name__}.{name}": value for name, value in _members(cls)}
    return found


def undocumented(names: dict[str, Any]) -> list[str]:
    """The names without a docstring, and the fields that the docstring of their class does not mention."""
    missing = [name for name, value in names.items() if not _has_docstring(value)]
    for name, cls in names.items():
        for field in _fields(cls):
            if not re.search(rf"\b{field}\b", inspect.getdoc(cls) or ""):
                missing.append(f"{name}.{field}")
    return missing


def absent(names: Iterable[str], html: Iterable[str]) -> list[str]:
    """The names that have no heading on the built pages."""
    anchors = {anchor for page in html for anchor in re.findall(r'id="([\w.]+)"', page)}
    return [name for name in names if name not in anchors]


def directives() -> set[str]:
    """The names that the API pages ask mkdocstrings for."""
    return {name for page in API.glob("*.md") for name in re.findall(r"^::: ([\w.]+)", page.read_text(), re.M)}


def _exported(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        if not name.startswith("_") and (inspect.isclass(value) or inspect.isroutine(value)):
            yield f"{module.__name__}.{name}", value


def _members(cls: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(cls).items():
        if not name.startswith("_") and (isinstance(value, property) or inspect.isroutine(value)):
            yield name, value


def _fields(value: Any) -> list[str]:
    """The public fields that a class declares."""
    names = inspect.get_annotations(value) if inspect.isclass(value) else {}
    return [name for name in names if not name.startswith("_")]


def _has_docstring(value: Any) -> bool:
    text = (value.__doc__ or "").strip()
    generated = dataclasses.is_dataclass(value) and text.startswith(f"{getattr(value, '__name__', '')}(")
    return bool(text) and not generated
