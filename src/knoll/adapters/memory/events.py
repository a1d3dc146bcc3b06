"""A broker that keeps what it takes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from knoll.events import Event

__all__ = ["MemoryEvents"]


def _take(event: Event) -> None:
    """Refuse nothing."""


@dataclass
class MemoryEvents:
    """`ports.Events`: `taken` has all events in order; `before` sees each first, and may raise to refuse
    it."""

    taken: list[Event] = field(default_factory=list)
    before: Callable[[Event], None] = _take

    def publish(self, event: Event) -> None:
        """Keep the event."""
        self.before(event)
        self.taken.append(event)

    def types(self) -> list[str]:
        """The types of what was taken, in order."""
        return [event.type for event in self.taken]
