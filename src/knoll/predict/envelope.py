"""The outermost layer of a predictor: it enforces limits, adds the version headers, and counts requests.

It is plain ASGI around another application. So every answer names the version that gave it, even the answer
to an unexpected error.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from knoll.errors import InvalidInstance, Unavailable
from knoll.headers import (
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    REPLAY,
    REQUEST_ID,
    REQUEST_TIMEOUT,
    RETRY_AFTER,
    SERVER_TIMING,
    SESSION,
)
from knoll.http_connection.deadline import seconds_in, too_late
from knoll.predict.answer import refusal
from knoll.predict.bins import SHOWN
from knoll.predict.counts import Ended
from knoll.predict.deadline import within
from knoll.predict.predictions import is_feedback, is_prediction
from knoll.predict.request_body import Body, BodyTooLargeError
from knoll.predict.work import LONGEST_RUN
from knoll.proofs import REPLAY_PURPOSE, is_proven
from knoll.request_limits import ARRIVES_WITHIN, BODY_LIMIT, CLIENT_GONE, RETRY_SECONDS, ByteBudget

__all__ = ["Envelope"]

_DRAIN_SECONDS = 5.0
_PATIENCE = 10.0  # seconds
_SESSION = 64  # hex digits of a session that are kept
_LONGEST_ID = 200  # bytes

_Observe = Callable[[Ended], None]


@dataclass(frozen=True)
class _Asked:
    """A request before its body: its headers, each once, and the seconds that it allows."""

    scope: Scope
    headers: Mapping[bytes, bytes]
    deadline: float | None = None


class _Answering:
    """Sends one answer with the headers `stamp`, and remembers how it was."""

    def __init__(self, send: Send, stamp: list[tuple[bytes, bytes]]) -> None:
        self._send, self.stamp = send, stamp
        self.status, self.shown, self.longest_run = 500, None, 0.0

    def note(self, message: Message) -> None:
        """Remember what the message says, which goes nowhere else."""
        if message["type"] == "http.response.start":
            self.status, self.shown = message["status"], message.get(SHOWN)
            self.longest_run = message.get(LONGEST_RUN, 0.0)

    async def send(self, message: Message) -> None:
        """Send a message of the answer."""
        self.note(message)
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", []), *self.stamp]
            message = {"type": message["type"], "status": self.status, "headers": headers}
        await self._send(message)


class Envelope:
    """An ASGI application around another. `observe` gets how each prediction ended, except replays, requests
    that were refused for lack of memory, and those whose client went, or had set a deadline, unless the
    version was late.

    A version was late if it needed 10 s for a run of its graph: so long many clients wait at most, such as
    OkHttp and the webhooks of Kubernetes. The time for reading the request, and for waiting for its turn, is
    the work of clients: with large pictures, these could make any request last.

    The bodies of all requests together stay within `bodies`. With a `key`, a replay is what that has proved;
    without one, any request that says so. The answers to cold requests tell the times of the `start`.
    """

    def __init__(
        self,
        app: ASGIApp,
        headers: Mapping[str, str],
        observe: _Observe,
        bodies: ByteBudget,
        key: str = "",
        start: str = "",
    ) -> None:
        self._app, self._bodies, self._key = app, bodies, key
        self._most = min(BODY_LIMIT, bodies.most_of_one)
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._start = [(SERVER_TIMING.encode(), start.encode())] if start else []
        self._observe = observe
        self._has_answered = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = _Answering(send, [*self._headers, *_named(scope)])
        asked = _head(scope, self._most)
        if not isinstance(asked, _Asked):
            await _refuse(answering.send, *asked)
        elif not (is_feedback(scope) or is_prediction(scope)):
            await self._app(scope, receive, answering.send)
        else:
            body = Body(self._bodies, self._most)
            act = self._answer if is_feedback(scope) else self._predict
            try:
                await act(asked, receive, answering, body)
            finally:
                body.let_go()

    async def _predict(self, asked: _Asked, receive: Receive, answering: _Answering, body: Body) -> None:
        is_cold = not self._has_answered
        answering.stamp += self._start if is_cold else []
        try:
            await self._answer(asked, receive, answering, body)
        finally:
            self._has_answered = True
            session, status = asked.headers.get(SESSION.encode(), b"").hex(), answering.status
            is_vain = status == 503 or (status == CLIENT_GONE and answering.longest_run < _PATIENCE)
            if body.is_whole and not body.is_replay and not is_vain:
                ended = Ended(status, body.seconds, is_cold, answering.shown, session[:_SESSION])
                self._observe(ended)

    async def _answer(self, asked: _Asked, receive: Receive, answering: _Answering, body: Body) -> None:
        """Read the body, and have it answered before the deadline of the request."""
        deadline, send = asked.deadline, answering.send
        arrives = ARRIVES_WITHIN if deadline is None else min(ARRIVES_WITHIN, deadline)
        try:
            await asyncio.wait_for(body.read(receive), arrives)
        except TimeoutError:
            late = 408, f"the body did not arrive within {ARRIVES_WITHIN:g} s"
            await _refuse(send, *(late if deadline != arrives else (504, too_late(deadline))))
        except Unavailable as error:
            body.let_go()
            await _drain(receive)
            later = (RETRY_AFTER.encode(), str(RETRY_SECONDS).encode())
            await _refuse(send, 503, f"{error}; {error.fix}", [later])
        except BodyTooLargeError:
            body.let_go()
            await _drain(receive)
            await _refuse(send, 413, _too_large(self._most))
        else:
            if body.is_whole:
                body.is_replay = await self._is_replay(asked, body)
                again = body.again(receive)
                if deadline is None:
                    await self._app(asked.scope, again, send)
                else:
                    late_answer = partial(_refuse, send, 504, too_late(deadline))
                    left = deadline - body.seconds
                    await within(left, self._app, asked.scope, again, send, late_answer, answering.note)

    async def _is_replay(self, asked: _Asked, body: Body) -> bool:
        """A long body is looked at in a thread, because health checks come meanwhile."""
        shown = asked.headers.get(REPLAY.encode())
        if shown is None or not self._key:
            return shown is not None
        proof = shown.decode("latin-1")
        return await asyncio.to_thread(is_proven, proof, self._key, REPLAY_PURPOSE, body.join())


def _named(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The id of a request, for its answer; of several the first."""
    named = REQUEST_ID.encode()
    return [(named, value[:_LONGEST_ID]) for name, value in scope["headers"] if name == named][:1]


