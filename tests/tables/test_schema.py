"""One rule makes a schema of all cells of all files."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from knoll.tables import Column, TableCounts, category_of, count_table, infer_schema, odd_tables, read_table


def counted(*columns: tuple[str, Sequence[object]]) -> TableCounts:
    names, cells = zip(*columns, strict=True)
    lines = [",".join(names), *(",".join(map(str, row)) for row in zip(*cells, strict=True))]
    return count_table(read_table("a.csv", "\n".join(lines).encode()))


def kind_of(cells: Sequence[object], **options: Sequence[str]) -> Column:
    (found, _) = infer_schema(counted(("x", cells), ("other", ["o"] * len(cells))), **options)
    return found


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, "-2.5", "1e3", ".5"], "number"),
        ([*range(95), *["much"] * 5], "number"),
        ([*range(94), *["much"] * 6], "mixed"),
        ([*range(5), *["A1"] * 95], "category"),
        (["true", "False", "TRUE"], "boolean"),
        (["yes", "no", "yes"], "category"),
        (["2026-01-31", "2026-01-31T10:00:00Z"], "date or time"),
        (['"12,5"', "13"], "decimal comma"),
        (["1_000", "0x10", "١٢"], "category"),
        (["", "NA", "n/a", "NaN", "null"], "empty"),
        ([f"id{number}" for number in range(50)], "category"),
        ([f"id{number}" for number in range(51)], "text"),
        ([f"id{number}" for number in range(51)] * 2, "category"),
        ([f"id{number}" for number in range(1000)] * 4, "category"),
        ([f"id{number}" for number in range(1001)] * 4, "text"),
        (["x" * 200, "y"], "category"),
        (["x" * 201, "y"], "text"),
    ],
)
def test_the_kind_of_a_column_follows_from_its_cells(cells: Sequence[object], kind: str) -> None:
    found = kind_of(cells)
    assert found.kind == kind
    assert bool(found.fault) == (kind in ("mixed", "date or time", "decimal comma", "text"))
    if found.fault:
        assert found.fault.startswith("x ")


@pytest.mark.parametrize(
    ("cell", "told"),
    [('"1,234"', "write 1234 for thousands, or 1.234"), ('"12,5"', "write them with a point, 12.5")],
    ids=["ambiguous", "decimal"],
)
def test_a_comma_that_may_be_one_of_thousands_is_not_taken_for_a_point(cell: str, told: str) -> None:
    assert told in kind_of([cell, "7"]).fault


def test_a_config_may_call_numbers_a_category() -> None:
    """1 and 1.0 are one of them, and 01 another."""
    found = kind_of(["1", "1.0", "01", ""], categories=["x"])
    assert (found.kind, dict(found.values), found.missing) == ("category", {"1": 2, "01": 1}, 1)


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (["1", "+1", "1.", "1e0", "1.000000000000000000e+00", 1, 1.0], "1"),
        ([".5", "0.50", "5e-1", 0.5], "0.5"),
        (["1.000000000000000056e-01", 0.1], "0.1"),
        (["-0", "0.0", -0.0], "0"),
        (["9007199254740993", 9007199254740993, "9007199254740993.0"], "9007199254740993"),
        (["1e23", 1e23, 10**23], "1" + "0" * 23),
        (["007"], "007"),
        (["1e999"], "1e999"),
        (["TRUE", True], "true"),
        (["e\u0301", " é "], "é"),
    ],
    ids=["one", "half", "tenth", "zero", "large", "larger", "code", "infinite", "boolean", "accent"],
)
def test_a_category_has_one_text_however_it_is_written(cells: Sequence[Any], text: str) -> None:
    assert {category_of(cell) for cell in cells} == {text}


def test_the_order_of_files_changes_nothing() -> None:
    bodies = [b"a,b\n1,x\n", b"b,a\ny,2\n,3\n", b'{"a": 4}\n']
    names = ["1.csv", "2.csv", "3.jsonl"]
    found = []
    for order in permutations(range(3)):
        first, *others = (count_table(read_table(names[one], bodies[one])) for one in order)
        for other in others:
            first.join(other)
        found.append(sorted(map(str, infer_schema(first))))
    assert all(one == found[0] for one in found)


def test_a_table_with_other_columns_than_most_is_named() -> None:
    """JSON Lines may leave columns out."""
    tables = {
        "1.csv": counted(("a", [1]), ("b", [2])),
        "2.csv": counted(("b", [1]), ("a", [2])),
        "3.csv": counted(("a", [1]), ("c", [2])),
        "4.jsonl": count_table(read_table("4.jsonl", b'{"a": 1}')),
        "5.jsonl": count_table(read_table("5.jsonl", b'{"d": 1}')),
    }
    assert odd_tables(tables) == {
        "3.csv": "it lacks the columns b, which most files have; it has the columns c, which most files lack",
        "5.jsonl": "it has the columns d, which most files lack",
    }
