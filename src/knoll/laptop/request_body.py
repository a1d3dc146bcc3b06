"""The body of an HTTP request, up to a limit."""

from starlette.requests import Request

__all__ = ["BODY_LIMIT", "BodyTooLarge", "read_body"]

BODY_LIMIT = 64 * 2**20  # bytes of a predict request


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
