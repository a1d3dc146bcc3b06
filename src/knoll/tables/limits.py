"""How large a table may be. What is larger is refused before it takes memory; `docs/families/tabular.md` has
these numbers."""

__all__ = [
    "LONGEST_CELL",
    "LONGEST_NAME",
    "LONGEST_ROW",
    "LONGEST_VALUE",
    "MOST_CATEGORIES",
    "MOST_COLUMNS",
    "MOST_ROWS",
    "MOST_UNPACKED",
    "rows_at_once",
]

MOST_ROWS = 10_000_000  # of all files together
MOST_COLUMNS = 1_000
MOST_CATEGORIES = 1_000  # different values of one column
LONGEST_NAME = 200  # characters of the name of a column
LONGEST_CELL = 131_072  # characters; csv has the same limit
LONGEST_ROW = 2**20  # characters
LONGEST_VALUE = 200  # characters of a category; what is longer is text
MOST_UNPACKED = 2**30  # bytes of a Parquet or npz file

_ROWS, _CELLS = 4096, 2**18  # that are objects of Python at a time


def rows_at_once(columns: int) -> int:
    """How many rows of a library are made objects of Python at a time."""
    return max(1, min(_ROWS, _CELLS // max(1, columns)))
