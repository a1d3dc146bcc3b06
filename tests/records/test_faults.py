"""A record that cannot be read is told in words of ours: which field, what stands there, what must."""

import json
from pathlib import Path
from typing import Any

import pytest

from knoll.errors import NewerSchema, Rejected
from knoll.records.dataset import load_dataset
from knoll.records.places import place_of
from knoll.records.record import Load

GOLDEN = Path(__file__).parent / "golden" / "knoll-0.3" / "bucket"
WORDS_OF_LIBRARIES = (
    "Field required",
    "Input should",
    "Invalid JSON",
    "EOF",
    "validation",
    "dataclass",
    "None",
)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{}", "this is not a dataset snapshot: model must be given"),
        (b"", "this is not a dataset snapshot: it is not JSON: it is empty"),
        (b"{", "this is not a dataset snapshot: it is not JSON: line 1, column 2: its end is missing"),
        (b"[1]", "this is not a dataset snapshot: it must be an object with fields, not a list"),
        (b'{"model": null}', "this is not a dataset snapshot: model must be text, not null"),
        (b'{"model": "\\u001b"}', "this is not a dataset snapshot: prefix must be given"),
    ],
)
def test_the_field_and_the_value_are_named(body: bytes, told: str) -> None:
    with pytest.raises(Rejected) as refused:
        load_dataset(body)
    assert str(refused.value) == told


@pytest.mark.parametrize(
    "path", sorted(GOLDEN.rglob("*.json")), ids=lambda path: str(path.relative_to(GOLDEN))
)
def test_no_record_is_refused_in_words_of_a_library(path: Path) -> None:
    """Each field of each record in turn is left out, or has a value of another type."""
    place, _ = place_of(str(path.relative_to(GOLDEN)))
    if place is None or place.load is None:
        pytest.skip("knoll reads nothing there")
    fields = json.loads(path.read_bytes())
    if not isinstance(fields, dict):
        pytest.skip("it has no fields")
    changed: list[dict[str, Any]] = [
        {**fields, name: odd} for name in fields for odd in (None, [1], {"a": 1}, "x", -1.5)
    ]
    changed += [{name: one for name, one in fields.items() if name != left} for left in fields]
    told = "\n".join(_told(place.load, json.dumps(one).encode()) for one in changed)
    assert "must be" in told
    assert not any(words in told for words in WORDS_OF_LIBRARIES), told


def _told(load: Load[Any], body: bytes) -> str:
    try:
        load(body)
    except (Rejected, NewerSchema) as error:
        return str(error)
    return ""
