"""Dead letters: events that no subscriber took, with the reason, as Knative writes it."""

from dataclasses import dataclass, replace

from knoll.errors import KnollError, Rejected, Unavailable
from knoll.events import Event
from knoll.headers import ERROR_CODE, ERROR_DATA, ERROR_DESTINATION

__all__ = ["DeadLetter", "dead_letter_event", "sink_queue"]

_ERROR_BYTES = 1024  # knativeerrordata is cut there, as Knative does


@dataclass(frozen=True)
class DeadLetter:
    """An event that its subscriber did not take. Its extensions knativeerrordest, knativeerrorcode and
    knativeerrordata say which subscriber, and why."""

    number: int
    trigger: str
    sink: str
    at: str
    event: Event


def dead_letter_event(event: Event, subscriber: str, error: Exception) -> Event:
    """The event with Knative's three error extensions. They have the text of knoll's own errors, but only the
    name of any other exception: its text may hold a secret."""
    text = str(error) if isinstance(error, KnollError) else type(error).__name__
    code = 422 if isinstance(error, Rejected) else 503 if isinstance(error, Unavailable) else 500
    line = "".join(character if character.isprintable() else " " for character in text)
    reason = {
        ERROR_DESTINATION: subscriber,
        ERROR_CODE: str(code),
        ERROR_DATA: line.encode()[:_ERROR_BYTES].decode(errors="ignore"),
    }
    return replace(event, extensions={**event.extensions, **reason})


def sink_queue(sink: str) -> str:
    """Name of the queue of a dead-letter sink; no Trigger's name has a slash."""
    return f"dead-letters/{sink}"
