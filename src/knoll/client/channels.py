"""Calls of gRPC by Google's library, for the edge that blocks and for the one that awaits. Messages are bytes
for it. It is imported by who asks so."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
import httpx

from knoll.client.steps import Heard, Try
from knoll.headers import RETRY_AFTER

__all__ = ["AsyncChannel", "Channel"]

_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),  # `retries` does that, and knows of cold starts
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
_PORTS = {"http": 80, "https": 443}
_Code = grpc.StatusCode
_STATUSES = {  # of HTTP
    _Code.INVALID_ARGUMENT: 400,
    _Code.UNAUTHENTICATED: 401,
    _Code.PERMISSION_DENIED: 403,
    _Code.NOT_FOUND: 404,
    _Code.RESOURCE_EXHAUSTED: 413,
    _Code.CANCELLED: 500,
    _Code.UNIMPLEMENTED: 501,
    _Code.UNAVAILABLE: 502,
    _Code.DEADLINE_EXCEEDED: 504,
}
_UNSENT = "failed to connect"  # so begin the library's words if there was no connection


class Channel:
    """Connections to the server at a URL. Threads may share it. `headers` go with each call."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._channel = _opened(grpc, url)
        self._metadata = _metadata(headers)

    def close(self) -> None:
        """Close the connections."""
        self._channel.close()

    def take(self, step: Try) -> Heard:
        """Make the call."""
        call = self._channel.unary_unary(step.call.path)
        try:
            body, ended = call.with_call(step.call.body, timeout=step.seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            return _refused(error)
        return Heard(200, _headers(ended.initial_metadata(), ended.trailing_metadata()), body)


class AsyncChannel:
    """See `Channel`. It is made in the event loop that it belongs to."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._channel = _opened(grpc.aio, url)
        self._metadata = _metadata(headers)

    async def close(self) -> None:
        """See `Channel.close`."""
        await self._channel.close()

    async def take(self, step: Try) -> Heard:
        """See `Channel.take`."""
        call = self._channel.unary_unary(step.call.path)
        asked = call(step.call.body, timeout=step.seconds, metadata=self._metadata)
        try:
            body = await asked
        except grpc.RpcError as error:
            return _refused(error)
        return Heard(200, _headers(await asked.initial_metadata(), await asked.trailing_metadata()), body)


def _opened(library: Any, url: str) -> Any:
    parts = httpx.URL(url)
    place = parts.netloc.decode()
    target = place if parts.port else f"{place}:{_PORTS[parts.scheme]}"
    if parts.scheme == "https":
        return library.secure_channel(target, grpc.ssl_channel_credentials(), options=_OPTIONS)
    return library.insecure_channel(target, options=_OPTIONS)


def _metadata(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in headers.items())


def _headers(*metadata: Iterable[tuple[str, Any]] | None) -> dict[str, str]:
    """What a server said beside the message."""
    return {
        str(name): value if isinstance(value, str) else value.decode("latin-1")
        for part in metadata
        for name, value in part or ()
    }


def _refused(error: Any) -> Heard:
    """What is heard if there is no message. A server that says when to come again has not begun."""
    told = _headers(error.initial_metadata(), error.trailing_metadata())
    words = str(error.details() or error.code().name)
    if error.code() == _Code.UNAVAILABLE and not told:
        return Heard(0, {}, words.encode(), was_sent=not words.startswith(_UNSENT), has_begun=False)
    status = 503 if RETRY_AFTER in told else _STATUSES.get(error.code(), 500)
    return Heard(status, told, json.dumps({"error": words}).encode(), code=error.code().name)
