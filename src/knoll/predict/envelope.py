"""The outermost layer of a predictor: it enforces limits, adds the version headers, and counts requests.

It is plain ASGI around kserve's application. So every answer names the version that gave it, even the answer
to an unexpected error.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from knoll.headers import REPLAY

__all__ = ["MAX_BODY", "Envelope"]

MAX_BODY = 32 * 2**20  # bytes
_BODY_SECONDS = 60.0

_Message = MutableMapping[str, Any]
_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]
_Observe = Callable[[int, float], None]


class Envelope:
    """An ASGI application around another. `observe` gets status and seconds of each prediction, except
    replays."""

    def __init__(self, app: _App, headers: Mapping[str, str], observe: _Observe) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._observe = observe

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def send_stamped(message: _Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), *self._headers]}
            await send(message)

        try:
            await self._answer(scope, receive, send_stamped)
        finally:
            if _is_prediction(scope) and REPLAY.encode() not in dict(scope["headers"]):
                self._observe(status, time.perf_counter() - started)

    async def _answer(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        refusal = _refusal(scope)
        if refusal:
            await _refuse(send, *refusal)
            return
        try:
            body = await asyncio.wait_for(_read_body(receive), _BODY_SECONDS)
        except TimeoutError:
            await _refuse(send, 408, "the body did not arrive in time")
            return
        if body is None:
            await _refuse(send, 413, f"the body is larger than {MAX_BODY} bytes")
            return
        await self._app(scope, _from_start(body, receive), send)


def _is_prediction(scope: _Scope) -> bool:
    return bool(scope["method"] == "POST" and scope["path"].endswith((":predict", "/infer")))


def _refusal(scope: _Scope) -> tuple[int, str] | None:
    """Status and reason if the request is refused. kserve would unload the model for anybody, ignore versions
    in paths, and decode any encoding."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if scope["path"].startswith("/v2/repository") or "/versions/" in scope["path"]:
        return 404, "there is no such path"
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        return 415, "the body has a content encoding; send it without one"
    length = headers.get(b"content-length", b"0")
    is_large = length.isdigit() and int(length) > MAX_BODY
    return (413, f"the body is larger than {MAX_BODY} bytes") if is_large else None


async def _read_body(receive: _Receive) -> bytes | None:
    """The whole body; None if it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return bytes(body)


def _from_start(body: bytes, receive: _Receive) -> _Receive:
    """A `receive` that gives the body first, and then the message that the client has hung up."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> _Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def _refuse(send: _Send, status: int, reason: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": reason}).encode()})
