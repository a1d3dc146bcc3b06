"""Texts with their classes, from the rows of tables, or from files in one folder per class."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from knoll.data_layout import check_classes, find_layout
from knoll.errors import BadFiles, InvalidData
from knoll.families.base import BadRows, Files
from knoll.families.table_files import BadRowError, RowFaults, each_table, sum_faults
from knoll.families.text.columns import TextColumns
from knoll.quantities import in_words
from knoll.quoting import escaped, shown
from knoll.tables import CellValue, Table, category_of, is_missing, read_text

__all__ = ["Texts", "read_files", "read_tables"]

_ROW = 400  # bytes of memory for a text beside its characters and tokens
_WIDE = 4  # bytes of a character
_NUMBER = 4 * 2  # bytes of a token, which is there twice when the rows are split


@dataclass
class Texts:
    """`labels` has the class of each, and `classes` all by name. `origin` says in words where the texts come
    from. `held_out` are the places of those that the `splits` of the data keep for scoring."""

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    classes: Sequence[str] = ()
    origin: str = ""
    bad: BadRows = field(default_factory=BadRows)
    held_out: frozenset[int] = frozenset()
    splits: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """A key for each text; equal ones have the same."""
        return [hashlib.sha256(one.strip().encode()).hexdigest()[:16] for one in self.texts]


def read_tables(files: Files, keys: Sequence[str], columns: TextColumns, rows: int, tokens: int) -> Texts:
    """The good rows of these tables, in their order; there are no more than `rows`. Raises BadFiles that
    names files which cannot be read, and InvalidData without room."""
    _check_room(files, keys, rows, tokens)
    found: dict[str, tuple[Texts, RowFaults]] = {}
    each_table(files, keys, partial(_read_table, columns=columns), found.__setitem__)
    ordered = [(key, *found[key]) for key in keys]
    return Texts(
        [one for _, some, _ in ordered for one in some.texts],
        [one for _, some, _ in ordered for one in some.labels],
        columns.classes,
        f"The texts are those of the column {escaped(columns.text)}",
        sum_faults((key, faults) for key, _, faults in ordered),
    )


def read_files(files: Files, keys: Sequence[str], tokens: int) -> Texts:
    """Each file is a text, and its folder is its class. Raises BadFiles that names files which cannot be
    read, and InvalidData if there are too few classes."""
    _check_room(files, keys, len(keys), tokens)
    layout = find_layout(keys)
    classes = check_classes(layout.classes.values(), "text")
    found: dict[int, str] = {}
    if faults := files.each(keys, _read_file, found.__setitem__):
        raise BadFiles(faults)
    labels = [layout.classes[key] for key in keys]
    held_out = frozenset(place for place, key in enumerate(keys) if key in layout.held_out)
    texts, origin = [found[place] for place in range(len(keys))], "Each file is a text"
    return Texts(texts, labels, classes, origin, held_out=held_out, splits=layout.splits)


def _read_file(body: bytes) -> str:
    text = read_text(body)
    if not text.strip():
        raise InvalidData("it has no text")
    return text


def _read_table(table: Table, columns: TextColumns) -> tuple[Texts, RowFaults]:
    places = {name: place for place, name in enumerate(table.names)}
    text, label = (places.get(name) for name in (columns.text, columns.label))
    made, faults = Texts(), RowFaults(table.unit)
    for number, cells in table.rows:
        try:
            if isinstance(cells, str):
                raise BadRowError(cells)
            found = _text(None if text is None else cells[text], columns)
            made.labels.append(_label(None if label is None else cells[label], columns))
        except BadRowError as error:
            faults.refuse(number, str(error))
            continue
        made.texts.append(found)
        faults.good += 1
    return made, faults


def _text(cell: CellValue, columns: TextColumns) -> str:
    """Words such as NA and null are texts here."""
    text = "" if cell is None or cell != cell else cell if isinstance(cell, str) else category_of(cell)
    if not text.strip():
        raise BadRowError(f"{escaped(columns.text)} has no text")
    return text


def _label(cell: CellValue, columns: TextColumns) -> str:
    if is_missing(cell):
        raise BadRowError(f"{escaped(columns.label)} has no value")
    if (label := category_of(cell)) not in columns.classes:
        raise BadRowError(f"{escaped(columns.label)} is {shown(cell)}, which is no class")
    return label


def _check_room(files: Files, keys: Sequence[str], rows: int, tokens: int) -> None:
    size = _WIDE * sum(files.sizes[key] for key in keys) + rows * (_ROW + _NUMBER * tokens)
    if size > files.room:
        raise InvalidData(
            f"its {rows:,} texts take {in_words(size)} of memory, and there is room for "
            f"{in_words(files.room)}",
            fix="raise spec.training.resources.memory, or use fewer texts",
        )
