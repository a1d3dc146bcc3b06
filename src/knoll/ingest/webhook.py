"""How stores and clouds reach ingest without a broker: they post notifications; a cloud first asks whether it
may."""

from collections.abc import Mapping
from contextlib import suppress

from knoll.errors import InvalidEvent
from knoll.events import read_json
from knoll.events.http import is_structured
from knoll.headers import (
    ALLOW,
    ARRIVAL,
    ATTRIBUTE,
    WEBHOOK_ALLOWED_ORIGIN,
    WEBHOOK_ALLOWED_RATE,
    WEBHOOK_ORIGIN,
)

__all__ = ["came_through_broker", "consent"]


def consent(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Headers that let a cloud send events here: section 4 of the CloudEvents HTTP webhook specification.

    `headers` are those of its OPTIONS request.
    """
    origin = next((value for name, value in headers.items() if name.lower() == WEBHOOK_ORIGIN), "")
    allowed = {WEBHOOK_ALLOWED_ORIGIN: origin, WEBHOOK_ALLOWED_RATE: "*"} if origin else {}
    return {ALLOW: "POST", **allowed}


def came_through_broker(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a broker of Knative brought the event, and wrote on it when it arrived.

    Only brokers have a dead-letter sink; stores and clouds have none.
    """
    if not is_structured(headers):
        return any(name.lower() == f"{ATTRIBUTE}{ARRIVAL}" for name in headers)
    with suppress(InvalidEvent):
        document = read_json(body, "the event")
        return isinstance(document, dict) and ARRIVAL in document
    return False
