"""The calls of gRPC, answered by the application that answers REST: the same limits, headers and counts.

ModelInfer goes through it as it came. Each other call becomes the GET that asks the same. The answer of HTTP
then becomes one of gRPC.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from knoll.calls.reflection import answer_reflection
from knoll.errors import InvalidInstance
from knoll.headers import CONTENT_LENGTH, CONTENT_TYPE, REQUEST_TIMEOUT, VERSION, RawHeaders, header_of
from knoll.media_types import GRPC
from knoll.paths import LIVE, MODEL_INFER, MODEL_READY, READY, SERVER, V2_MODEL, path_of
from knoll.rpc import framing
from knoll.rpc.messages import HEALTH, MESSAGES, REFLECTION, SERVICES, Method
from knoll.rpc.reading import decode
from knoll.rpc.writing import encode

__all__ = ["answer_calls"]

_ASKED = {  # the path of REST that says the same
    "ServerLive": LIVE,
    "ServerReady": READY,
    "ModelReady": MODEL_READY,
    "ServerMetadata": SERVER,
    "ModelMetadata": V2_MODEL,
}
_NAMED = ("ModelReady", "ModelMetadata")
_MOST_BYTES = 2**16  # of a message that is no ModelInfer
_ARRIVES_WITHIN = 10.0  # seconds
_SERVING, _NOT_SERVING = 1, 2
_TYPES = (GRPC, f"{GRPC}+proto")
_OF_HTTP = (CONTENT_TYPE.encode(), CONTENT_LENGTH.encode())


class _EndedError(Exception):
    """The call ends with this code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


