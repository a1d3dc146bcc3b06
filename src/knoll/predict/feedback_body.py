"""The body of a feedback request: ids of answers, and their true labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from knoll.errors import InvalidInstance
from knoll.headers import PREDICTION
from knoll.predict.json_body import read_json

__all__ = ["MOST_ENTRIES", "RIGHT", "LabelledAnswer", "read_feedback"]

MOST_ENTRIES = 1_000
RIGHT = f'send {{"id": "...", "label": "..."}}: the id is the header {PREDICTION} of the answer'


@dataclass(frozen=True)
class LabelledAnswer:
    """The id of an answer, and the label of each of its instances; None where it is not known."""

    id: str
    labels: tuple[str | None, ...]


def read_feedback(
    body: bytes, keep: Callable[[int], None]
) -> LabelledAnswer | list[LabelledAnswer | InvalidInstance]:
    """The one entry, or the list of them, in which a faulty one is its fault. `keep` is told the bytes of
    memory that they take. Raises InvalidInstance, and what `keep` raises."""
    found = read_json(body, RIGHT, keep)
    if not isinstance(found, dict) or "feedback" not in found:
        return _entry(found)
    entries = found["feedback"]
    if not isinstance(entries, list) or not entries:
        raise InvalidInstance("feedback is no list of ids and labels", fix=RIGHT)
    if len(entries) > MOST_ENTRIES:
        raise InvalidInstance(
            f"the request has {len(entries):,} ids, more than {MOST_ENTRIES:,}", fix="send fewer at a time"
        )
    return [_entry_or_fault(one) for one in entries]


def _entry_or_fault(found: Any) -> LabelledAnswer | InvalidInstance:
    try:
        return _entry(found)
    except InvalidInstance as error:
        return error


def _entry(found: Any) -> LabelledAnswer:
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise InvalidInstance("it names no id of an answer", fix=RIGHT)
    if ("label" in found) == ("labels" in found):
        raise InvalidInstance("give label, or labels for an answer with several instances", fix=RIGHT)
    labels = found["labels"] if "labels" in found else [found["label"]]
    if not isinstance(labels, list) or not labels or all(one is None for one in labels):
        raise InvalidInstance("it has no label", fix=RIGHT)
    return LabelledAnswer(found["id"], tuple(None if one is None else _label(one) for one in labels))


def _label(found: Any) -> str:
    if type(found) is int and abs(found) < 2**63:
        return str(found)
    if not isinstance(found, str) or not found:
        raise InvalidInstance("a label is a text, such as the name of a class", fix=RIGHT)
    return found
