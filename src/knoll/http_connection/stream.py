"""One request of an HTTP/2 connection, as an ASGI application sees it, and its answer.

An answer of gRPC has its status behind its body, in trailers. Its application says the status at the start,
as headers: so the same answer can also travel by HTTP/1.1, between our own parts.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import unquote

from knoll.headers import CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOP_BY_HOP, HOST, RETRY_AFTER, RawHeaders
from knoll.media_types import GRPC, JSON
from knoll.request_limits import RETRY_SECONDS

__all__ = ["Stream", "scope_of"]

_log = logging.getLogger(__name__)
_OF_GRPC = b"grpc-"  # so begin the headers that become trailers
_NOT_HERE = HOP_BY_HOP - {CONTENT_LENGTH.encode()}  # RFC 9113, 8.2.2


class _Connection(Protocol):
    """What a stream needs of its connection."""

    def begin_answer(self, stream: "Stream", headers: RawHeaders, *, is_all: bool) -> None:
        """Send the headers; `is_all` of the answer, or only its beginning."""

    def push(self) -> None:
        """Send what may be sent."""

    def took(self, stream: "Stream", size: int) -> None:
        """Let the client send so many bytes more."""

    def end(self, stream: "Stream") -> None:
        """Its application has ended."""


class Stream:
    """A request and its answer. `out` are the bytes that wait for the client. If they are the last ones,
    `trailers` follow them."""

    def __init__(self, id: int, scope: Mapping[str, Any], connection: _Connection) -> None:
        self.id, self.scope, self._connection = id, scope, connection
        self.more_body, self.is_over, self.has_begun = True, False, False
        self.out, self.is_last = bytearray(), False
        self.trailers: RawHeaders = []
        self._parts: deque[tuple[bytes, int]] = deque()
        self._is_told, self._changed = False, asyncio.Event()
        self._started: Mapping[str, Any] | None = None

    async def run(self, app: Callable[..., Any]) -> None:
        """Have the request answered."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            _log.exception("a request of HTTP/2 failed")
            self.refuse(500, "the request failed; the log says why")
        finally:
            self._connection.end(self)

    def take(self, data: bytes, size: int) -> None:
        """Keep a part of the body, for which the client used `size` bytes of its window."""
        self._parts.append((data, size))
        self._changed.set()

    def close(self) -> None:
        """The body is whole."""
        self.more_body = False
        self._changed.set()

    def leave(self) -> None:
        """The client has gone, or has the whole answer."""
        self.is_over = True
        self.out.clear()
        self._changed.set()

    def progress(self) -> None:
        """Some bytes of `out` were sent."""
        self._changed.set()

    async def receive(self) -> dict[str, Any]:
        """As ASGI has it."""
        await self._until(lambda: self.is_over or bool(self._parts) or not (self.more_body or self._is_told))
        if self.is_over or (self._is_told and not self._parts):
            return {"type": "http.disconnect"}
        body = b"".join(data for data, _ in self._parts)
        if size := sum(size for _, size in self._parts):
            self._connection.took(self, size)
        self._parts.clear()
        self._is_told = not self.more_body
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Mapping[str, Any]) -> None:
        """As ASGI has it. Returns when the client has taken what was sent."""
        if message["type"] == "http.response.start":
            self._started = message
        elif not self.is_over:
            self._add(message.get("body", b""), is_last=not message.get("more_body", False))
            await self._until(lambda: self.is_over or not (self.out or self.is_last))

    def refuse(self, status: int, reason: str) -> None:
        """Answer in the place of the application, if there is no answer yet. It hears that its client has
        gone."""
        if self.has_begun or self.is_over:
            return
        body = json.dumps({"error": reason}).encode()
        headers = {CONTENT_TYPE: JSON, CONTENT_LENGTH: str(len(body))}
        headers |= {RETRY_AFTER: str(RETRY_SECONDS)} if status == 503 else {}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._started = {"status": status, "headers": encoded}
        self._add(body, is_last=True)

    def _add(self, body: bytes, *, is_last: bool) -> None:
        if not self.has_begun:
            self._begin(is_all=is_last and not body)
        self.out += body
        self.is_last = is_last
        self._connection.push()

    def _begin(self, *, is_all: bool) -> None:
        assert self._started is not None
        given = [(name.lower(), value) for name, value in self._started.get("headers", ())]
        headers = [one for one in given if one[0] not in _NOT_HERE]
        if not is_all and dict(headers).get(CONTENT_TYPE.encode(), b"").startswith(GRPC.encode()):
            self.trailers = [one for one in headers if one[0].startswith(_OF_GRPC)]
            headers = [one for one in headers if one not in self.trailers]
        self.has_begun = True
        status = (b":status", b"%d" % self._started["status"])
        self._connection.begin_answer(self, [status, *headers], is_all=is_all)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()


def scope_of(headers: RawHeaders, **about: Any) -> dict[str, Any]:
    """The ASGI scope of a request with these headers; `about` is what its connection knows."""
    told = dict(headers[:6])  # the pseudo-headers come first
    raw_path, _, query = told.get(b":path", b"").partition(b"?")
    own = [(name, value) for name, value in headers if not name.startswith(b":")]
    if b":authority" in told and HOST.encode() not in dict(own):
        own.append((HOST.encode(), told[b":authority"]))
    if len(cookies := [value for name, value in own if name == COOKIE.encode()]) > 1:  # RFC 9113, 8.2.3
        own = [one for one in own if one[0] != COOKIE.encode()] + [(COOKIE.encode(), b"; ".join(cookies))]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "2",
        "scheme": "http",
        "root_path": "",
        "method": told.get(b":method", b"").decode("latin-1"),
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": query,
        "headers": own,
        **about,
    }
