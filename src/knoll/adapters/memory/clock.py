"""A clock that a test owns."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

__all__ = ["MemoryClock"]


def _note(seconds: float) -> None:
    """Note nothing."""


@dataclass
class MemoryClock:
    """`ports.Clock` that stands still until it is moved; with `step`, in seconds, each look moves it first. A
    wait moves it, too, unless it `is_still`; `before_wait` sees the seconds of each wait first."""

    present: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    step: float = 0.0
    is_still: bool = False
    before_wait: Callable[[float], None] = _note

    def now(self) -> datetime:
        """The present."""
        self.move(self.step)
        return self.present

    def wait(self, seconds: float) -> None:
        """See `ports.Clock.wait`: the time passes at once."""
        self.before_wait(seconds)
        self.move(0 if self.is_still else seconds)

    def move(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.present += timedelta(seconds=seconds)
