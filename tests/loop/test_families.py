"""Each family through the loop on a laptop, at a tiny size: data lands, a model is trained and rolled out,
and the answer to one request is right."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from families.test_recommender import SMALL as SMALL_SHOP
from families.test_recommender import purchases
from families.test_tabular import PEOPLE, people
from families.test_text import opinions
from families.test_traffic import SMALL, count, table, when, wide
from knoll.families import FAMILIES
from loop.conftest import Laptop

pytestmark = [pytest.mark.loop, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Small:
    """The folder of a family's example, rows of data, a config that learns them in seconds, a request, and
    whether its answer is right."""

    example: str
    rows: list[list[Any]]
    config: Mapping[str, Any]
    asked: Any
    is_right: Callable[[Any], bool]


FEW = {"epochs": 8, "batchSize": 32, "learningRate": 0.02, "seed": 1}
STREETS = {"north": [count(n, 0) for n in range(28)], "south": [count(n, 1) for n in range(28)]}
SMALLS = {
    "text-classifier": Small(
        "text",
        opinions(),
        {**FEW, "width": 4, "embedding": 4, "vocabulary": 300},
        "the meal was awful",
        lambda answer: answer["label"] == "bad",
    ),
    "tabular": Small(
        "tabular",
        people(),
        {**FEW, **PEOPLE, "width": 16, "blocks": 1},
        {"age": 80, "sex": "F", "smokes": True},
        lambda answer: answer["label"] == "y",
    ),
    "traffic-forecast": Small(
        "traffic",
        wide(),
        {**SMALL, "events": ["free"], "seed": 1},
        {"time": when(27), "history": STREETS},
        lambda answer: [*answer] == ["north", "south"] and len(answer["south"]["0.5"]) == 4,
    ),
    "recommender": Small(
        "recommender",
        purchases(),
        {**SMALL_SHOP, "seed": 1},
        {"items": ["rake", "seeds", "spade"]},
        lambda answer: answer["items"][0] == "gloves",
    ),
}


@pytest.mark.parametrize("family", SMALLS)
def test_data_becomes_a_model_that_answers(shared: Laptop, family: str, tmp_path: Path) -> None:
    small = SMALLS[family]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_bytes(table(small.rows))
    shared.declare(small.example, family, training__config=dict(small.config), gate=None)
    shared.knoll("upload", family, str(tmp_path / "data"))
    shared.wait_for_champion("v000001", family)
    answer = shared.predict(family, [small.asked])
    assert (answer.status_code, answer.headers["x-model-version"]) == (200, "v000001")
    assert small.is_right(answer.json()["predictions"][0]), answer.text


def test_no_family_is_left_out() -> None:
    """Those of pictures have their tests in test_loop.py."""
    assert {*SMALLS, "image-classifier", "dcgan"} == {*FAMILIES}
