"""What a run would find in the tables of an upload, told before the first byte is sent.

The readers of training read the first rows of each. Only the head of one file is in memory.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path, PurePath

from knoll.cli.bars import progress
from knoll.cli.upload_plan import UploadFile
from knoll.data_files import why_skipped
from knoll.data_kinds import is_archive, is_table
from knoll.errors import InvalidData, InvalidModel
from knoll.families import find_declaration
from knoll.models import Model
from knoll.quoting import escaped
from knoll.tables import Table, is_missing, read_table, unknown_columns

__all__ = ["LookedInto", "TableLook", "look_into_tables"]

_HEAD = 2**20  # bytes of a file
_MOST = 64 * 2**20  # bytes of all, which take some seconds
_ROWS = 1000  # of a file
_NAMED = 50  # bad rows of a file
_WHOLE = {".parquet": "pyarrow", ".npz": "numpy"}  # read as a whole, with a library that may be absent


@dataclass
class LookedInto:
    """How many `tables` there were, and what is wrong with which, or with which rows of the others. It
    `is_all` if each row was seen."""

    tables: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    bad_rows: dict[str, str] = field(default_factory=dict)
    bad: int = 0
    good: int = 0
    is_all: bool = True


class TableLook:
    """Looks into the tables of an upload, as far as the bounds and the libraries here permit."""

    def __init__(self, model: Model) -> None:
        self._columns = _columns(model)
        self._left = _MOST
        self.found = LookedInto()

    def look(self, name: str, size: int, read: Callable[[int], bytes]) -> None:
        """Look into a table of so many bytes; `read` gives so many of them, from the first on."""
        self.found.tables += 1
        library = _WHOLE.get(PurePath(name).suffix.lower())
        is_readable = library is None or (size <= _HEAD and find_spec(library) is not None)
        if not is_readable or self._left <= 0:
            self.found.is_all = False
            return
        self._left -= min(size, _HEAD)
        body = read(_HEAD + 1)
        if is_cut := len(body) > _HEAD:
            self.found.is_all = False
            body = body[: body.rfind(b"\n") + 1] if not body.startswith((b"\xff\xfe", b"\xfe\xff")) else b""
        if body or not is_cut:
            self._look(name, body, is_cut)

    def _look(self, name: str, body: bytes, is_cut: bool) -> None:
        try:
            table = read_table(PurePath(name).suffix, body)
            if not table.is_open and (unknown := unknown_columns(table.names, self._columns)):
                raise InvalidData("; ".join(unknown))
        except InvalidData as error:
            self.found.faults[name] = str(error)
            return
        try:
            _look_at_rows(name, table, self._columns.get("target", ()), self.found)
        except InvalidData as error:
            if not is_cut:  # else a quote may be cut
                self.found.faults[name] = str(error)


def look_into_tables(look: TableLook, items: Sequence[UploadFile]) -> None:
    """Look into the tables among the files."""
    tables = [one for one in items if is_table(one.path.name) and why_skipped(one.path.name) is None]
    look.found.is_all &= all(one in tables or is_archive(one.path.name) for one in items)
    with progress("Checking tables", len(tables)) as advance:
        for item in tables:
            look.look(str(item.path), item.size, partial(_head, item.path))
            advance(1)


def _head(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most)


def _columns(model: Model) -> Mapping[str, Sequence[str]]:
    declared = find_declaration(model.family)
    with suppress(InvalidModel):  # the Model says so itself
        return declared.columns(declared.configure(model.training.config)) if declared else {}
    return {}


def _look_at_rows(key: str, table: Table, target: Sequence[str], found: LookedInto) -> None:
    places = {name: place for place, name in enumerate(table.names)}
    for number, cells in islice(table.rows, _ROWS):
        why = cells if isinstance(cells, str) else ""
        for name in target if not why else ():
            if name not in places or is_missing(cells[places[name]]):
                why = f"the target {escaped(name)} has no value"
        found.good, found.bad = found.good + (not why), found.bad + bool(why)
        if why and len(found.bad_rows) < _NAMED:
            found.bad_rows[f"{key}, {table.unit} {number}"] = why
    found.is_all &= next(table.rows, None) is None