def _head(scope: Scope, most: int) -> _Asked | tuple[int, str]:
    """The request, or status and reason if it is refused by its head alone."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if headers.get(CONTENT_ENCODING.encode(), b"identity").lower() != b"identity":
        return 415, "the body has a content encoding; send it without one"
    length = headers.get(CONTENT_LENGTH.encode(), b"0")
    if length.isdigit() and int(length) > most:
        return 413, _too_large(most)
    try:
        deadline = seconds_in(headers.get(REQUEST_TIMEOUT.encode(), b"").decode("latin-1"))
    except InvalidInstance as error:
        return 400, str(error)
    return _Asked(scope, headers, deadline)


def _too_large(most: int) -> str:
    more = "" if most == BODY_LIMIT else "; give the model more memory: spec.serving.resources.memory"
    return f"the body is larger than {most} bytes{more}"


async def _drain(receive: Receive) -> None:
    """Drop the rest of the body: a client that still writes would see a broken connection, and no answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while (await receive()).get("more_body"):
                pass


async def _refuse(send: Send, status: int, reason: str, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
    answer = refusal(status, reason)
    told = {**answer.headers, CONTENT_LENGTH: str(len(answer.body)), CONNECTION: "close"}
    headers = [*((name.encode(), value.encode()) for name, value in told.items()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
