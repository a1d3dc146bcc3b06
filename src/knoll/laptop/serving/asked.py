"""What the gateway has counted itself, beside what a predictor reports.

No predictor of this machine gets a request but from the gateway. So none can have answered more than the
gateway has sent to its Revision since the platform started, which also started the predictor.
"""

from collections.abc import Mapping
from dataclasses import replace

from knoll.events import PREDICTOR_OBSERVED, Event
from knoll.headers import ASKED

__all__ = ["with_asked"]


def with_asked(event: Event, asked: Mapping[str, int]) -> Event:
    """The event; if it is a report, with the number of requests that its Revision was sent. What the sender
    says of that does not count."""
    if event.type != PREDICTOR_OBSERVED:
        return event
    revision = event.data.get("revision") if isinstance(event.data, dict) else None
    count = asked.get(revision, 0) if isinstance(revision, str) else 0
    return replace(event, extensions={**event.extensions, ASKED: str(count)})
