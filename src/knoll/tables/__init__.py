"""Tables: files of columns, such as CSV. What they hold is counted while they are read, row by row, and one
rule makes a schema of the counts.

    file                    read by
    .csv, .tsv              the standard library's csv, strictly
    .jsonl, .ndjson         the standard library's json, line by line
    .parquet                pyarrow, which the trainer has
    .npz                    numpy, without pickle

Nothing here needs torch, and CSV and JSON Lines need no library at all. A fault of a whole file is
InvalidData; a bad row comes in place of its cells, so that whoever reads goes on behind it.
"""

from knoll.tables.cells import CellValue, category_of, is_missing, moment_of, number_of
from knoll.tables.limits import LONGEST_CELL, MOST_CATEGORIES, MOST_COLUMNS, MOST_ROWS
from knoll.tables.reading import read_table
from knoll.tables.schema import LEARNT, Column, infer_schema, odd_tables, unknown_columns
from knoll.tables.survey import TableCounts, TableShape, count_table
from knoll.tables.table import Row, Table
from knoll.tables.text import read_text

__all__ = [
    "LEARNT",
    "LONGEST_CELL",
    "MOST_CATEGORIES",
    "MOST_COLUMNS",
    "MOST_ROWS",
    "CellValue",
    "Column",
    "Row",
    "Table",
    "TableCounts",
    "TableShape",
    "category_of",
    "count_table",
    "infer_schema",
    "is_missing",
    "moment_of",
    "number_of",
    "odd_tables",
    "read_table",
    "read_text",
    "unknown_columns",
]
