"""What the pages of a Parquet file take when they are unpacked, before pyarrow has seen it.

Each page says in its header what it takes, and pyarrow allocates as much; the sums in the footer are not
compared with it. pyarrow shows no headers, and some damaged footers end its process.
The fields: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from collections.abc import Iterator
from dataclasses import dataclass

from knoll.tables.thrift import Struct, read_struct

__all__ = ["ColumnPages", "read_pages"]

_MAGIC = b"PAR1"
_ROW_GROUPS, _COLUMNS, _META_DATA = 4, 1, 3  # of FileMetaData, RowGroup and ColumnChunk
_TYPE, _PATH, _VALUES, _PACKED_ALL, _DATA_PAGE, _DICTIONARY_PAGE = 1, 3, 5, 7, 9, 11  # of ColumnMetaData
_BYTE_ARRAY = 6  # Type
_UNPACKED, _PACKED = 2, 3  # of PageHeader
_ENCODINGS = {5: 2, 8: 4}  # of DataPageHeader and DataPageHeaderV2, by their fields of PageHeader
_DELTA = frozenset({6, 7})  # DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY


@dataclass(frozen=True)
class ColumnPages:
    """The pages of a column in one group of rows: bytes of all and of the `largest`, unpacked. It `is_loose`
    if it has texts of which pyarrow makes no dictionary."""

    path: str
    unpacked: int
    largest: int
    is_loose: bool


def read_pages(body: bytes) -> Iterator[list[ColumnPages]]:
    """The columns of each group of rows. Raises ValueError, LookupError, TypeError or AttributeError if the
    file is damaged."""
    end = len(body) - 8
    if end < 0 or body[-4:] != _MAGIC:
        raise ValueError("it has no footer")
    footer, _ = read_struct(body, max(0, end - int.from_bytes(body[end:-4], "little")))
    for group in footer[_ROW_GROUPS]:
        yield [_column_pages(body, column[_META_DATA]) for column in group[_COLUMNS]]


def _column_pages(body: bytes, column: Struct) -> ColumnPages:
    sizes, is_loose = [0], False
    for header in _headers(body, column):
        sizes.append(header[_UNPACKED])
        is_loose |= any(header[kind][field] in _DELTA for kind, field in _ENCODINGS.items() if kind in header)
    path = b".".join(column[_PATH]).decode()
    return ColumnPages(path, sum(sizes), max(sizes), is_loose and column[_TYPE] == _BYTE_ARRAY)


def _headers(body: bytes, column: Struct) -> Iterator[Struct]:
    """The headers of the pages that pyarrow reads."""
    start = min(column[_DATA_PAGE], column.get(_DICTIONARY_PAGE) or column[_DATA_PAGE])
    end = start + (column[_PACKED_ALL] if column[_VALUES] else 0)
    if not 0 <= start <= end <= len(body):
        raise ValueError("a column is outside of the file")
    while start < end:
        header, start = read_struct(body, start)
        if header[_UNPACKED] < 0 or header[_PACKED] < 0:
            raise ValueError("a page has less than no bytes")
        start += header[_PACKED]
        yield header
