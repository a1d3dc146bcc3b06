"""Events on their way to functions, which the Triggers in eventing/ choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from knoll.events import Event
from knoll.laptop.broker.eventing import Eventing, read_eventing
from knoll.wiring.stages import STAGES

__all__ = ["RETRIES", "Delivery", "subscribers"]

RETRIES = 10
_EVENTING = Path(__file__).parents[2] / "eventing"


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one function, and the number of attempts that failed."""

    function: str
    event: Event
    attempts: int = 0


def subscribers(event: Event) -> Sequence[str]:
    """The functions that get an event."""
    return _subscribers(event.type, event.extensions.get("kind", ""))


@cache
def _subscribers(type: str, kind: str) -> Sequence[str]:
    event = Event("id", "/source", type, "", extensions={"kind": kind} if kind else {})
    names = [
        trigger.subscriber.removeprefix("knoll-")
        for trigger in _eventing().triggers
        if trigger.matches(event)
    ]
    return tuple(name for name in names if name in STAGES)


@cache
def _eventing() -> Eventing:
    return read_eventing(_EVENTING)
