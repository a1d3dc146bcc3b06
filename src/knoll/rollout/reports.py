"""What a predictor reports of itself, read from its event."""

import re

from knoll.events import Event, reading

__all__ = ["read_report"]

_INSTANCE = re.compile(r"[-.\w]{1,63}", re.ASCII)  # a UUID, or the name of a Pod
_MOST_REQUESTS = 2**53


def read_report(event: Event) -> tuple[str, str, tuple[int, int]]:
    """What a predictor reports. All of it stays in the slot, so what cannot be a count or a name there would
    stop the rollout for ever."""
    with reading(f"the report in event {event.id}"):
        data = event.data
        version, instance, requests, errors = (
            data[name] for name in ("version", "instance", "requests", "errors")
        )
        if not (isinstance(instance, str) and _INSTANCE.fullmatch(instance)):
            raise ValueError("instance is no name of a process")
        if not (type(requests) is int and type(errors) is int and 0 <= errors <= requests <= _MOST_REQUESTS):
            raise ValueError("requests and errors are no counts")
        return str(version), instance, (requests, errors)
