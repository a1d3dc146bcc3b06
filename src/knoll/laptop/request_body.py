"""The body of an HTTP request, up to a limit."""

from starlette.requests import Request

__all__ = ["BODY_LIMIT", "BodyTooLarge", "read_body"]

BODY_LIMIT = 64 * 2**20  # bytes


class BodyTooLarge(Exception):
    """The body of a request is longer than `BODY_LIMIT` bytes."""


async def read_body(request: Request) -> bytes:
    """The whole body. Raises BodyTooLarge."""
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > BODY_LIMIT:
            raise BodyTooLarge
    return b"".join(chunks)
