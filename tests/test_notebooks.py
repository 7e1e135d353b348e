"""The notebooks run from top to bottom without an error or a warning, and are committed with their pictures."""

import os
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 1_500_000  # bytes
LOCAL_PATH = re.compile(r"/(home|root|Users|tmp|builds)/|[A-Z]:\\|site-packages")

pytestmark = pytest.mark.slow


def read(path):
    """The notebook in a file, valid."""
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(cell):
    """How many pictures a cell has made."""
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


def complaints(notebook):
    """Errors, and whatever the cells wrote to stderr."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    errors = [output.evalue for output in outputs if output.output_type == "error"]
    return errors + [output.text for output in outputs if output.get("name") == "stderr"]


def execute(notebook, folder, monkeypatch):
    """Run every cell in a fresh kernel of the running interpreter; the outputs are put into `notebook`."""
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib.font_manager")  # builds the font cache: the kernel would warn that it takes long
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel draws into the notebook
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)  # else ipykernel leaves what C code writes uncaptured
    specs = KernelSpecManager(kernel_dirs=[])  # no installed kernel, only this interpreter's own
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, km=manager, timeout=300, resources=resources).execute()


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_with_outputs(path):
    notebook = read(path)
    cells = code_cells(notebook)
    assert path.stat().st_size < LARGEST
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(map(pictures, cells)) > 0
    for cell in cells:
        assert pictures(cell) == cell.source.count("plt.show()"), cell.source
    assert complaints(notebook) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_local_in_it(path):
    notebook = read(path)
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(not cell.metadata for cell in notebook.cells)  # no timestamps
    for cell in code_cells(notebook):
        text = "\n".join(str(output.get("text", output.get("data", {}).get("text/plain"))) for output in cell.outputs)
        assert not LOCAL_PATH.search(cell.source + text)
        assert os.fspath(FOLDER.parent) not in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_without_a_warning(path, tmp_path, monkeypatch):
    notebook = read(path)
    made = [pictures(cell) for cell in code_cells(notebook)]
    for cell in code_cells(notebook):
        cell.outputs = []
    execute(notebook, tmp_path, monkeypatch)
    assert complaints(notebook) == []
    assert [pictures(cell) for cell in code_cells(notebook)] == made
