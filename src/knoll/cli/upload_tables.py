"""What a run would find in the tables of an upload, told before the first byte is sent.

The readers of training read the first rows of each. Only the head of one file is in memory.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from knoll.cli.bars import progress
from knoll.cli.upload_plan import UploadFile
from knoll.data_files import why_skipped
from knoll.data_layout import is_table
from knoll.errors import InvalidData, InvalidModel
from knoll.families import find_declaration
from knoll.models import Model
from knoll.quoting import escaped
from knoll.tables import Table, is_missing, read_table, unknown_columns

__all__ = ["LookedInto", "look_into_tables"]

_HEAD = 2**20  # bytes of a file
_MOST = 64 * 2**20  # bytes of all, which take some seconds
_ROWS = 1000  # of a file
_NAMED = 50  # bad rows of a file
_WHOLE = {".parquet": "pyarrow", ".npz": "numpy"}  # read as a whole, with a library that may be absent


@dataclass
class LookedInto:
    """What is wrong with which files, and with which rows of the others. It `is_all` if each row was seen."""

    faults: dict[str, str] = field(default_factory=dict)
    bad_rows: dict[str, str] = field(default_factory=dict)
    bad: int = 0
    good: int = 0
    is_all: bool = True


def look_into_tables(model: Model, items: Sequence[UploadFile]) -> LookedInto:
    """Look into the tables among the files, as far as the bounds and the libraries here permit."""
    found, left = LookedInto(), _MOST
    tables = [one for one in items if is_table(one.path.name) and why_skipped(one.path.name) is None]
    columns = _columns(model)
    with progress("Checking tables", len(tables)) as advance:
        for item in tables:
            library = _WHOLE.get(item.path.suffix.lower())
            is_readable = library is None or (item.size <= _HEAD and find_spec(library) is not None)
            if is_readable and left > 0:
                left -= min(item.size, _HEAD)
                _look(item.path, columns, found)
            else:
                found.is_all = False
            advance(1)
    found.is_all &= len(tables) == len(items)
    return found


def _columns(model: Model) -> Mapping[str, Sequence[str]]:
    declared = find_declaration(model.family)
    with suppress(InvalidModel):  # the Model says so itself
        return declared.columns(declared.configure(model.training.config)) if declared else {}
    return {}


def _look(path: Path, columns: Mapping[str, Sequence[str]], found: LookedInto) -> None:
    with path.open("rb") as file:
        body = file.read(_HEAD + 1)
    is_cut = len(body) > _HEAD
    if is_cut:
        found.is_all = False
        body = body[: body.rfind(b"\n") + 1] if not body.startswith((b"\xff\xfe", b"\xfe\xff")) else b""
        if not body:
            return
    try:
        table = read_table(path.suffix, body)
        if not table.is_open and (unknown := unknown_columns(table.names, columns)):
            raise InvalidData("; ".join(unknown))
    except InvalidData as error:
        found.faults[str(path)] = str(error)
        return
    try:
        _look_at_rows(path, table, columns.get("target", ()), found)
    except InvalidData as error:
        if not is_cut:  # else a quote may be cut
            found.faults[str(path)] = str(error)


def _look_at_rows(path: Path, table: Table, target: Sequence[str], found: LookedInto) -> None:
    places = {name: place for place, name in enumerate(table.names)}
    for number, cells in islice(table.rows, _ROWS):
        why = cells if isinstance(cells, str) else ""
        for name in target if not why else ():
            if name not in places or is_missing(cells[places[name]]):
                why = f"the target {escaped(name)} has no value"
        found.good, found.bad = found.good + (not why), found.bad + bool(why)
        if why and len(found.bad_rows) < _NAMED:
            found.bad_rows[f"{path}, {table.unit} {number}"] = why
    found.is_all &= next(table.rows, None) is None
