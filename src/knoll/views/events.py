"""Events: what the broker has taken, and dead letters in the form of events."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from knoll.dead_letters.letters import Death
from knoll.events import PING, TICK, Event
from knoll.headers import ATTRIBUTE
from knoll.kube.labels import MODEL_LABEL
from knoll.ports import Platform
from knoll.views.letters import read_letters

__all__ = ["EventFilter", "ReadEvents", "facts_of", "reader_of_deaths"]

ReadEvents = Callable[[int], list[tuple[int, Event]]]  # the events after a number, each with its own number

_TICKS = (PING, TICK)
_FACTS = (
    *("runId", "state", "progressPercentage", "version", "step", "percent"),
    *("objects", "reason", "metrics", "golden", "requests", "errors"),
)
_ERROR = "knativeerror"
_LONGEST = 500  # bytes of a body that is no event


@dataclass(frozen=True)
class EventFilter:
    """Events whose types begin with `type`, about `model`, or about any for "". Without `ticks`, ticks are
    left out, unless `type` asks for them."""

    type: str = ""
    model: str = ""
    ticks: bool = False

    def __call__(self, event: Event) -> bool:
        """Whether the event is meant."""
        if event.type in _TICKS and not self.ticks and not self.type:
            return False
        return event.type.startswith(self.type) and self.model in ("", _model_of(event))


def reader_of_deaths(platform: Platform) -> ReadEvents:
    """Reads each time that no function took an event, oldest first, from the dead letters."""
    seen: set[tuple[str, str]] = set()

    def read(after: int) -> list[tuple[int, Event]]:
        letters = [one.letter for one in read_letters(platform)]
        found = {(letter.id, death.name): death for letter in letters for death in letter.deaths}
        new = sorted((name for name in found if name not in seen), key=lambda name: (found[name].at, name))
        seen.update(new)
        return [(after + number, _event_of(found[name])) for number, name in enumerate(new, 1)]

    return read


def facts_of(event: Event) -> dict[str, Any]:
    """What one line tells of an event: facts from its data, and why no function took it."""
    data = _fields(event.data)
    errors = {
        name.removeprefix(_ERROR): value
        for name, value in event.extensions.items()
        if name.startswith(_ERROR)
    }
    facts = {key: data.get(key) for key in _FACTS} | errors
    return {key: value for key, value in facts.items() if value not in (None, "", {})}


def _event_of(death: Death) -> Event:
    """The event with its reason in plain words, or one that says what came in its place."""
    if death.event is None:
        id, source = (death.headers.get(f"{ATTRIBUTE}{name}", "") for name in ("id", "source"))
        data = {"reason": death.body[:_LONGEST].decode(errors="replace")}
        return Event(id, source, "not-an-event", death.at, data=data)
    told = {f"{_ERROR}data": death.reason} if death.reason else {}
    extensions = {**death.event.extensions, **told}
    return replace(death.event, time=death.event.time or death.at, extensions=extensions)


def _model_of(event: Event) -> str:
    data = _fields(event.data)
    labels = _fields(_fields(data.get("metadata")).get("labels"))
    return str(data.get("model") or labels.get(MODEL_LABEL) or event.subject)


def _fields(value: Any) -> dict[str, Any]:
    """The value if it is an object, else nothing: anybody may send the broker anything."""
    return value if isinstance(value, dict) else {}
