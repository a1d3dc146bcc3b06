"""The thread in which code of a user runs: one event loop, as on kserve's own server, but not that of ours.

So its methods, sync or async, are never run beside each other, except where they await; and however long they
take, connections and health checks are answered.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from knoll.predict.work import Work

__all__ = ["CustomThread"]

_T = TypeVar("_T")
_LOOK = 0.25  # seconds


class CustomThread:
    """A thread that runs until the process ends."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="custom", daemon=True).start()

    def take(self, act: Coroutine[Any, Any, _T], work: Work) -> _T:
        """The result. Raises what it raises, and ends it if the work ends before."""
        future = asyncio.run_coroutine_threadsafe(act, self._loop)
        while True:
            try:
                return future.result(_LOOK)
            except TimeoutError:
                if future.done():
                    return future.result()
            try:
                work.check()
            except BaseException:
                future.cancel()
                raise

    def soon(self, act: Coroutine[Any, Any, _T], within: float, otherwise: _T) -> _T:
        """The result, if it comes within so many seconds."""
        future = asyncio.run_coroutine_threadsafe(act, self._loop)
        try:
            return future.result(within)
        except TimeoutError:
            future.cancel()
            return otherwise
