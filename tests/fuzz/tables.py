"""Tables of strangers: each format that is read, with types, gaps and texts in it."""

import io
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from knoll.tables import read_table

__all__ = ["read_one_table", "tables"]

_COLUMNS: Mapping[str, Any] = {
    "text": [f"a{number % 7}" for number in range(40)],
    "number": [*range(40)],
    "share": [None if number % 5 else 0.5 for number in range(40)],
    "is": [number % 2 == 0 for number in range(40)],
}
_TEXTS = {
    ".csv": (b"text,number\nx,1\n\"y, z\",\n'',3\n", "text;number\nä;1,5\n".encode("utf-16")),
    ".tsv": (b"text\tnumber\nx\t1\n",),
    ".jsonl": (b'{"text": "x", "number": 1}\n{"text": null, "is": true}\n',),
}


@cache
def tables() -> tuple[bytes, ...]:
    """Files, each behind a line with its ending."""
    found = [(ending, body) for ending, bodies in _TEXTS.items() for body in bodies]
    table = pa.table(_COLUMNS)
    plain: Mapping[str, Any] = {"use_dictionary": False}
    deltas = {"text": "DELTA_BYTE_ARRAY", "number": "DELTA_BINARY_PACKED"}
    for options in (
        {},
        {"data_page_version": "2.0", "row_group_size": 8},
        {**plain, "compression": "zstd", "write_statistics": False},
        {**plain, "compression": "gzip", "column_encoding": deltas},
    ):
        file = io.BytesIO()
        pq.write_table(table, file, **options)
        found.append((".parquet", file.getvalue()))
    arrays: dict[str, Any] = {name: np.array(cells) for name, cells in _COLUMNS.items() if None not in cells}
    for write in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        write(file, **arrays)
        found.append((".npz", file.getvalue()))
    return tuple(ending.encode() + b"\n" + body for ending, body in found)


def read_one_table(body: bytes) -> str:
    """Read all rows of a table. Returns a fault, or ""."""
    ending, _, content = body.partition(b"\n")
    if ending.decode("latin-1") not in {*_TEXTS, ".parquet", ".npz"}:
        return ""
    table = read_table(ending.decode(), content)
    odd = [cells for _, cells in table.rows if not isinstance(cells, str) and len(cells) != len(table.names)]
    return f"effect: {len(table.names)} names, and cells {odd[0]!a:.200}" if odd else ""
