"""The body of an HTTP request, up to a limit: whole, or on its way to somebody else."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import ClientDisconnect, Request

from knoll.headers import CONTENT_LENGTH
from knoll.request_limits import ARRIVES_WITHIN, BODY_LIMIT, ByteBudget

__all__ = ["WHOLE", "BodyTooLarge", "Upload", "read_body"]

WHOLE = 64 * 2**10  # bytes: shorter bodies are not worth to be sent on in parts


class BodyTooLarge(Exception):
    """The body of a request is longer than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is longer than {limit // 2**20} MiB")


async def read_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The whole body. Raises BodyTooLarge."""
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(limit)
    return b"".join(chunks)


class Upload:
    """A body that is sent on while it comes. What of it is here is in the budget, until `close`. `fault` is
    what ended it: BodyTooLarge, ClientDisconnect, or Unavailable if the budget is spent."""

    def __init__(self, request: Request, budget: ByteBudget) -> None:
        self._request, self._budget = request, budget
        self._size = self._taken = 0
        self._parts: list[bytes] = []
        self._is_whole = asyncio.Event()
        self.fault: Exception | None = None
        told = request.headers.get(CONTENT_LENGTH, "")
        self.length = int(told[:20]) if told.isdigit() else None
        if (self.length or 0) > BODY_LIMIT:
            raise BodyTooLarge(BODY_LIMIT)

    @property
    def is_whole(self) -> bool:
        """Whether its last byte has come."""
        return self._is_whole.is_set()

    async def hold(self, is_enough: Callable[[bytes], bool] = lambda _: False) -> bytes:
        """Its beginning: all of it, or as much as is enough. Raises its fault, or TimeoutError if the client
        takes too long."""
        async with asyncio.timeout(ARRIVES_WITHIN):
            while not self.is_whole and not (self._parts and is_enough(self._held())):
                self._parts.append(await self._next())
        return self._held()

    async def parts(self) -> AsyncIterator[bytes]:
        """What is held, and then the rest, as it comes. Raises its fault."""
        yield self._held()
        self._parts = []
        self.close()
        while not self.is_whole:
            yield await self._next()
            self.close()

    async def gone(self) -> None:
        """Returns when the body is whole, and its client has gone."""
        await self._is_whole.wait()
        while (await self._request.receive())["type"] != "http.disconnect":
            pass

    def close(self) -> None:
        """Let go of what is held."""
        self._budget.give(self._taken)
        self._taken = 0

    def _held(self) -> bytes:
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    async def _next(self) -> bytes:
        try:
            message = await self._request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part: bytes = message.get("body", b"")
            if self._size + len(part) > BODY_LIMIT:
                raise BodyTooLarge(BODY_LIMIT)
            self._budget.take(len(part), self._size)
        except Exception as error:
            self.fault = error
            raise
        self._size, self._taken = self._size + len(part), self._taken + len(part)
        if not message.get("more_body"):
            self._is_whole.set()
        return part
