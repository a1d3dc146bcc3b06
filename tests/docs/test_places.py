"""ARCHITECTURE.md says of each record where it lies, who writes it, and whether it has a stamp."""

import ast
import importlib
import re
from pathlib import Path

from knoll.records.record import Record
from knoll.records.stamp import Stamped

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "knoll"
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
RECORDS = sorted((SOURCE / "records").glob("[a-z]*.py"))


def test_every_place_of_a_record_is_in_the_architecture() -> None:
    """The table of the model bucket has each folder that a module of `records` writes to."""
    places = {place for path in RECORDS for place in re.findall(r'join\(root, "([^"]+)"', path.read_text())}
    assert len(places) > 10
    missing = [place for place in places if not re.search(rf"\| `{place}[/`]", PAGE)]
    assert not missing, f"ARCHITECTURE.md does not say what lies in: {missing}"


def test_every_module_of_a_record_is_in_the_architecture() -> None:
    """The table of the model bucket names each module of `records` that has a kind of record."""
    told = {
        module
        for modules in re.findall(r"^\| `[^|]+\| [^|]+ \| ([^|]+) \|", PAGE, re.MULTILINE)
        for module in re.findall(r"`(\w+)`", modules)
    }
    assert modules_of(Record) - told == set()


def test_who_writes_a_record_is_in_the_architecture() -> None:
    """The row of a module of `records` names each stage that calls a function of it which writes."""
    rows = re.findall(r"^\| `[^|]+\| [^|]+ \| ([^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE)
    told = {
        (stage, module)
        for modules, writers in rows
        for module in re.findall(r"`(\w+)`", modules)
        for stage in re.findall(r"\w+", writers)
    }
    found = {
        (stage, module)
        for stage in ("ingest", "train", "trainer", "rollout")
        for path in (SOURCE / stage).rglob("*.py")
        for module, name in imported_from_records(path)
        if name in writers_of(module)
    }
    assert len(found) > 10
    assert found - {("train", "inbox")} - told == set(), "train copies entries into records of runs"


def test_which_records_have_a_stamp_is_in_the_architecture() -> None:
    (told,) = re.findall(r"The records of ([^.]+) have a \*\*stamp\*\*", PAGE)
    assert set(re.findall(r"`(\w+)`", told)) == modules_of(Stamped)


def modules_of(base: type) -> set[str]:
    """The modules of `records` that have a kind of this class."""
    for path in RECORDS:
        importlib.import_module(f"knoll.records.{path.stem}")
    kinds, found = [base], set[str]()
    while kinds:
        below: list[type] = (kind := kinds.pop()).__subclasses__()
        kinds += below
        found |= set() if below else {kind.__module__.rpartition(".")[2]}
    return found


def imported_from_records(path: Path) -> set[tuple[str, str]]:
    """The names that a module imports from those of `records`, each with its module."""
    return {
        ((node.module or "").rpartition(".")[2], one.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("knoll.records.")
        for one in node.names
    }


def writers_of(module: str) -> set[str]:
    """The functions of a module of `records` that write, by themselves or through another one of it."""
    body = ast.parse((SOURCE / "records" / f"{module}.py").read_text()).body
    calls = {one.name: called_in(one) for one in body if isinstance(one, ast.FunctionDef)}
    found = {"put_once", "overwrite", "put", "write"}
    while more := {name for name, called in calls.items() if called & found} - found:
        found |= more
    return found


def called_in(function: ast.FunctionDef) -> set[str]:
    """The names of what a function calls."""
    calls = [one.func for one in ast.walk(function) if isinstance(one, ast.Call)]
    return {one.id if isinstance(one, ast.Name) else getattr(one, "attr", "") for one in calls}
