"""An answer of a predictor, before it becomes ASGI messages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from knoll.headers import CONTENT_TYPE, WARNINGS
from knoll.media_types import JSON
from knoll.predict.work import Work
from knoll.quoting import escaped

__all__ = ["Act", "Answer", "in_json", "refusal", "told_in_header"]


@dataclass(frozen=True)
class Answer:
    """Status, body, and headers beside the body's length."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Act = Callable[[bytes, Mapping[str, str], Work], Answer]  # answers a body with these headers


def in_json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """The value as JSON."""
    return Answer(status, orjson.dumps(value), {CONTENT_TYPE: JSON, **(headers or {})})


def refusal(status: int, error: str, **more: Any) -> Answer:
    """{"error": ...}, as V1 and V2 have it. The error may repeat what a stranger has sent."""
    return in_json(status, {"error": escaped(error), **more})


def told_in_header(warnings: Sequence[str]) -> dict[str, str]:
    """The header that holds the warnings; none if there are none."""
    return {WARNINGS: "; ".join(warnings)} if warnings else {}
