"""Files of columns as others write them: each is read rightly, or refused by name."""

import io
import json
import tracemalloc
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from knoll.errors import InvalidData
from knoll.tables import limits, read_table, read_text
from knoll.tables.table import Table

PLAIN = "a,b\n1,x\n2,ü\n"
CELLS = [(2, ["1", "x"]), (3, ["2", "ü"])]


def read(name: str, body: bytes | str) -> Table:
    return read_table(name, body.encode() if isinstance(body, str) else body)


def fault_of(name: str, body: bytes | str) -> str:
    with pytest.raises(InvalidData) as raised:
        list(read(name, body).rows)
    return str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(PLAIN.encode(), id="utf-8"),
        pytest.param(PLAIN.encode("utf-8-sig"), id="utf-8 with a mark"),
        pytest.param(PLAIN.encode("utf-16"), id="utf-16, low byte first"),
        pytest.param(b"\xfe\xff" + PLAIN.encode("utf-16-be"), id="utf-16, high byte first"),
        pytest.param(PLAIN.replace("\n", "\r\n").encode(), id="line ends of Windows"),
        pytest.param(PLAIN.replace("\n", "\r").encode(), id="line ends of old Macs"),
        pytest.param(PLAIN.replace(",", ";").encode(), id="semicolons"),
        pytest.param(PLAIN.replace(",", "\t").encode(), id="tabs in a .csv"),
        pytest.param(b'"a","b"\n"1","x"\n"2","\xc3\xbc"', id="quotes, and no end of the last line"),
        pytest.param(b" a , b \n1,x\n2,\xc3\xbc\n\n", id="blanks around names, a blank line at the end"),
    ],
)
def test_a_csv_is_read_however_programs_write_it(body: bytes) -> None:
    table = read("people.csv", body)
    assert table.names == ("a", "b")
    assert list(table.rows) == CELLS


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (PLAIN.encode("latin-1"), "it is not UTF-8: line 3 has the byte 0xFC. If it is Latin-1"),
        (PLAIN.encode("utf-16-le"), "it looks like UTF-16 without a byte-order mark"),
        (PLAIN.encode("utf-32"), "it is UTF-32"),
        (PLAIN.encode("utf-16")[:-1], "it is cut short or damaged UTF-16"),
        (b"a,b\n1,\0\n", "it is no text: it has zero bytes"),
        (b"", "it has no columns"),
        (b"\n\n", "it has no columns"),
        (b"1,2\n3,4\n", "its first line has numbers, and must have the names of the columns"),
        (b"a,,c\n1,2,3\n", "its column 2 of 3 has no name"),
        (b"a,a\n1,2\n", "it has two columns with the name a"),
        (b"sep=;\na;b\n1;2\n", "its first line is 'sep=', which only Excel knows"),
        (b'a,b\n1,"x\n2,y\n', "a quote that begins in line 2 is not closed"),
        (b"\x1f\x8b\x08\0", "it is gzip, and its name says .csv"),
        (b"PK\x03\x04", "it is a zip archive or a spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "it is an old spreadsheet (.xls)"),
        (b"BZh9" + bytes(99), "it is bzip2"),
        (b"\x28\xb5\x2f\xfd" + bytes(99), "it is zstd"),
        (b"a,b\n" + b"1,x\n" * 300_000 + b"1,\0\n", "it is no text: it has zero bytes"),
        (b"# made by x\na,b\n1,2\n", "its first line begins with '# made by x', a comment"),
    ],
    ids=[
        *("latin-1", "unmarked utf-16", "utf-32", "cut utf-16", "zero bytes", "empty", "blank"),
        *("no header", "no name", "twice", "sep", "open quote", "gzip", "spreadsheet"),
        *("old spreadsheet", "bzip2", "zstd", "late zero byte", "comment"),
    ],
)
def test_a_csv_that_cannot_be_read_rightly_is_refused_by_name(body: bytes, told: str) -> None:
    assert fault_of("people.csv", body).startswith(told)


