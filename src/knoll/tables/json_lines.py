"""JSON Lines: an object of values by column in each line. What a line leaves out is missing there."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from knoll.data_files import normal
from knoll.errors import InvalidData
from knoll.quoting import escaped
from knoll.tables.limits import MOST_COLUMNS
from knoll.tables.table import Row, Table, check_names, is_text
from knoll.tables.text import open_text

__all__ = ["read_json_lines"]

_TYPES = (str, int, float, bool, type(None))


class _TwiceError(ValueError):
    """A name stands twice in an object."""


def read_json_lines(body: bytes) -> Table:
    """The table of a file: its columns are the names that occur, in the order in which they do. Raises
    InvalidData in words that begin with "it"."""
    names: dict[str, None] = {}
    first = ""
    for line, found in _objects(body):
        if isinstance(found, str):
            first = first or f": in line {line} {found}"
        else:
            names |= dict.fromkeys(found)
            if len(names) > MOST_COLUMNS:
                break
    if not names:
        raise InvalidData(f"it has no line with an object of values by column, alone in its line{first}")
    check_names([*names])
    return Table(tuple(names), _rows(body, tuple(names)), "line", is_typed=True, is_open=True)


def _rows(body: bytes, names: tuple[str, ...]) -> Iterator[Row]:
    for line, found in _objects(body):
        yield line, found if isinstance(found, str) else [found.get(name) for name in names]


def _objects(body: bytes) -> Iterator[tuple[int, dict[str, Any] | str]]:
    lines = open_text(body)
    for text in lines:
        lines.begin_row()
        if text.strip():
            yield lines.number, _read(text)


def _read(text: str) -> dict[str, Any] | str:
    """The object, or why the line is bad."""
    try:
        found = json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)
    except _TwiceError as error:
        return str(error)
    except (ValueError, RecursionError) as error:
        return f"it is no JSON: {error}"
    if not isinstance(found, dict):
        return "it is no object of values by column"
    for name, value in found.items():
        if not is_text(name):
            return f"the name {escaped(name[:40])} has half of a surrogate pair"
        if not isinstance(value, _TYPES):
            kind = "a list" if isinstance(value, list) else "an object"
            return f"{escaped(name)} is {kind}, not a number, text, true, false or null"
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which value of a name that stands twice they take."""
    found = {normal(name): value for name, value in pairs}
    if len(found) < len(pairs):
        ((name, _),) = Counter(normal(name) for name, _ in pairs).most_common(1)
        raise _TwiceError(f"it has {escaped(name[:40])} twice")
    return found


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON: write null")
