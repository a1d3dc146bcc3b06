"""Copies of requests, sent beside the answers: few at a time, and none waits for its turn.

A copy begins a moment after its client has the answer, so that the client has the processor first. If too
many are under way, or their bodies are too large, it is dropped: a slow version on trial gets fewer copies,
and nobody else notices.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

__all__ = ["COPIED_BYTES", "COPIES", "Copies"]

COPIES = 8  # under way at once
COPIED_BYTES = 32 * 2**20  # of their bodies
_WITHIN = 60.0  # seconds; a replica may have to start
_AFTER = 0.01  # seconds after the answer
_LOG = logging.getLogger(__name__)


class Copies:
    """The copies under way. All its state belongs to one event loop. `sent` and `dropped` count since its
    start."""

    def __init__(self, most: int = COPIES, most_bytes: int = COPIED_BYTES, within: float = _WITHIN) -> None:
        self._most, self._most_bytes, self._within = most, most_bytes, within
        self._under_way: set[asyncio.Task[None]] = set()
        self._bytes = 0
        self.sent = self.dropped = 0

    async def offer(self, size: int, send: Callable[[], Awaitable[object]]) -> None:
        """Send a copy with a body of `size` bytes, or drop it; returns at once."""
        if len(self._under_way) >= self._most or self._bytes + size > self._most_bytes:
            self.dropped += 1
            return
        self.sent += 1
        self._bytes += size
        task = asyncio.create_task(self._send(size, send))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Give up those that are under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _send(self, size: int, send: Callable[[], Awaitable[object]]) -> None:
        try:
            await asyncio.sleep(_AFTER)
            async with asyncio.timeout(self._within):
                await send()
        except Exception as error:  # whatever it is, no client waits for it
            _LOG.debug("a copy has no answer: %s", error)
        finally:
            self._bytes -= size
