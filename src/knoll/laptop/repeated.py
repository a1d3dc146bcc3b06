"""Work that a part of the platform does again and again, on a thread of its own."""

import logging
import threading
from abc import ABC, abstractmethod

from knoll.errors import Unavailable

__all__ = ["Repeated"]

_LOG = logging.getLogger(__name__)


class Repeated(ABC):
    """Works between `start` and `stop`, and rests so many seconds after each time. A failure, even a bug, is
    logged, and the work is tried again."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name, self._seconds = name, seconds
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Work no more; what is under way ends first."""
        self._is_stopped.set()
        self._thread.join()

    @abstractmethod
    def work(self) -> None:
        """Do once what there is to do."""

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            try:
                self.work()
            except Unavailable as error:
                _LOG.warning("%s cannot work, and will try again: %s", self._name, error)
            except Exception:
                _LOG.exception("%s cannot work, and will try again", self._name)
            self._is_stopped.wait(self._seconds)
