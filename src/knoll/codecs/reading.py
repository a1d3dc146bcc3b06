"""What is told while instances are read, what ends that, and the memory for it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["Reading"]


def _no_room_needed(_: int) -> AbstractContextManager[Any]:
    return nullcontext()


@dataclass(frozen=True)
class Reading:
    """`warn` is told what was converted. `check` is called again and again, and may raise. Inside of
    `room(bytes)` that much memory may be taken; it may raise, too."""

    warn: Callable[[str], None] = lambda _: None
    check: Callable[[], None] = lambda: None
    room: Callable[[int], AbstractContextManager[Any]] = _no_room_needed

    def of_instance(self, index: int) -> "Reading":
        """The same, with warnings that name the instance."""
        return replace(self, warn=lambda text: self.warn(f"instance {index}: {text}"))
