"""Any file of columns, by the ending of its name."""

from knoll.data_kinds import is_table, no_table
from knoll.errors import InvalidData
from knoll.tables.arrays import read_arrays
from knoll.tables.checks import checked
from knoll.tables.delimited import read_delimited
from knoll.tables.json_lines import read_json_lines
from knoll.tables.parquet import read_parquet
from knoll.tables.table import Table, guarded

__all__ = ["read_table"]

_KINDS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old spreadsheet (.xls)",
    b"PAR1": "Parquet",
}


def read_table(name: str, body: bytes) -> Table:
    """The table of a file. Its rows are read while they are used. Raises InvalidData in words that begin with
    "it"."""
    if not is_table(name):
        raise InvalidData(no_table(name))
    ending = name.lower().rpartition(".")[2]
    with guarded(f"it is no .{ending} that can be read"):
        return checked(_read(ending, body))


def _read(ending: str, body: bytes) -> Table:
    if ending == "parquet":
        return read_parquet(body)
    if ending == "npz":
        return read_arrays(body)
    other = next((kind for head, kind in _KINDS.items() if body.startswith(head)), "")
    if other:
        raise InvalidData(f"it is {other}, and its name says .{ending}: unpack it, or save it as CSV")
    if ending in ("jsonl", "ndjson"):
        return read_json_lines(body)
    return read_delimited(body, is_tabbed=ending == "tsv")
