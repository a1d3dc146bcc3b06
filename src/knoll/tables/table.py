"""A table as it is read: the names of its columns, and its rows one after the other."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from knoll.errors import InvalidData, KnollError
from knoll.quoting import escaped
from knoll.tables.cells import CellValue
from knoll.tables.limits import LONGEST_NAME, MOST_COLUMNS, MOST_ROWS

__all__ = ["Row", "Table", "check_names", "check_rows", "guarded", "is_text"]

_HALF = re.compile("[\ud800-\udfff]")

Row = tuple[int, Sequence[CellValue] | str]


@dataclass(frozen=True)
class Table:
    """A row is its number, and a cell for each name; or, in words that begin with "it", why it is bad. `unit`
    says what the numbers count: lines or rows. If the table `is_typed`, its cells have types, and text is
    never a number. It `is_open` if a row need not have all names, as in JSON Lines."""

    names: tuple[str, ...]
    rows: Iterator[Row]
    unit: str
    is_typed: bool
    is_open: bool = False


@contextmanager
def guarded(fault: str) -> Iterator[None]:
    """Whatever a library raises about the bytes of a stranger, even that they want too much memory, is
    InvalidData: the `fault`, and its first words."""
    try:
        yield
    except KnollError:
        raise
    except Exception as error:
        why = str(error).partition("\n")[0][:200] or type(error).__name__
        raise InvalidData(f"{fault}: {escaped(why)}") from error


def check_rows(count: int) -> None:
    """Raise InvalidData if a file has more rows than all files may have."""
    if count > MOST_ROWS:
        raise InvalidData(f"it has more than {MOST_ROWS:,} rows: use fewer")


def is_text(text: str) -> bool:
    """Whether it has UTF-8: half of a surrogate pair has none."""
    return text.isascii() or not _HALF.search(text)


def check_names(names: Sequence[str]) -> None:
    """Raise InvalidData if these are no names of columns."""
    if not names:
        raise InvalidData("it has no columns")
    if len(names) > MOST_COLUMNS:
        raise InvalidData(f"it has {len(names):,} columns, more than {MOST_COLUMNS:,}")
    if any(not name for name in names):
        raise InvalidData(
            f"its column {[*names].index('') + 1} of {len(names)} has no name: name or remove it; pandas "
            "leaves its index out with to_csv(index=False)"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidData(f"it has two columns with the name {escaped(twice[0])}")
    if half := [name for name in names if not is_text(name)]:
        raise InvalidData(f"its column {escaped(half[0][:40])} has half of a surrogate pair in its name")
    long = next((name for name in names if len(name) > LONGEST_NAME), "")
    if long:
        raise InvalidData(
            f"it has a column whose name has {len(long):,} characters, more than {LONGEST_NAME}: "
            f"{escaped(long[:40])}…"
        )
