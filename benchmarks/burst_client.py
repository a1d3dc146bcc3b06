"""A sender of notifications that shares two processors with their receiver. It has 64 connections, and does
as little work as possible for each.

If an answer is not 2xx, or the receiver is killed before it answers, the notification is sent again, as
stores and brokers do.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

__all__ = ["TOKEN", "post_all"]

TOKEN = "benchmark"  # that of the receiver

# seconds before the next try, as Knative's brokers have it: more often would slow down the process that
# starts
_PAUSE = 0.2


def post_all(
    port: int, bodies: Sequence[bytes], acknowledged: Callable[[int], None], connections: int = 64
) -> int:
    """Post each body to functions/ingest until it is acknowledged. Returns how many had to be posted again.
    After each, `acknowledged` gets the count so far."""
    return asyncio.run(_post_all(port, bodies, acknowledged, connections))


async def _post_all(
    port: int, bodies: Sequence[bytes], acknowledged: Callable[[int], None], connections: int
) -> int:
    waiting, done, again = deque(map(_request, bodies)), 0, 0

    async def send() -> None:
        nonlocal done, again
        way: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while waiting:
            request = waiting.popleft()
            try:
                way = way or await asyncio.open_connection("127.0.0.1", port)
                is_taken = await _ask(*way, request)
            except (OSError, asyncio.IncompleteReadError):
                way, is_taken = None, False
            if is_taken:
                done += 1
                acknowledged(done)
            else:
                again += 1
                waiting.append(request)
                await asyncio.sleep(_PAUSE)
        if way:
            way[1].close()

    await asyncio.gather(*(send() for _ in range(connections)))
    return again


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bool:
    """Whether the answer is 2xx."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
    )
    await reader.readexactly(length)
    return head[9:10] == b"2"


def _request(body: bytes) -> bytes:
    head = "POST /functions/ingest HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    head += f"authorization: Bearer {TOKEN}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
