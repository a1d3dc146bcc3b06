"""Tables for families: the files that are tables, and what is made of each."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from knoll.data_files import why_skipped
from knoll.data_layout import is_table, no_table
from knoll.errors import BadFiles
from knoll.families.base import Files
from knoll.tables import Table, read_table

__all__ = ["each_table", "table_keys"]

_Made = TypeVar("_Made")


def table_keys(keys: Iterable[str]) -> list[str]:
    """The tables among the keys, sorted. What `why_skipped` knows is left out. Raises BadFiles that names
    files of other kinds."""
    visible = sorted(key for key in keys if why_skipped(key) is None)
    if others := [key for key in visible if not is_table(key)]:
        raise BadFiles({key: no_table(key) for key in others})
    return visible


def each_table(
    files: Files, keys: Sequence[str], look: Callable[[Table], _Made], use: Callable[[str, _Made], object]
) -> None:
    """Call `use` with each key and what `look` makes of its table, in no order. A file is in memory alone.
    Raises BadFiles that names those which cannot be read, or of which `look` raises Rejected."""
    faults: dict[str, str] = {}
    for ending in sorted({_ending(key) for key in keys}):
        some = [key for key in keys if _ending(key) == ending]
        faults |= files.each(some, partial(_look, ending, look), partial(_use, some, use))
    if faults:
        raise BadFiles(faults)


def _ending(key: str) -> str:
    return key.rpartition(".")[2].lower()


def _look(ending: str, look: Callable[[Table], _Made], body: bytes) -> _Made:
    return look(read_table(f".{ending}", body))


def _use(keys: Sequence[str], use: Callable[[str, _Made], object], number: int, made: _Made) -> None:
    use(keys[number], made)
