"""What a process remembers of the platform that it sees."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Caches"]

_Kept = TypeVar("_Kept")


class Caches:
    """What a process remembers of the platform that it sees; each kind is made when it is first asked for."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._kept: dict[Any, Any] = {}

    def of(self, kind: Callable[[], _Kept]) -> _Kept:
        """The one of this kind, which `kind` makes, such as a class without arguments."""
        with self._lock:
            if kind not in self._kept:
                self._kept[kind] = kind()
            kept: _Kept = self._kept[kind]
            return kept
