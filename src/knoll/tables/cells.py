"""What one cell of a table is: a number, true or false, a date, text, or nothing.

A cell of CSV is text, and what it looks like decides. A cell of JSON or Parquet has a type, which counts: the
text "12" is text.
"""

import math
import re
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal

from knoll.data_files import normal

__all__ = ["MISSING", "CellValue", "category_of", "is_missing", "kind_of", "moment_of", "number_of"]

CellValue = str | int | float | bool | None

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null"})  # texts that stand for nothing, in any case
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,\d+|[+-]?\d{1,3}(,\d{3})+", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_CODE = re.compile(r"[+-]?0\d", re.ASCII)  # as in 007
_EXACT = 2.0**53  # a float below it has each whole number
_LARGEST = 3.4028234e38  # of a float32
_LONGEST = 400  # characters of a number
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_missing(cell: CellValue, more: Collection[str] = ()) -> bool:
    """Whether the cell holds nothing. `more` are further texts that stand for nothing, in this case."""
    if isinstance(cell, str):
        text = cell.strip()
        return text.lower() in MISSING or text in more or (not text.isascii() and _is_one_of(text, more))
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _is_one_of(text: str, texts: Collection[str]) -> bool:
    return normal(text) in map(normal, texts)


def kind_of(cell: CellValue, *, is_typed: bool) -> str:
    """What a cell that is not missing looks like: number, boolean, date or time, decimal comma or text."""
    if not isinstance(cell, str):
        return "boolean" if isinstance(cell, bool) else "number"
    text = cell.strip()
    if not is_typed:
        if len(text) <= _LONGEST and _NUMBER.fullmatch(text):
            return "number"
        if text.lower() in ("true", "false"):
            return "boolean"
    if text[:1].isdigit() and _DATE.fullmatch(text):
        return "date or time"
    return "decimal comma" if _COMMA.fullmatch(text) else "text"


def number_of(cell: CellValue, *, is_typed: bool) -> float | None:
    """The number of a cell; None if it has none that a float32 can hold."""
    if cell is None or kind_of(cell, is_typed=is_typed) != "number":
        return None
    try:
        number = float(cell)
    except OverflowError:
        return None
    return number if abs(number) <= _LARGEST else None


def category_of(cell: CellValue) -> str:
    """The text in NFC by which a cell is known as a category. A number is the same one however it is written:
    1, +1, 1.0 and 1e0 are "1", and .5 is "0.5"; but 007 is a code. true is "true"."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    text = normal(str(cell).strip())
    if text.lower() in ("true", "false"):
        return text.lower()
    is_number = len(text) <= _LONGEST and _NUMBER.fullmatch(text) and not _CODE.match(text)
    return _number_text(text) if is_number else text


def _number_text(text: str) -> str:
    """The shortest one of its number."""
    number = float(text)
    if abs(number) < _EXACT:
        return str(int(number)) if number.is_integer() else repr(number)
    return text if math.isinf(number) else f"{Decimal(text):.0f}"


def moment_of(cell: CellValue) -> tuple[int, bool] | None:
    """The seconds since 1970 of a date or time, and whether it names its zone; without one they are those of
    a clock on the wall. None if it is none, or no whole second."""
    text = cell.strip() if isinstance(cell, str) else ""
    if not _DATE.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    has_zone = found.tzinfo is not None
    apart = (found if has_zone else found.replace(tzinfo=UTC)) - _EPOCH
    return None if apart.microseconds else (apart.days * 86_400 + apart.seconds, has_zone)
