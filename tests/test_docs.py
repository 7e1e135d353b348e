"""The documentation: its examples run, its API pages are complete, and it builds without a warning or a network."""

import doctest
import importlib
import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import convops as co

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
X64 = jnp.zeros(()).dtype == "float64"
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
FENCE = re.compile(r"^( *)(`{3,})(\w+)[^\n]*\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)


def blocks(text):
    """The Python blocks of a page in order, each with the number of its first line."""
    for match in FENCE.finditer(text):
        if match[3] in ("python", "pycon"):
            yield text[: match.start(4)].count("\n"), textwrap.dedent(match[4])


def run(text, name, **given):
    """Run the blocks of a page one after the other: sessions as doctests, scripts as they are."""
    names, parser = given, doctest.DocTestParser()
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    report, failed = [], 0
    for line, block in blocks(text):
        if ">>>" not in block:
            exec(compile("\n" * line + block, name, "exec"), names)
            continue
        test = parser.get_doctest(block, names, name, name, line)
        failed += runner.run(test, out=report.append, clear_globs=False).failed
        names = test.globs
    if failed:
        pytest.fail("".join(report))


@pytest.fixture
def module(monkeypatch):
    """Import a module that lies beside the pages."""
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module


# ---------------------------------------------------------------- examples


@pytest.mark.parametrize("x64", [X64, pytest.param(not X64, marks=pytest.mark.slow)])
@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_examples(page, x64, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples may write files
    with jax.enable_x64(x64):
        photo = jnp.outer(jnp.hanning(20), jnp.arange(24.0))  # what the README's lines start from
        run(page.read_text(encoding="utf-8"), page.name, image=photo, truth=photo)


def test_examples_are_found_and_a_stale_number_is_noticed():
    text = (DOCS / "conventions.md").read_text(encoding="utf-8")
    assert sum(block.count("co.convolution(") for _, block in blocks(text)) == text.count("co.convolution(") > 50
    run("```pycon\n>>> 1 + 1\n2\n```\n\n    ```python\n    x = 3\n    ```\n```pycon\n>>> x\n3\n```\n", "good")
    with pytest.raises(pytest.fail.Exception, match=r"Got:\n\s+2"):
        run("```pycon\n>>> 1 + 1\n3\n```\n", "stale")


def test_conventions_print_every_mode_boundary_and_origin():
    text = (DOCS / "conventions.md").read_text(encoding="utf-8")
    for kernel in ("odd", "even"):
        for mode in ("full", "valid"):
            assert f'co.convolution({kernel}, 5, mode="{mode}")' in text
        for boundary in ("zero", "wrap", "symmetric", "reflect", "edge", "antireflect"):
            assert f'co.convolution({kernel}, 5, boundary="{boundary}")' in text
        for origin in ('"center"', '"scipy"', "0"):
            assert f"co.convolution({kernel}, 5, origin={origin})" in text


def test_distribution_name():
    for page in PAGES:
        assert not re.search(r"pip install ['\"]?convops(?!-jax)", page.read_text(encoding="utf-8")), page


# ---------------------------------------------------------------- the API pages


def test_every_public_name_has_a_docstring_and_a_place(module):
    checks = module("public_names")
    names = checks.public_names()
    assert {"convops.convolution", "convops.psf.motion", "convops.testing.check_operator"} <= set(names)
    assert {"convops.LinearOperator.rmatvec", "convops.LinearOperator.H", "convops.Solution.status"} <= set(names)
    assert checks.undocumented(names) == []
    members = ("convops.LinearOperator.", "convops.Penalty.", "convops.Solution.")
    assert {name for name in names if not name.startswith(members)} == checks.directives()


def test_a_public_name_without_a_docstring_is_noticed(module, monkeypatch):
    def bare():
        pass

    checks = module("public_names")
    monkeypatch.setattr(co, "bare", bare, raising=False)
    monkeypatch.setattr(co.LinearOperator, "bare", property(bare), raising=False)
    monkeypatch.setattr(co.Solution, "__doc__", "Solution(x: jax.Array)")
    missing = checks.undocumented(checks.public_names())
    assert missing[:3] == ["convops.Solution", "convops.bare", "convops.LinearOperator.bare"]
    assert "convops.Solution.history" in missing  # the fields too
    assert checks.absent(["convops.bare", "convops.pad"], ['<h3 id="convops.pad">']) == ["convops.bare"]


def test_docstrings_become_markdown(module):
    pytest.importorskip("griffe")
    assert doctest.testmod(module("docstrings")).failed == 0


# ---------------------------------------------------------------- the build

NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# A matrix\n", "\n", "Drawn in\n", "one cell.\n", "\n", "$y$, `$y$`"]},
        {
            "cell_type": "code",
            "source": ["print(1)\n", "draw()"],
            "outputs": [
                {"output_type": "stream", "text": ["1\n"]},
                {"output_type": "display_data", "data": {"image/png": "aGVsbG8=", "text/plain": ["<Figure>"]}},
                {"output_type": "execute_result", "data": {"text/plain": ["'two'"], "text/html": ["<b>two</b>"]}},
            ],
        },
        {"cell_type": "code", "source": [], "outputs": []},
    ]
}


def test_a_notebook_becomes_a_page(module, tmp_path):
    notebook_pages = module("notebook_pages")
    path = tmp_path / "matrix.ipynb"
    path.write_text(json.dumps(NOTEBOOK))
    text, pictures = notebook_pages.page(path)
    assert pictures == {"matrix_1_1.png": b"hello"}
    assert text.startswith("# A matrix\n\nDrawn in\none cell.")
    code = ("````python\nprint(1)\ndraw()\n````", "````text\n1\n````", "````text\n'two'\n````")
    for part in ("(matrix.ipynb)", "(matrix_1_1.png)", *code):
        assert part in text
    assert text.count("$y$") == (1 if notebook_pages.convert else 2)  # code is not a formula
    assert text.count("<math") == (1 if notebook_pages.convert else 0)
    listed = notebook_pages.listing([path])
    assert listed.startswith("- [A matrix](notebooks/matrix.md)")
    assert listed.endswith("Drawn in one cell.")


@pytest.fixture
def tree(tmp_path):
    """A copy of what the build reads."""
    for needed in ("mkdocs", "mkdocstrings", "material"):
        pytest.importorskip(needed)
    for name in ("docs", "convops", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("mkdocs.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def build(tree):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.slow
def test_strict_build_needs_no_network(tree):
    (tree / "notebooks" / "matrix.ipynb").write_text(json.dumps(NOTEBOOK))
    done = build(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path.relative_to(tree / "site").as_posix(): path for path in (tree / "site").rglob("*.html")}
    assert {"index.html", "conventions.html", "names.html", "numerics.html", "api/operators.html"} <= set(pages)
    for notebook in tree.glob("notebooks/*.ipynb"):
        assert f"notebooks/{notebook.stem}.html" in pages
    foreign = re.compile(r"""<(script|img|link rel="(stylesheet|icon|preconnect)")[^>]*?="(https?:)?//""")
    for name, path in pages.items():
        assert not foreign.search(path.read_text(encoding="utf-8")), name


@pytest.mark.slow
def test_the_build_fails_for_a_name_without_a_place(tree):
    page = tree / "docs" / "api" / "interop.md"
    page.write_text(page.read_text().replace("::: convops.to_lineax\n", ""))
    done = build(tree)
    assert done.returncode != 0
    assert "convops.to_lineax: is on no page of docs/api" in done.stdout + done.stderr
