"""Users and baskets become the numbers of items, and rankings become names."""

import json
from typing import Any

import numpy as np
import pytest

from knoll.codecs import CODECS, Reading, decode, encode, example_request
from knoll.codecs.basket import open_catalogue
from knoll.errors import InvalidInstance, InvalidVersion
from knoll.records.signature import Signature, Tensor, with_files

CATALOGUE = {"items": ["cup", "pot", "85123", "rake"], "users": {"ann": [1, 2], "17850": [4]}}
SIGNATURE = with_files(
    Signature(
        (Tensor("basket", "INT32", (-1, 3), "basket", {"file": "catalogue.json", "example": ["cup"]}),),
        (Tensor("ranking", "FP64", (-1, 2, 2), "ranking", {"file": "catalogue.json", "top": 2}),),
    ),
    {"catalogue.json": json.dumps(CATALOGUE).encode()},
)


def read(value: Any) -> tuple[list[int], list[str]]:
    told: list[str] = []
    (row,) = decode([value], SIGNATURE, reading=Reading(told.append))["basket"]
    assert row.dtype == np.int32
    return row.tolist(), told


@pytest.mark.parametrize(
    ("value", "row"),
    [
        ({"user": "ann"}, [0, 1, 2]),
        ({"user": 17850}, [0, 0, 4]),
        ({"user": "ann", "items": ["rake"]}, [1, 2, 4]),
        ({"items": ["cup", "pot", "85123", "rake"]}, [2, 3, 4]),
        ({"items": ["cup", "pot", "cup"]}, [0, 2, 1]),
        (["pot", 85123.0], [0, 2, 3]),
        ({"items": []}, [0, 0, 0]),
    ],
)
def test_each_item_counts_once_at_its_latest_place(value: Any, row: list[int]) -> None:
    assert read(value) == (row, [])


def test_unknown_items_are_left_out_with_a_warning() -> None:
    row, (told,) = read({"items": ["cup", "lamp"]})
    assert row == [0, 0, 1]
    assert told == "instance 0: lamp is unknown, and was left out"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"user": "anne"}, "it has the user 'anne', which is unknown; did you mean ann?"),
        ({"items": ["cups"]}, "it has the item 'cups', which is unknown; did you mean cup?"),
        ({"items": "cup"}, "items is 'cup', and must be a list"),
        ({"items": [None]}, "the item is null, and must be a name"),
        ({"user": True}, "the user is true, and must be a name"),
        ({}, "and must be a user, or a list of items"),
        ({"users": "ann"}, "and must be a user, or a list of items"),
        ("cup", "items is 'cup'"),
    ],
)
def test_what_is_no_basket_is_refused_by_name(value: Any, told: str) -> None:
    with pytest.raises(InvalidInstance) as raised:
        read(value)
    assert told in str(raised.value)
    assert raised.value.fix


def test_numbers_that_are_no_items_are_refused() -> None:
    fitted, (tensor,) = CODECS["basket"].fitted, SIGNATURE.inputs
    good = np.array([[0, 1, 4]], np.int32)
    assert fitted(good, tensor, lambda _: None) is good
    for wrong in (-1, 5):
        with pytest.raises(InvalidInstance, match=f"the item {wrong} is unknown; they are 1 to 4"):
            fitted(np.array([[0, 1, wrong]], np.int32), tensor, lambda _: None)


def test_a_ranking_names_items_and_their_scores() -> None:
    batch = {"ranking": np.array([[[3, 1.5], [1, -2.0]]])}
    assert encode(batch, SIGNATURE) == [{"items": ["85123", "cup"], "scores": [1.5, -2.0]}]


def test_the_example_is_answered() -> None:
    assert example_request(SIGNATURE) == {"instances": [{"items": ["cup"]}]}
    assert read({"items": ["cup"]}) == ([0, 0, 1], [])


def test_a_version_without_its_catalogue_is_none() -> None:
    plain = Signature(
        SIGNATURE.inputs[:0], (Tensor("ranking", "FP64", (-1, 2, 2), "ranking", {"file": "a"}),)
    )
    with pytest.raises(InvalidVersion, match="names the file a, which is not there"):
        with_files(plain, {})
    with pytest.raises(ValueError, match="no items and users"):
        open_catalogue("[]")