async def answer_calls(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a call of gRPC by the ASGI application for REST."""
    service, _, name = scope["path"][1:].rpartition("/")
    headers = dict(scope["headers"])
    method = SERVICES.get(service, {}).get(name)
    try:
        _check(headers)
        if scope["path"] == MODEL_INFER:
            await app(_with_deadline(scope, headers), receive, _Translated(send))
            return
        if method is None or (method.answers_many and service == HEALTH):
            raise _EndedError(framing.UNIMPLEMENTED, f"there is no method {scope['path'][:200]}")
        if service in REFLECTION:
            await _reflect(app, scope, receive, send, method)
            return
        asked = await _message(receive, method)
        stamp, value = await (_health if service == HEALTH else _told)(app, scope, asked)
        body = framing.frame(encode(value, method.answers, MESSAGES))
        await _send(send, stamp, framing.OK, body=body)
    except InvalidInstance as error:
        await _send(send, await _stamp(app, scope), framing.INVALID_ARGUMENT, str(error))
    except _EndedError as error:
        await _send(send, await _stamp(app, scope), error.code, str(error))


class _Translated:
    """A `send` that makes an answer of HTTP one of gRPC."""

    def __init__(self, send: Send) -> None:
        self._send, self._body = send, b""
        self._started: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] == 200:
                headers = _readable(message["headers"])
                if not header_of(headers, framing.STATUS):  # another server may have said it
                    headers += _ends()
                await self._send({**message, "headers": headers})
            else:
                self._started = message
        elif self._started is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                code = framing.CODES.get(self._started["status"], framing.UNKNOWN)
                await _send(self._send, self._started["headers"], code, _error(_json(self._body)))


def _check(headers: Mapping[bytes, bytes]) -> None:
    """Refuse what has no message that can be read."""
    kind = headers[CONTENT_TYPE.encode()].partition(b";")[0].strip().decode("latin-1")
    if kind not in _TYPES:
        raise _EndedError(framing.UNIMPLEMENTED, f"send {GRPC}, not {kind[:100]}")
    encoding = headers.get(framing.ENCODING.encode(), b"identity").decode("latin-1")
    if encoding != "identity":
        raise _EndedError(framing.UNIMPLEMENTED, f"send messages as they are, not as {encoding[:100]}")


def _with_deadline(scope: Scope, headers: Mapping[bytes, bytes]) -> Scope:
    """The request with the header of REST for its deadline."""
    told = headers.get(framing.TIMEOUT.encode())
    if told is None:
        return scope
    seconds = framing.seconds_of(told.decode("latin-1"))
    if seconds is None:
        raise InvalidInstance(f"{framing.TIMEOUT} is no time")
    named = REQUEST_TIMEOUT.encode()
    others = [one for one in scope["headers"] if one[0] not in (named, framing.TIMEOUT.encode())]
    return {**scope, "headers": [*others, (named, f"{seconds:.9f}".encode())]}


async def _reflect(app: ASGIApp, scope: Scope, receive: Receive, send: Send, method: Method) -> None:
    """Answer one question after the other, until the client has no more or leaves."""
    stamp = [*_readable(await _stamp(app, scope)), (CONTENT_TYPE.encode(), GRPC.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": [*stamp, *_ends()]})
    kept, more = b"", True
    while more:
        try:
            message = await asyncio.wait_for(receive(), _ARRIVES_WITHIN)
        except TimeoutError:
            break
        more, kept = message.get("more_body", False), kept + message.get("body", b"")
        while len(kept) >= framing.HEAD:
            size = framing.HEAD + int.from_bytes(kept[1 : framing.HEAD], "big")
            if size > _MOST_BYTES:
                more = False
                break
            if len(kept) < size:
                break
            asked, kept = decode(framing.unframed(kept[:size]), method.takes, MESSAGES), kept[size:]
            body = framing.frame(encode(answer_reflection(asked), method.answers, MESSAGES))
            await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _message(receive: Receive, method: Method) -> dict[str, Any]:
    """The one message of a call."""
    body, more = b"", True
    try:
        async with asyncio.timeout(_ARRIVES_WITHIN):
            while more:
                message = await receive()
                body, more = body + message.get("body", b""), message.get("more_body", False)
                if len(body) > _MOST_BYTES:
                    told = f"the message is longer than {_MOST_BYTES} bytes"
                    raise _EndedError(framing.CODES[413], told)
    except TimeoutError:
        raise _EndedError(framing.CODES[408], f"no message within {_ARRIVES_WITHIN:g} s") from None
    return decode(framing.unframed(body), method.takes, MESSAGES)


async def _told(app: ASGIApp, scope: Scope, asked: Mapping[str, Any]) -> tuple[RawHeaders, Any]:
    """What the server says about itself, or about a model."""
    name = scope["path"].rpartition("/")[2]
    stamp, value = await _ask(app, scope, path_of(_ASKED[name], asked.get("name", "")))
    here, wanted = header_of(stamp, VERSION).decode(), asked.get("version", "")
    if name in _NAMED and wanted not in ("", here):
        told = f"this is {here}" if here else "ask without one: any version may answer"
        raise _EndedError(framing.NOT_FOUND, f"that version is not here; {told}")
    return stamp, value


async def _health(app: ASGIApp, scope: Scope, asked: Mapping[str, Any]) -> tuple[RawHeaders, Any]:
    """Whether a service, or a model, is ready."""
    service = asked.get("service", "")
    path = READY if service in ("", *SERVICES) else path_of(MODEL_READY, service)
    try:
        stamp, value = await _ask(app, scope, path)
    except _EndedError as error:
        if error.code != framing.NOT_FOUND:
            raise
        raise _EndedError(error.code, f"there is no service {service[:100]!r} here") from error
    return stamp, {"status": _SERVING if value.get("ready") else _NOT_SERVING}


async def _ask(app: ASGIApp, scope: Scope, path: str) -> tuple[RawHeaders, Any]:
    """The headers and the JSON that REST answers at a path. That something is not ready is an answer."""
    parts: list[Message] = []
    given: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return given.pop() if given else await asyncio.Future()  # the client stays

    async def note(message: Message) -> None:
        parts.append(message)

    headers = [one for one in scope["headers"] if one[0] not in _OF_HTTP]
    about = {"method": "GET", "path": path, "raw_path": path.encode(), "headers": headers}
    await app({**scope, **about}, receive, note)
    body = b"".join(one.get("body", b"") for one in parts)
    value = _json(body)
    if parts[0]["status"] != 200 and "ready" not in value:
        raise _EndedError(framing.CODES.get(parts[0]["status"], framing.UNKNOWN), _error(value))
    return parts[0]["headers"], value


async def _stamp(app: ASGIApp, scope: Scope) -> RawHeaders:
    """The headers that each answer has."""
    try:
        return (await _ask(app, scope, LIVE))[0]
    except _EndedError:
        return []


def _ends() -> RawHeaders:
    """What ends a call that is answered."""
    return [(name.encode(), value.encode()) for name, value in framing.ended(framing.OK).items()]


def _json(body: bytes) -> Mapping[str, Any]:
    """An object of REST; an empty one in the place of anything else."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _error(value: Mapping[str, Any]) -> str:
    """What an answer of REST says was wrong."""
    return str(value.get("error", "the request failed"))


def _readable(headers: RawHeaders) -> RawHeaders:
    """Headers with letters of ASCII alone: clients of gRPC take no others."""
    return [(name, value.decode("latin-1").encode("ascii", "replace")) for name, value in headers]


async def _send(send: Send, stamp: RawHeaders, code: int, message: str = "", body: bytes = b"") -> None:
    """A whole answer."""
    given = [one for one in _readable(stamp) if one[0] not in _OF_HTTP]
    told = {
        CONTENT_TYPE: GRPC,
        CONTENT_LENGTH: str(len(body)),
        framing.ACCEPT_ENCODING: "identity",
        **framing.ended(code, message),
    }
    headers = [*given, *((key.encode(), value.encode()) for key, value in told.items())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