def test_a_wrong_byte_is_found_far_behind_the_first_ones() -> None:
    """The text is decoded in parts, and the line is counted over all of them."""
    body = b"a,b\n" + b"1,x\n" * 600_000 + b"2,\xe9\n"
    assert "line 600002 has the byte 0xE9" in fault_of("people.csv", body)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("1", "it has 1 cells, and the header has 2"),
        ("1,x,", "it has 3 cells, and the header has 2"),
        ('1,"x"y', "it cannot be read: ',' expected after '\"'"),
    ],
    ids=["short", "long", "quote"],
)
def test_a_bad_row_is_told_by_its_line_and_the_next_ones_are_read(row: str, why: str) -> None:
    """A row of several lines has the number of the first one."""
    rows = list(read("people.csv", f'a,b\n1,"x\ny"\n{row}\n2,z\n').rows)
    assert rows == [(2, ["1", "x\ny"]), (4, why), (5, ["2", "z"])]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (",".join(map(str, range(limits.MOST_COLUMNS + 1))) + "\n", "it has 1,001 columns, more than 1,000"),
        (f"{'n' * (limits.LONGEST_NAME + 1)},b\n", "it has a column whose name has 201 characters"),
        (f"a,b\n1,{'x' * (limits.LONGEST_CELL + 1)}\n", "it has a cell with more than 131,072 characters"),
        ("a,b\n" + "1," * limits.LONGEST_ROW, "it has a row with more than 1,048,576 characters, in line 2"),
        ('a,b\n1,"' + '","\n' * limits.LONGEST_ROW, "it has a row with more than 1,048,576 characters"),
    ],
    ids=["columns", "name", "cell", "row", "row of many lines"],
)
def test_what_is_larger_than_a_limit_is_refused(body: str, told: str) -> None:
    assert fault_of("people.csv", body).startswith(told)


def test_json_lines_have_types_and_may_leave_columns_out() -> None:
    table = read(
        "people.jsonl",
        '{"a": 1, "b": "2"}\n\n{"b": null, "c": true}\n[1]\n{"a": [1]}\n{"a": NaN}\n{\n{"a": 1, "a": 2}\n',
    )
    assert (table.names, table.is_typed, table.is_open) == (("a", "b", "c"), True, True)
    first, second, *bad = table.rows
    assert (first, second) == ((1, [1, "2", None]), (3, [None, None, True]))
    assert [(line, str(why).partition(":")[0]) for line, why in bad] == [
        (4, "it is no object of values by column"),
        (5, "a is a list, not a number, text, true, false or null"),
        (6, "it is no JSON"),
        (7, "it is no JSON"),
        (8, "it has a twice"),
    ]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('[{"a": 1}]', ": in line 1 it is no object of values by column"),
        ('{\n "a": 1\n}', ": in line 1 it is no JSON"),
        ('\n{"a": NaN}', ": in line 2 it is no JSON: NaN is no JSON: write null"),
        ('{"a": {"b": 1}}', ": in line 1 a is an object"),
        ("", ""),
    ],
    ids=["array", "many lines", "nan", "nested", "empty"],
)
def test_json_lines_without_a_good_line_are_told_by_the_first_one(body: str, why: str) -> None:
    told = fault_of("a.jsonl", body)
    assert told.startswith(f"it has no line with an object of values by column, alone in its line{why}")


def test_names_of_columns_that_are_no_first_line_may_be_numbers() -> None:
    assert read("a.parquet", written({"0": [1], "1": [2]})).names == ("0", "1")
    assert read("a.jsonl", '{"1": 5}').names == ("1",)


@pytest.mark.parametrize("line", ["[" * 200_000, '{"a": ' + "9" * 5000 + "}"], ids=["depth", "digits"])
def test_bombs_in_json_lines_are_bad_rows(line: str) -> None:
    _, bad = read("people.jsonl", '{"a": 1}\n' + line).rows
    assert str(bad[1]).startswith("it is no JSON")


HALF = "\ud800x"


def test_half_of_a_surrogate_pair_makes_a_bad_row_wherever_it_stands() -> None:
    """It has no UTF-8: a record with it could not be read."""
    lines = '{"a": "x"}\n{"a": "\\ud800x"}\n{"b\\udfff": 1, "a": "y"}\n{"a": "\\ud83d\\ude00"}'
    assert list(read("people.jsonl", lines).rows) == [
        (1, ["x"]),
        (2, "a has half of a surrogate pair, \\ud800 to \\udfff"),
        (3, "the name b\\udfff has half of a surrogate pair"),
        (4, ["\U0001f600"]),
    ]
    (_, first), (_, second) = read("people.npz", npz(a=np.array([HALF, "x"]))).rows
    assert (str(first).partition(",")[0], second) == ("a has half of a surrogate pair", ["x"])


def parquet(**columns: object) -> bytes:
    return written(columns)


def written(columns: Mapping[str, object], **options: Any) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), body, **options)
    return body.getvalue()


def test_parquet_is_read_with_its_types() -> None:
    """Dates are their text, and decimals are numbers."""
    days = pa.array([0, None], pa.date32())
    table = read("people.parquet", parquet(a=[1, 2], b=["x", None], c=[True, False], d=days))
    assert table.names == ("a", "b", "c", "d")
    assert list(table.rows) == [(1, [1, "x", True, "1970-01-01"]), (2, [2, None, False, None])]


