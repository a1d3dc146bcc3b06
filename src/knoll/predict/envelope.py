"""The outermost layer of a predictor: it enforces limits, adds the version headers, and counts requests.

It is plain ASGI around another application. So every answer names the version that gave it, even the answer
to an unexpected error.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from knoll.errors import Unavailable
from knoll.headers import (
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    REPLAY,
    REQUEST_ID,
    RETRY_AFTER,
    SERVER_TIMING,
    SESSION,
)
from knoll.predict.answer import refusal
from knoll.predict.bins import SHOWN
from knoll.predict.counts import Ended
from knoll.predict.predictions import is_feedback, is_prediction
from knoll.predict.work import LONGEST_RUN
from knoll.proofs import REPLAY_PURPOSE, is_proven
from knoll.request_limits import ARRIVES_WITHIN, BODY_LIMIT, CLIENT_GONE, RETRY_SECONDS, ByteBudget

__all__ = ["Envelope"]

_DRAIN_SECONDS = 5.0
_PATIENCE = 10.0  # seconds
_SESSION = 64  # hex digits of a session that are kept
_LONGEST_ID = 200  # bytes

_Observe = Callable[[Ended], None]


class Envelope:
    """An ASGI application around another. `observe` gets how each prediction ended, except replays, requests
    that were refused for lack of memory, and those whose client went, unless the version was late.

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
        status, shown, longest_run = 500, None, 0.0
        stamp = [*self._headers, *_named(scope)]

        async def send_stamped(message: Message) -> None:
            nonlocal status, shown, longest_run
            if message["type"] == "http.response.start":
                status, shown = message["status"], message.get(SHOWN)
                longest_run = message.get(LONGEST_RUN, 0.0)
                headers = [*message.get("headers", []), *stamp]
                message = {"type": message["type"], "status": status, "headers": headers}
            await send(message)

        refused = _refusal(scope, self._most)
        if refused:
            await _refuse(send_stamped, *refused)
        elif is_feedback(scope):
            await self._take_feedback(scope, receive, send_stamped)
        elif not is_prediction(scope):
            await self._app(scope, receive, send_stamped)
        else:
            body, is_cold = _Body(self._bodies, self._most), not self._has_answered
            stamp += self._start if is_cold else []
            try:
                await self._predict(scope, receive, send_stamped, body)
            finally:
                body.let_go()
                self._has_answered = True
                session = dict(scope["headers"]).get(SESSION.encode(), b"").hex()
                is_vain = status == 503 or (status == CLIENT_GONE and longest_run < _PATIENCE)
                if body.is_whole and not body.is_replay and not is_vain:
                    self._observe(Ended(status, body.seconds, is_cold, shown, session[:_SESSION]))

    async def _take_feedback(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(self._bodies, self._most)
        try:
            await self._predict(scope, receive, send, body)
        finally:
            body.let_go()

    async def _predict(self, scope: Scope, receive: Receive, send: Send, body: "_Body") -> None:
        try:
            await asyncio.wait_for(body.read(receive), ARRIVES_WITHIN)
        except TimeoutError:
            await _refuse(send, 408, f"the body did not arrive within {ARRIVES_WITHIN:g} s")
        except Unavailable as error:
            body.let_go()
            await _drain(receive)
            later = (RETRY_AFTER.encode(), str(RETRY_SECONDS).encode())
            await _refuse(send, 503, f"{error}; {error.fix}", [later])
        except _TooLargeError:
            body.let_go()
            await _drain(receive)
            await _refuse(send, 413, _too_large(self._most))
        else:
            if body.is_whole:
                body.is_replay = await self._is_replay(scope, body)
                await self._app(scope, body.again(receive), send)

    async def _is_replay(self, scope: Scope, body: "_Body") -> bool:
        """A long body is looked at in a thread, because health checks come meanwhile."""
        shown = dict(scope["headers"]).get(REPLAY.encode())
        if shown is None or not self._key:
            return shown is not None
        proof = shown.decode("latin-1")
        return await asyncio.to_thread(is_proven, proof, self._key, REPLAY_PURPOSE, body.join())


class _TooLargeError(Exception):
    """The body is larger than one may be."""


class _Body:
    """The body of one request, within the budget of all."""

    def __init__(self, budget: ByteBudget, most: int) -> None:
        self._budget, self._most, self._size = budget, most, 0
        self._parts: list[bytes] = []
        self._started = time.perf_counter()
        self.is_whole = self.is_replay = False

    @property
    def seconds(self) -> float:
        """The time since the head of the request came."""
        return time.perf_counter() - self._started

    async def read(self, receive: Receive) -> None:
        """Read it; it is not whole if the client hangs up meanwhile. Raises Unavailable, _TooLargeError."""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            part = message.get("body", b"")
            if self._size + len(part) > self._most:
                raise _TooLargeError
            self._budget.take(len(part), self._size)
            self._size += len(part)
            self._parts.append(part)
            if not message.get("more_body"):
                self.is_whole = True
                return

    def join(self) -> bytes:
        """All of it."""
        self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def again(self, receive: Receive) -> Receive:
        """A `receive` that gives the body first, and then the message that the client has hung up."""
        messages = [{"type": "http.request", "body": self.join(), "more_body": False}]
        self._parts = []

        async def receive_again() -> Message:
            return messages.pop() if messages else await receive()

        return receive_again

    def let_go(self) -> None:
        """Give its bytes back to the budget."""
        self._budget.give(self._size)
        self._size, self._parts = 0, []


def _named(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The id of a request, for its answer; of several the first."""
    named = REQUEST_ID.encode()
    return [(named, value[:_LONGEST_ID]) for name, value in scope["headers"] if name == named][:1]


def _refusal(scope: Scope, most: int) -> tuple[int, str] | None:
    """Status and reason if the request is refused by its head alone."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if headers.get(CONTENT_ENCODING.encode(), b"identity").lower() != b"identity":
        return 415, "the body has a content encoding; send it without one"
    length = headers.get(CONTENT_LENGTH.encode(), b"0")
    is_large = length.isdigit() and int(length) > most
    return (413, _too_large(most)) if is_large else None


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
