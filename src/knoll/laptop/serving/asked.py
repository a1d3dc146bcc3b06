"""What the gateway has counted itself, beside what a predictor reports.

Predictors of this machine get requests from the gateway only, and start with the platform or later. So a
predictor cannot have answered more requests than the gateway has sent to its Revision.
"""

from collections.abc import Mapping
from dataclasses import replace

from knoll.events import PREDICTOR_OBSERVED, Event
from knoll.headers import ASKED

__all__ = ["with_asked"]


def with_asked(event: Event, asked: Mapping[str, int]) -> Event:
    """The event. If it is a report, it gets the number of requests that were sent to its Revision, whatever
    its sender says of that."""
    if event.type != PREDICTOR_OBSERVED:
        return event
    revision = event.data.get("revision") if isinstance(event.data, dict) else None
    count = asked.get(revision, 0) if isinstance(revision, str) else 0
    return replace(event, extensions={**event.extensions, ASKED: str(count)})
