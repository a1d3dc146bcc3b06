"""One HTTP request on its way to a replica, and the answer on its way back."""

import asyncio
from collections.abc import Coroutine, Sequence
from io import BytesIO
from typing import Any

import aiohttp
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from yarl import URL

from knoll.headers import REVISION, TOKEN

__all__ = ["CONNECT_WITHIN", "forward", "unless_gone"]

CONNECT_WITHIN = 5.0  # seconds
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade content-length host".split()
)
_OF_THE_FRONT = {b"date", b"server"}  # it adds its own to every answer


async def forward(
    http: aiohttp.ClientSession, address: str, revision: str, request: Request, body: bytes
) -> Response:
    """Send the request with this body to the replica at `address`; return its answer. Raises
    aiohttp.ClientError."""
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in _end_to_end(request.headers.raw)
        if name != TOKEN.encode()  # the session adds the right one
    ]
    async with http.request(
        request.method,
        _url(address, request),
        headers=headers,
        data=BytesIO(body) if body else None,
        allow_redirects=False,
    ) as found:
        answer = Response(await found.read(), found.status)
    answer.raw_headers += [one for one in _end_to_end(found.raw_headers) if one[0] not in _OF_THE_FRONT]
    answer.raw_headers.append((REVISION.encode(), revision.encode()))
    return answer


async def unless_gone(request: Request, answering: Coroutine[Any, Any, Response]) -> Response:
    """The answer. If the client hangs up first, the replica is hung up on, too: raises ClientDisconnect."""
    answer, gone = asyncio.ensure_future(answering), asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise ClientDisconnect
    finally:
        for task in (answer, gone):
            task.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


async def _disconnect(request: Request) -> Response:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


def _url(address: str, request: Request) -> URL:
    """Path and query as they came, without the host in the path."""
    path = request.scope["raw_path"].decode("latin-1")
    if "host" in request.path_params:
        path = "/" + path.split("/", 2)[2]
    query = request.scope["query_string"].decode("latin-1")
    return URL(f"{address}{path}?{query}" if query else address + path, encoded=True)


def _end_to_end(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that a proxy hands on (RFC 9110, 7.6.1), in lower case."""
    lower = [(name.lower(), value) for name, value in headers]
    named = {
        part.strip().lower() for name, value in lower if name == b"connection" for part in value.split(b",")
    }
    return [(name, value) for name, value in lower if name not in _HOP_BY_HOP and name not in named]
