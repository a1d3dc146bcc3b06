"""Events of changed documents, as an ApiServerSource sends them on a cluster."""

from knoll.events import object_changed
from knoll.ports import Clock, Document, Events

__all__ = ["publish_change"]

_SOURCE = "/knoll/laptop"


def publish_change(document: Document, events: Events, clock: Clock) -> None:
    """Publish the event of a changed document. Raises Unavailable if the broker does not take it."""
    events.publish(object_changed(document, source=_SOURCE, time=clock.now()))
