"""Rows: what each cell becomes, and what is refused by the name of its column."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knoll.codecs import CODECS, Reading, decode, example_request
from knoll.errors import InvalidInstance
from knoll.records.signature import Signature, Tensor
from knoll.rollout.signature_change import signature_change


def column(name: str, kind: str, example: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "example": example, "optional": False, **more}


AGE = column("age", "number", 63)
SEX = column("sex", "category", "F", categories=["F", "M"])
CODE = column("code", "category", "1", categories=["1", "2"], optional=True)
OLD = column("code", "category", "1e0", categories=["1e0", "e\u0301"], optional=True)
SMOKES = column("smokes", "boolean", False, categories=["false", "true"], optional=True)
RIGHT = {"age": 63, "sex": "F", "code": 1, "smokes": True}


def row_of(*columns: dict[str, Any], **options: Any) -> Signature:
    options = {"columns": [*columns], "ignored": ["died"], "missing": ["?"], **options}
    return Signature((Tensor("row", "FP32", (-1, len(columns), 2), "row", options),), ())


PEOPLE = row_of(AGE, SEX, CODE, SMOKES)


def test_names_are_compared_in_nfc() -> None:
    signature = row_of(column("é", "number", 1), column("e\u0300", "number", 1))
    assert decode([{"e\u0301": 2, "è": 3}], signature)["row"].tolist() == [[[2, 1], [3, 1]]]
    with pytest.raises(InvalidInstance, match="it has two columns whose names are one in NFC"):
        decode([{"e\u0301": 2, "é": 2, "è": 3}], signature)


def test_categories_of_a_version_that_knew_other_spellings_are_found() -> None:
    rows = [{"code": cell} for cell in ("1e0", 1, "é", "e\u0301")]
    places = [float(one[0][0]) for one in decode(rows, row_of(OLD))["row"]]
    assert places == [1, 1, 2, 2]


def read(**cells: Any) -> tuple[list[list[float]], list[str]]:
    told: list[str] = []
    (row,) = decode([RIGHT | cells], PEOPLE, reading=Reading(told.append))["row"]
    assert row.dtype == np.float32
    return row.tolist(), told


@pytest.mark.parametrize(
    ("cells", "place", "wanted"),
    [
        ({}, 0, [63, 1]),
        ({"age": -0.5}, 0, [-0.5, 1]),
        ({}, 1, [1, 1]),
        ({"sex": " M "}, 1, [2, 1]),
        ({"code": 2}, 2, [2, 1]),
        ({"code": 2.0}, 2, [2, 1]),
        ({"code": "2"}, 2, [2, 1]),
        ({"code": None}, 2, [0, 0]),
        ({"code": "NA"}, 2, [0, 0]),
        ({"code": "?"}, 2, [0, 0]),
        ({}, 3, [2, 1]),
        ({"smokes": False}, 3, [1, 1]),
        ({"smokes": None}, 3, [0, 0]),
        ({"died": True}, 0, [63, 1]),
    ],
)
def test_a_cell_becomes_two_numbers(cells: dict[str, Any], place: int, wanted: list[float]) -> None:
    """What is missing may be left out or null, and columns of the data that were not learnt are ignored."""
    row, told = read(**cells)
    assert (row[place], told) == (wanted, [])


def test_an_unseen_category_is_answered_with_a_warning_that_names_it() -> None:
    row, (told,) = read(sex="X")
    assert row[1] == [0, 1]
    assert told.startswith("instance 0: column sex has the value 'X', which was not in the training data")


def test_a_left_out_column_is_missing_only_if_training_data_lacked_it() -> None:
    assert decode([{"age": 1, "sex": "F"}], PEOPLE)["row"][0, 2:].tolist() == [[0, 0], [0, 0]]
    with pytest.raises(InvalidInstance, match="instance 0: column sex has no value, and had one in all"):
        decode([{"age": 1}], PEOPLE)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"age": "63"}, "column age is '63', and must be a finite number, without quotes"),
        ({"age": True}, "column age is true, and must be a finite number"),
        ({"age": 1e39}, "column age is 1e+39, and must be a finite number"),
        ({"age": 10**400}, "column age is 1000"),
        ({"age": [1]}, "column age is a list"),
        ({"sex": True}, "column sex is true, and must be text"),
        ({"sex": {}}, "column sex is an object with fields"),
        ({"smokes": "true"}, "column smokes is 'true', and must be true or false"),
        ({"smokes": 1}, "column smokes is 1, and must be true or false"),
        ({"aeg": 63}, r"it has the column 'aeg', which is unknown; did you mean age\?"),
    ],
)
def test_a_wrong_cell_is_refused_by_the_name_of_its_column(cells: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInstance, match="instance 0: " + told.replace("+", r"\+")) as raised:
        read(**cells)
    assert raised.value.fix


@pytest.mark.parametrize("instance", [[63, "F"], "F", 63, None])
def test_a_row_is_an_object(instance: Any) -> None:
    with pytest.raises(InvalidInstance, match="instance 0: a row is an object of values by column"):
        decode([instance], PEOPLE)


Cells = list[list[float]]
ROW: Cells = [[63, 1], [1, 1], [0, 0], [2, 1]]


def fit(*rows: Cells) -> list[str]:
    """What is told of rows of V2."""
    told: list[str] = []
    batch = np.array(rows, np.float32)
    assert CODECS["row"].fitted(batch, PEOPLE.inputs[0], told.append) is batch
    return told


def test_rows_of_v2_are_those_that_v1_makes() -> None:
    """An unseen category is answered with a warning, as in V1."""
    assert fit(*(decode([RIGHT | cells], PEOPLE)["row"][0] for cells in ({}, {"code": None}))) == []
    assert fit(ROW, [[63, 1], [0, 1], [0, 1], [1, 1]]) == [
        "category 0 was taken as a value that was not in the training data: column sex, code"
    ]


@pytest.mark.parametrize(
    ("index", "cell", "told"),
    [
        *((1, [bad, 1], "column sex has the category") for bad in (3, -1, 1.5, 1e30, -1e30)),
        (3, [99, 1], "column smokes has the category 99; its 2 known ones count from 1, and 0 is any other"),
        (0, [63, 5], r"column age is \[63, 5\]; a value is followed by 1, and no value is \[0, 0\]"),
        (1, [1, -1], r"column sex is \[1, -1\]"),
        (2, [0, 0.5], r"column code is \[0, 0.5\]"),
        (2, [44, 0], r"column code is \[44, 0\]"),
        (0, [0, 0], "column age has no value, and had one in all training data"),
    ],
)
def test_a_cell_of_v2_that_v1_never_makes_is_refused(index: int, cell: list[float], told: str) -> None:
    with pytest.raises(InvalidInstance, match=f"instance 1: {told}"):
        fit(ROW, [*ROW[:index], cell, *ROW[index + 1 :]])


def test_the_example_is_answered_without_a_warning() -> None:
    told: list[str] = []
    decode(example_request(PEOPLE)["instances"], PEOPLE, reading=Reading(told.append))
    assert not told


JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.none())


@given(st.dictionaries(st.sampled_from([*RIGHT, "died", "x"]), JSON))
def test_any_row_is_decoded_or_refused(instance: dict[str, Any]) -> None:
    try:
        (row,) = decode([instance], PEOPLE)["row"]
    except InvalidInstance:
        return
    assert row.shape == (4, 2)
    assert np.isfinite(row).all()


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (row_of(AGE, SEX, CODE, SMOKES), ""),
        (row_of(SMOKES, CODE, SEX, AGE), ""),
        (row_of(AGE, SEX, CODE, SMOKES, column("more", "number", 1, optional=True)), ""),
        (row_of(AGE, SEX | {"categories": ["F"]}, CODE, SMOKES), ""),
        (row_of(AGE, SEX | {"optional": True}, CODE, SMOKES), ""),
        (row_of(AGE, CODE, SMOKES, ignored=["sex"]), ""),
        (row_of(AGE, CODE, SMOKES), "column sex is refused"),
        (row_of(AGE, SEX, CODE, SMOKES, column("more", "number", 1)), "column more is required"),
        (row_of(AGE, SEX, CODE | {"optional": False}, SMOKES), "column code is required"),
        (row_of(AGE | {"kind": "category"}, SEX, CODE, SMOKES), "column age is a category, not a number"),
    ],
    ids=map(str, range(10)),
)
def test_a_version_that_refuses_rows_of_the_champion_says_for_which_column(new: Signature, told: str) -> None:
    """Other orders, categories and optional columns change nothing for clients."""
    assert (
        signature_change(PEOPLE, new, "v000001").removeprefix("its signature is not that of v000001: ")
        == told
    )
