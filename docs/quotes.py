"""Blocks that quote the source: files, classes, and tables of what they have."""

import ast
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from fields import table

__all__ = ["attributes", "code", "drawing", "first_words", "methods", "whole_file"]

ROOT = Path(__file__).parents[1]


def whole_file(argument: str) -> str:
    """A file of the repository: its path, then its language."""
    path, _, language = argument.partition(" ")
    return f"```{language}\n{_read(path).rstrip()}\n```"


def code(argument: str) -> str:
    """Some classes and functions of a module in its order, below the imports that they use: its path, then
    their names."""
    path, *names = argument.split()
    text = _read(path)
    body = ast.parse(text).body
    found = [one for one in body if getattr(one, "name", "") in names]
    if len(found) < len(names):
        raise ValueError(f"{path} lacks one of {names}")
    parts = [_imports(text, found), *(_definition(text, one) for one in found)]
    return "```python\n" + "\n\n\n".join(filter(None, parts)) + "\n```"


def _definition(text: str, one: ast.stmt) -> str:
    """A class or function with its decorators."""
    first = min(node.lineno for node in (one, *getattr(one, "decorator_list", [])))
    return "\n".join(text.splitlines()[first - 1 : one.end_lineno])


def _imports(text: str, users: Sequence[ast.stmt]) -> str:
    """The imports of the module that these statements use, in their groups."""
    used = {node.id for one in users for node in ast.walk(one) if isinstance(node, ast.Name)}
    groups: list[list[str]] = [[]]
    last = 0
    for one in ast.parse(text).body:
        if isinstance(one, ast.Import | ast.ImportFrom):
            groups += [[]] if one.lineno > last + 1 else []
            last = one.end_lineno or 0
            if used & {(alias.asname or alias.name).partition(".")[0] for alias in one.names}:
                groups[-1].append(str(ast.get_source_segment(text, one)))
    return "\n\n".join("\n".join(group) for group in groups if group)


def drawing(path: str) -> str:
    """What the docstring of a module draws: its indented lines."""
    text = ast.get_docstring(ast.parse(_read(path))) or ""
    drawn = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    return f"```text\n{textwrap.dedent(drawn)}\n```"


def methods(argument: str) -> str:
    """A table of the public methods of a family's parts, each with the first sentence of its docstring."""
    rows = [
        (
            f"`{one.name}`",
            f"`{Path(name).name}.py`",
            _first_sentence(one),
            "" if one.decorator_list else "yes",
        )
        for name, kind in _parts(argument)
        for one in kind.body
        if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")
    ]
    return table(("method", "in", "what it returns or does", "has a default"), rows)


def attributes(argument: str) -> str:
    """A table of the attributes of a family's parts, each with its comment."""
    folder, *_ = argument.split()
    rows = [
        (
            f"`{ast.unparse(one.target)}`",
            f"`{Path(name).name}.py`",
            _read(f"{folder}/{name}.py").splitlines()[one.lineno - 1].partition("  # ")[2],
            f"`{ast.unparse(one.value)}`" if one.value else "required",
        )
        for name, kind in _parts(argument)
        for one in kind.body
        if isinstance(one, ast.AnnAssign)
    ]
    return table(("attribute", "in", "meaning", "default"), rows)


def _parts(argument: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """The classes that a family derives from, each with its module: a folder, then modules."""
    folder, *modules = argument.split()
    for name in modules:
        for one in ast.parse(_read(f"{folder}/{name}.py")).body:
            if isinstance(one, ast.ClassDef) and (one.name == "Declaration" or one.name.endswith("Part")):
                yield name, one


def first_words(path: Path) -> str:
    """The first sentence of the docstring of a package or module, without its dot. Its path has no .py."""
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return _first_sentence(ast.parse(file.read_text(encoding="utf-8")))


def _first_sentence(one: ast.FunctionDef | ast.Module) -> str:
    return " ".join((ast.get_docstring(one) or "").split()).partition(". ")[0].rstrip(".")


def _read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