def test_parquet_that_holds_other_things_is_refused() -> None:
    assert "its column a has the type list" in fault_of("a.parquet", parquet(a=[[1]]))
    assert "it is no Parquet that can be read" in fault_of("a.parquet", b"PAR1 and no more")


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        ("MOST_UNPACKED", "it has more than 1Mi when it is unpacked: write several files"),
        ("MOST_AT_ONCE", "the largest pages of its columns have 2Mi together when they are unpacked"),
    ],
)
def test_parquet_is_measured_by_its_pages_whatever_its_footer_says(
    limit: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"knoll.tables.parquet.{limit}", 2**20)
    size = 2**21
    column = pa.array([0] * (size // 8 - 99), pa.int64())
    options: dict[str, Any] = {"use_dictionary": False, "data_page_size": size, "compression": "zstd"}
    body = written({"a": column}, **options, write_statistics=False, max_rows_per_page=size)
    chunk = pq.ParquetFile(io.BytesIO(body)).metadata.row_group(0).column(0)
    forged = body.replace(varint(chunk.total_uncompressed_size), varint(1, 4))
    assert pq.ParquetFile(io.BytesIO(forged)).metadata.row_group(0).total_byte_size == 1
    assert fault_of("a.parquet", forged).startswith(why)


def varint(number: int, length: int = 1) -> bytes:
    """A positive number as Thrift writes it in a file of Parquet, in at least so many bytes."""
    return unsigned(2 * number, length)


def unsigned(number: int, length: int = 1) -> bytes:
    left, parts = number, list[int]()
    while left >> 7 or len(parts) < length - 1:
        parts.append(left & 127 | 128)
        left >>= 7
    return bytes([*parts, left])


def test_a_footer_at_which_pyarrow_could_end_the_process_makes_a_bad_file() -> None:
    """Its statistics tell of gaps, and its schema permits none."""
    body = parquet(a=["x"])
    forged = body.replace(b"%\x02\x18\x01a", b"%\x00\x18\x01a")
    assert "histogram" in fault_of("a.parquet", forged)


@pytest.mark.parametrize("count", [300_000, 2**31], ids=["many", "more than the file"])
def test_a_small_footer_of_very_many_columns_is_no_parquet(count: int) -> None:
    """Each column of three bytes takes some hundred when it is read."""
    footer = b"\x49\x1c\x19\xfc" + unsigned(count) + b"\x26\x00\x00" * 300_000 + b"\x00\x00"
    body = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    assert "it has too many values" in fault_of("a.parquet", body)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("x" * 50_000, {}),
        ("x" * 50_000, {"use_dictionary": False, "compression": "zstd"}),
        ("x" * 50_000, {"use_dictionary": False, "column_encoding": {"a.b": "DELTA_BYTE_ARRAY"}}),
    ],
    ids=["dictionary", "plain", "delta"],
)
def test_long_cells_of_a_small_parquet_take_little_memory(text: str, options: dict[str, Any]) -> None:
    """One text in the file is that of many rows: each is read, and not all of them are in memory."""
    table = read("a.parquet", written({"a.b": [text, "y"] * 500, "n": [*range(1000)]}, **options))
    tracemalloc.start()
    try:
        found = sum(len(str(cells[0])) for _, cells in table.rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == 500 * (len(text) + 1)
    assert peak < 2**24


def test_a_row_of_parquet_that_is_too_long_is_bad_and_the_next_ones_are_read() -> None:
    """Each cell may be there, and all together not; one alone may not."""
    cells = ["y", "x" * 120_000, "y", "x" * 140_000]
    _, long, third, last = read("a.parquet", written({f"c{n}": cells for n in range(9)})).rows
    assert long == (2, "it has more than 1,048,576 characters")
    assert third == (3, ["y"] * 9)
    assert last == (4, "it has more than 1,048,576 characters")
    (alone,) = read("a.parquet", parquet(a=["x" * 140_000])).rows
    assert alone == (1, "a has more than 131,072 characters")


def npz(**arrays: object) -> bytes:
    body = io.BytesIO()
    np.savez(body, **arrays)  # type: ignore[arg-type]
    return body.getvalue()


def test_arrays_are_columns_and_matrices_many() -> None:
    table = read("people.npz", npz(x=np.array([[1.5, 2], [3, 4]]), y=np.array(["a", "b"])))
    assert table.names == ("x_0", "x_1", "y")
    assert list(table.rows) == [(1, [1.5, 2.0, "a"]), (2, [3.0, 4.0, "b"])]


def test_long_floats_are_floats_of_python() -> None:
    rows = read("people.npz", npz(x=np.array([1.5, np.nan], np.longdouble))).rows
    assert [type(cells[0]) for _, cells in rows] == [float, float]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (npz(x=np.array([{}], dtype=object)), "without pickle"),
        (npz(x=np.zeros(2), y=np.zeros(3)), "its arrays have different lengths: x 2, y 3"),
        (npz(x=np.zeros((2, 2, 2))), "its array x has the shape [2, 2, 2]"),
        (npz(x=np.zeros(2, complex)), "its array x is of complex128"),
        (b"PK\x03\x04", "it is no npz"),
    ],
    ids=["objects", "lengths", "shape", "complex", "damaged"],
)
def test_arrays_that_are_no_columns_are_refused(body: bytes, told: str) -> None:
    """Objects would be read by pickle, which runs code."""
    assert told in fault_of("people.npz", body)


