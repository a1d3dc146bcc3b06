"""The body of an HTTP request, up to a limit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from knoll.headers import CONTENT_LENGTH
from knoll.request_limits import ARRIVES_WITHIN, BODY_LIMIT, ByteBudget

__all__ = ["BodyTooLarge", "held_body", "read_body"]


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


@asynccontextmanager
async def held_body(request: Request, budget: ByteBudget) -> AsyncIterator[bytes]:
    """The whole body, which is in the budget until the end. Raises BodyTooLarge, TimeoutError, or Unavailable
    if the budget is spent."""
    told = request.headers.get(CONTENT_LENGTH, "")
    if told.isdigit() and int(told[:20]) > BODY_LIMIT:
        raise BodyTooLarge(BODY_LIMIT)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(ARRIVES_WITHIN):
            async for chunk in request.stream():
                if size + len(chunk) > BODY_LIMIT:
                    raise BodyTooLarge(BODY_LIMIT)
                budget.take(len(chunk), size)
                size += len(chunk)
                chunks.append(chunk)
        body = b"".join(chunks)
        chunks.clear()
        yield body
    finally:
        budget.give(size)
