"""One HTTP request on its way to a Revision, and the answer on its way back. It is sent once.

Both are sent on in parts, as they come; what is short is sent at once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import aiohttp
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send
from yarl import URL

from knoll.headers import (
    COMPARE,
    CONNECTION,
    CONTENT_LENGTH,
    DATE,
    FEEDBACK_COPY,
    HOP_BY_HOP,
    REQUEST_TIMEOUT,
    REVISION,
    SERVER,
    SESSION,
    TOKEN,
)
from knoll.paths import FEEDBACK
from knoll.router.request_body import WHOLE, Upload

__all__ = [
    "CONNECT_WITHIN",
    "BrokenAnswer",
    "Deliver",
    "Question",
    "ToClient",
    "forward",
    "question_of",
    "to_compare",
]

CONNECT_WITHIN = 5.0  # seconds
_ANSWER_WITHIN = 300.0  # seconds: Knative's default timeout of a Revision
_CONNECTION = CONNECTION.encode()
_OF_THE_FRONT = {DATE.encode(), SERVER.encode()}  # it adds its own to every answer
_OF_KNOLL = {COMPARE.encode(), TOKEN.encode(), SESSION.encode()}  # no client may set these
_LEAST = 0.001  # seconds of a deadline

Deliver = Callable[[Response], Awaitable[None]]


class BrokenAnswer(Exception):
    """An answer ended before it was complete, and its client has the beginning."""


@dataclass(frozen=True)
class Question:
    """A request as it is handed on. `path` has the query, and is encoded as it came. `body` is whole, or it
    still comes. Nobody waits after the time `ends_at` of the event loop; None if it has no deadline."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | Upload
    ends_at: float | None = None

    def headers_now(self) -> list[tuple[str, str]]:
        """The headers, with the seconds that are left."""
        if self.ends_at is None:
            return [*self.headers]
        left = max(self.ends_at - asyncio.get_running_loop().time(), _LEAST)
        return [*(one for one in self.headers if one[0] != REQUEST_TIMEOUT), (REQUEST_TIMEOUT, f"{left:.3f}")]


class ToClient:
    """The way of one answer to its client, by a `send` of ASGI. `answer` is what was delivered, as far as its
    head; `is_over` when all of it was sent. No answer begins after the `limit`."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.limit: asyncio.Timeout | None = None
        self.answer: Response | None = None
        self.is_over = False

    @property
    def ends_at(self) -> float | None:
        """The time of the event loop when nobody waits any more."""
        return self.limit.when() if self.limit else None

    async def __call__(self, answer: Response) -> None:
        """Send it. Raises BrokenAnswer if it ends too soon, or if another one has begun."""
        if self.answer is not None:
            raise BrokenAnswer
        self.answer = answer
        if self.limit and not self.limit.expired():
            self.limit.reschedule(None)
        await answer({"type": "http"}, _hear_nothing, self._pass)

    async def _pass(self, message: Message) -> None:
        is_body = message["type"] == "http.response.body"
        self.is_over = is_body and not message.get("more_body", False)
        await self._send(message)


class _Streamed(Response):
    """An answer whose body comes in parts. Raises BrokenAnswer when it is sent, and they end too soon."""

    def __init__(self, status: int, parts: AsyncIterator[bytes]) -> None:
        self.status_code, self._parts = status, parts
        self.init_headers({})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for part in self._parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        except aiohttp.ClientError as error:
            raise BrokenAnswer from error
        await send({"type": "http.response.body", "body": b""})


def question_of(
    request: Request, body: bytes | Upload, session: str = "", ends_at: float | None = None
) -> Question:
    """The request with this body, and the session of its visitor, if it has one."""
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in _end_to_end(request.headers.raw)
        if name not in _OF_KNOLL
    ]
    if isinstance(body, Upload) and body.length is not None:
        headers.append((CONTENT_LENGTH, str(body.length)))
    if session:
        headers.append((SESSION, session))
    return Question(request.method, _path(request), tuple(headers), body, ends_at)


def to_compare(question: Question, id: str) -> Question:
    """The question for another version, with the id of the answer, if that has one. It has all the time that
    the first one had. Feedback is only marked as a copy."""
    is_feedback = question.path.partition("?")[0].endswith(FEEDBACK)
    told = FEEDBACK_COPY if is_feedback else id
    headers = (*question.headers, (COMPARE, told)) if told else question.headers
    return replace(question, headers=headers, ends_at=None)


async def forward(
    http: aiohttp.ClientSession, address: str, revision: str, question: Question, deliver: Deliver
) -> None:
    """Ask the Revision at the base URL `address`, and deliver its answer, or 504 if it takes too long. If the
    Revision is not known, its name is "". Raises aiohttp.ClientError if there is no answer, BrokenAnswer, and
    the fault of the body."""
    try:
        async with asyncio.timeout(_ANSWER_WITHIN) as limit:
            await _send(http, address, revision, question, deliver, limit)
            return
    except aiohttp.ConnectionTimeoutError:
        late = f"{revision} took no connection within {CONNECT_WITHIN:g} s"
    except TimeoutError:
        late = f"{revision} did not answer within {_ANSWER_WITHIN:g} s"
    except aiohttp.ClientError:
        if isinstance(question.body, Upload) and question.body.fault:
            raise question.body.fault from None
        raise
    await deliver(JSONResponse({"error": late}, 504))


async def _send(
    http: aiohttp.ClientSession,
    address: str,
    revision: str,
    question: Question,
    deliver: Deliver,
    limit: asyncio.Timeout,
) -> None:
    body = question.body.parts() if isinstance(question.body, Upload) else question.body
    async with http.request(
        question.method,
        URL(address + question.path, encoded=True),
        headers=question.headers_now(),
        data=body or None,
        allow_redirects=False,
    ) as found:
        length = found.content_length
        if length is not None and length <= WHOLE:
            answer = Response(await found.read(), found.status)
        else:
            answer = _Streamed(found.status, _parts(found, limit))
            if length is not None:
                answer.raw_headers.append((CONTENT_LENGTH.encode(), str(length).encode()))
        answer.raw_headers += [one for one in _end_to_end(found.raw_headers) if one[0] not in _OF_THE_FRONT]
        if revision:
            answer.raw_headers.append((REVISION.encode(), revision.encode()))
        await deliver(answer)


async def _hear_nothing() -> Message:
    raise AssertionError("an answer asks for nothing")


async def _parts(found: aiohttp.ClientResponse, limit: asyncio.Timeout) -> AsyncIterator[bytes]:
    """The parts of a body. Each has the time that the whole answer has had."""
    clock = asyncio.get_running_loop()
    async for part in found.content.iter_any():
        limit.reschedule(clock.time() + _ANSWER_WITHIN)
        yield part


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
