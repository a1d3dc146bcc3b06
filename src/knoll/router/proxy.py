"""One HTTP request on its way to a Revision, and the answer on its way back. It is sent once."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import aiohttp
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from yarl import URL

from knoll.headers import (
    COMPARE,
    CONNECTION,
    DATE,
    FEEDBACK_COPY,
    HOP_BY_HOP,
    PREDICTION,
    REVISION,
    SERVER,
    SESSION,
    TOKEN,
)
from knoll.paths import FEEDBACK

__all__ = ["CONNECT_WITHIN", "Question", "forward", "question_of", "to_compare", "unless_gone"]

CONNECT_WITHIN = 5.0  # seconds
_ANSWER_WITHIN = 300.0  # seconds: Knative's default timeout of a Revision
_CONNECTION = CONNECTION.encode()
_OF_THE_FRONT = {DATE.encode(), SERVER.encode()}  # it adds its own to every answer
_OF_KNOLL = {COMPARE.encode(), TOKEN.encode(), SESSION.encode()}  # no client may set these


@dataclass(frozen=True)
class Question:
    """A request as it is handed on. `path` has the query, and is encoded as it came."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def question_of(request: Request, body: bytes, session: str = "") -> Question:
    """The request with this body, and the session of its visitor, if it has one."""
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in _end_to_end(request.headers.raw)
        if name not in _OF_KNOLL
    ]
    if session:
        headers.append((SESSION, session))
    return Question(request.method, _path(request), tuple(headers), body)


def to_compare(question: Question, answer: Response) -> Question:
    """The question for another version. It names the id of this answer, if the answer has one. Feedback is
    only marked as a copy."""
    is_feedback = question.path.partition("?")[0].endswith(FEEDBACK)
    id = FEEDBACK_COPY if is_feedback else answer.headers.get(PREDICTION)
    return replace(question, headers=(*question.headers, (COMPARE, id))) if id else question


async def forward(http: aiohttp.ClientSession, address: str, revision: str, question: Question) -> Response:
    """Ask the Revision at the base URL `address`; return its answer, or 504 if it takes too long. If the
    Revision is not known, its name is "". Raises aiohttp.ClientError."""
    try:
        async with asyncio.timeout(_ANSWER_WITHIN):
            return await _send(http, address, revision, question)
    except aiohttp.ConnectionTimeoutError:
        return _too_late(f"{revision} took no connection within {CONNECT_WITHIN:g} s")
    except TimeoutError:
        return _too_late(f"{revision} did not answer within {_ANSWER_WITHIN:g} s")


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


def _too_late(text: str) -> Response:
    return JSONResponse({"error": text}, 504)


async def _send(http: aiohttp.ClientSession, address: str, revision: str, question: Question) -> Response:
    async with http.request(
        question.method,
        URL(address + question.path, encoded=True),
        headers=question.headers,
        data=BytesIO(question.body) if question.body else None,
        allow_redirects=False,
    ) as found:
        answer = Response(await found.read(), found.status)
    answer.raw_headers += [one for one in _end_to_end(found.raw_headers) if one[0] not in _OF_THE_FRONT]
    if revision:
        answer.raw_headers.append((REVISION.encode(), revision.encode()))
    return answer


async def _disconnect(request: Request) -> Response:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


def _path(request: Request) -> str:
    """Path and query as they came, without the host in the path."""
    path: str = request.scope["raw_path"].decode("latin-1")
    if "hostname" in request.path_params:
        path = "/" + path.split("/", 2)[2]
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _end_to_end(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that a proxy hands on (RFC 9110, 7.6.1), in lower case."""
    lower = [(name.lower(), value) for name, value in headers]
    connection = [value for name, value in lower if name == _CONNECTION]
    named = {part.strip().lower() for value in connection for part in value.split(b",")}
    return [(name, value) for name, value in lower if name not in HOP_BY_HOP and name not in named]
