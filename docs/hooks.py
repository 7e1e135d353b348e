"""What MkDocs runs beside building the pages: the check of the public names, and the pages of the notebooks."""

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from notebook_pages import listing, page
from public_names import absent, public_names, undocumented


def on_pre_build(config: MkDocsConfig) -> None:
    """Fail where a public name has no docstring."""
    del config
    _fail(undocumented(public_names()), "has no docstring")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page, the pictures and the file itself for every notebook."""
    for notebook in _notebooks(config):
        text, pictures = page(notebook)
        made = {f"notebooks/{notebook.stem}.md": text, f"notebooks/{notebook.name}": notebook.read_bytes()}
        made |= {f"notebooks/{name}": data for name, data in pictures.items()}
        for path, content in made.items():
            files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Put the list of the notebooks where a page asks for it."""
    del page, files
    return markdown.replace("<!-- notebooks -->", listing(_notebooks(config)))


def on_post_build(config: MkDocsConfig) -> None:
    """Fail where a public name is on no API page."""
    pages = Path(config.site_dir, "api").glob("*.html")
    _fail(absent(public_names(), (p.read_text(encoding="utf-8") for p in pages)), "is on no page of docs/api")


def _notebooks(config: MkDocsConfig) -> list[Path]:
    return sorted(Path(config.docs_dir).parent.glob("notebooks/*.ipynb"))


def _fail(names: list[str], fault: str) -> None:
    if names:
        raise PluginError(f"{', '.join(names)}: {fault}")