def test_an_archive_of_arrays_that_unpacks_to_too_much_is_refused_by_its_directory() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("x.npy", b"x")
    forged = body.getvalue().replace((1).to_bytes(4, "little") * 2, (2**31).to_bytes(4, "little") * 2)
    assert "it has 2Gi when it is unpacked, more than 1Gi" in fault_of("people.npz", forged)


def test_a_file_of_one_text_has_as_many_characters_as_a_cell() -> None:
    assert len(read_text(b"x" * limits.LONGEST_CELL)) == limits.LONGEST_CELL
    with pytest.raises(InvalidData, match="it has 131,073 characters, more than 131,072: split it"):
        read_text(b"x" * (limits.LONGEST_CELL + 1))


@pytest.mark.parametrize("name", ["people.xlsx", "people.txt", "people"])
def test_other_files_are_no_tables(name: str) -> None:
    assert fault_of(name, json.dumps([])).startswith("it is no table: only .csv")


def shaped(shape: tuple[int, ...], kind: str, data: bytes = b"") -> bytes:
    """An archive of an array, whose header says what it likes."""
    body, array = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"shape": shape, "fortran_order": False, "descr": kind})
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("x.npy", array.getvalue() + data)
    return body.getvalue()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (shaped((300_000_000,), "<U0"), "it has more than 10,000,000 rows"),
        (shaped((10**13,), "<f8", bytes(8)), "it has more than 10,000,000 rows"),
        (shaped((10**7,), "<f8", bytes(8)), "its array x is cut short"),
        (shaped((2, 10**9), "<U0"), "it has more than 1,000 columns"),
        (shaped((-5,), "<f8", bytes(8)), "its array x has the shape [-5]"),
    ],
    ids=["no bytes", "huge", "cut", "columns", "negative"],
)
def test_a_header_that_says_too_much_is_not_believed(body: bytes, told: str) -> None:
    assert fault_of("a.npz", body).startswith(told)


def test_parquet_with_too_many_rows_is_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knoll.tables.table.MOST_ROWS", 3)
    with pytest.raises(InvalidData, match="it has more than 3 rows"):
        read("a.parquet", parquet(a=pa.nulls(4)))
    rows = read("a.csv", "a\n1x\n2\n3\n4\n").rows
    assert [next(rows)[0] for _ in range(3)] == [2, 3, 4]
    with pytest.raises(InvalidData, match="it has more than 3 rows"):
        next(rows)


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([1], pa.timestamp("us", "Mars/Olympus")),
        pa.array([2**31 - 1], pa.date32()),
        pa.array([-(10**14)], pa.date64()),
    ],
    ids=["zone", "date32", "date64"],
)
def test_whatever_a_library_raises_about_a_file_makes_it_a_bad_file(cells: object) -> None:
    assert fault_of("a.parquet", parquet(a=cells)).startswith("it is damaged behind row 0: ")


TWO_CODES = {"e\u0301": [1], "b": [2]}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.csv", "e\u0301,b\n1,2\n".encode()),
        ("a.jsonl", '{"e\u0301": 1, "b": 2}'.encode()),
        ("a.parquet", written(TWO_CODES)),
        ("a.npz", npz(**TWO_CODES)),
    ],
    ids=["csv", "json", "parquet", "npz"],
)
def test_the_name_of_a_column_is_in_nfc_however_it_is_written(name: str, body: bytes) -> None:
    table = read(name, body)
    assert table.names == ("é", "b")
    assert [[*map(float, cells)] for _, cells in table.rows] == [[1, 2]]  # type: ignore[arg-type]


def test_two_names_that_are_one_in_nfc_are_refused() -> None:
    assert fault_of("a.csv", "é,e\u0301\n1,2\n") == "it has two columns with the name é"
    (bad, _) = read("a.jsonl", '{"é": 1, "e\u0301": 2}\n{"é": 1}').rows
    assert bad == (1, "it has é twice")
