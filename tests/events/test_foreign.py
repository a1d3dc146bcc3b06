"""A field that another program got wrong is told in our words."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from knoll.errors import InvalidEvent
from knoll.events import WrongField, reading

ANOTHER = "the report has a field that holds something else than it must"


def refused(data: Any) -> Any:
    raise WrongField(f"id is {data['id']}")


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (lambda data: data["requests"], "the report lacks the field requests"),
        (lambda data: data["\x1b[2J" + "x" * 100], rf"the report lacks the field \x1b[2J{'x' * 76}"),
        (lambda data: int(data["id"]), ANOTHER),
        (lambda data: datetime.fromisoformat(data["id"]), ANOTHER),
        (lambda data: data["id"]["name"], ANOTHER),
        (lambda data: data["id"].name, ANOTHER),
        (refused, "the report has a wrong field: id is x"),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_told_in_our_words(read: Callable[[Any], Any], told: str) -> None:
    with pytest.raises(InvalidEvent) as raised, reading("the report"):
        read({"id": "x"})
    assert str(raised.value) == told
