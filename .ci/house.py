"""The house rules that no linter knows: imports only go down, and files and functions stay short."""

import ast
import sys
from pathlib import Path

FLOORS = {
    "operators": 1,
    "psf": 1,
    "penalties": 2,
    "solvers": 3,
    "problems": 3,
    "distributed": 4,
    "automatic": 5,
    "interop": 5,
    "testing": 5,
    "io": 6,
    "plotting": 6,
    "cli": 7,
    "__init__": 8,
}
EXTRAS = {"imageio", "tifffile", "png", "PIL", "typer", "matplotlib", "lineax"}
MAY_USE_EXTRAS = {"io", "plotting", "cli", "interop"}
LATE = {("operators", "interop")}  # LinearOperator.to_scipy() and to_lineax(), imported when called
MAX_FILE, MAX_FUNCTION = 300, 40


def room(path: Path, root: Path) -> str:
    """Name the room that a file is in."""
    return path.relative_to(root).parts[0].removesuffix(".py")


def imports(tree: ast.Module, path: Path, root: Path):
    """Yield the rooms and outside packages that a file imports."""
    package = path.relative_to(root.parent).with_suffix("").parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((None, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            parts = (*base, *(node.module or "").split("."))
            if parts[0] != "convops":
                yield None, parts[0]
            elif len(parts) > 1 and parts[1]:
                yield parts[1], None
            else:
                yield from ((alias.name, None) for alias in node.names)


def length(node: ast.AST) -> int:
    """Count a function's lines without its docstring."""
    body = node.body
    if ast.get_docstring(node) is not None:
        body = body[1:] or body
    return node.end_lineno - body[0].lineno + 1


def main() -> int:
    """Check every file of the package; print what is wrong."""
    root = Path(__file__).parent.parent / "convops"
    wrong = []
    for path in sorted(root.rglob("*.py")):
        text = path.read_text()
        name, here = path.relative_to(root), room(path, root)
        tree = ast.parse(text)
        if len(text.splitlines()) > MAX_FILE:
            wrong.append(f"{name}: {len(text.splitlines())} lines, more than {MAX_FILE}")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and length(node) > MAX_FUNCTION:
                wrong.append(f"{name}:{node.lineno}: {node.name} has {length(node)} lines, more than {MAX_FUNCTION}")
        for inside, outside in imports(tree, path, root):
            if inside in FLOORS and FLOORS[inside] > FLOORS[here] and (here, inside) not in LATE:
                wrong.append(f"{name}: {here} imports {inside}, a floor above it")
            if outside in EXTRAS and here not in MAY_USE_EXTRAS:
                wrong.append(f"{name}: {outside} is an extra, for {', '.join(sorted(MAY_USE_EXTRAS))} alone")
    print("\n".join(wrong) or "the house is in order")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
