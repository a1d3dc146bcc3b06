"""One HTTP/1.1 connection of a client: what uvicorn's lacks against slow and endless ones.

The head of a request must arrive within seconds and stay small, and an answer must be taken. Bytes that are
no HTTP get an error in JSON, too. A client that has sent its last request may close its side: it is answered
for a moment more. Then it counts as gone, because one that hangs up looks the same.

Some hundred requests of a server may wait for their bodies. One more is refused before the application hears
of it, which costs far less, or takes the place of one that has waited for seconds.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from knoll.headers import RETRY_AFTER, UPGRADE
from knoll.media_types import JSON
from knoll.request_limits import RETRY_SECONDS, WaitingRoom

__all__ = ["Http1Connection"]

_HEAD_BYTES = 64 * 2**10
_AROUND_URL, _AROUND_HEADER = len("GET  HTTP/1.1\r\n"), len(": \r\n")


class Http1Connection(HttpToolsProtocol):
    """A connection with time-outs for the head of each request and for each stop of its answer."""

    head_seconds, half_closed_seconds = 10.0, 2.0
    taken_within = 60.0  # seconds without progress while an answer is taken
    most_waiting, waits_undisturbed = 256, 2.0  # requests whose body is not whole, and seconds

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._head_bytes, self._has_begun = 0, False
        self._told_bytes = 0
        self._open: list[RequestResponseCycle] = []  # requests that have no whole answer, the oldest first
        self._refusal: tuple[int, str] | None = None  # what follows their answers
        self._is_parsing, self._starting = False, list[tuple[RequestResponseCycle, Any]]()
        room = WaitingRoom[Any](self.most_waiting, self.waits_undisturbed)
        self._room = vars(self.server_state).setdefault("waiting_room", room)  # of all its connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head()
        self._cancel_taking()
        self._let_go()
        self._room.leave(self)
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether the connection stays for the answers to whole requests."""
        if not (due := self._due()):
            return False
        due[-1].keep_alive = False
        self.loop.call_later(self.half_closed_seconds, self.transport.close)
        return True

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        was_waiting = self._head is not None
        self._unset_keepalive_if_required()
        self._is_parsing = True
        try:
            self._parse(data)
        except HttpParserError:
            self.send_400_response("")
        self._is_parsing = False
        self._admit()
        if was_waiting and self._head is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES:
                self._refuse_long()

    def _parse(self, data: bytes) -> None:
        """Ignore each `Upgrade` (RFC 9110, 7.8). The parser skips the body of a request that has one, so it
        gets the head again without. Raises HttpParserError."""
        rest = memoryview(data)
        while True:
            try:
                self.parser.feed_data(rest)
                return
            except HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
                method = self.parser.get_method()
                if method == b"CONNECT":  # which upgrades without a header
                    raise HttpParserError from upgrade
                version = self.parser.get_http_version().encode()
                lines = [b"%b: %b\r\n" % one for one in self.headers if one[0] != UPGRADE.encode()]
                self.parser.feed_data(
                    b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(lines))
                )

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._is_parsing:
            self._starting.append((cycle, app))
        else:
            super()._start_asgi_task(cycle, app)

    def _admit(self) -> None:
        """Start what was parsed, unless too many requests wait for their bodies."""
        if not (self._open and self._open[-1].more_body):
            self._room.leave(self)
        elif not self.transport.is_closing() and (refused := self._room.enter(self, self.loop.time())):
            refused.refuse(503, "too many requests wait for their bodies")
        starting, self._starting = self._starting, []
        for cycle, app in starting:
            if not cycle.disconnected:
                super()._start_asgi_task(cycle, app)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()
        self._has_begun, self._told_bytes = True, _AROUND_URL

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + _AROUND_HEADER)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._cancel_head()
        super().on_headers_complete()
        self._open.append(self.cycle)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        self._open = [one for one in self._open if not one.response_complete]
        if self._refusal is not None:
            self.refuse(*self._refusal)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        if self._told_bytes > _HEAD_BYTES:
            self._refuse_long()
        is_told = self._told_bytes > _AROUND_URL
        self.refuse(400, "the request breaks the rules of HTTP" if is_told else "this is no HTTP request")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._cancel_taking()
        self._taking = self.loop.call_later(self.taken_within, self.transport.abort)

    def resume_writing(self) -> None:
        self._cancel_taking()
        super().resume_writing()

    def _await_head(self) -> None:
        if self._head is None:
            self._head_bytes, self._has_begun = 0, False
            self._head = self.loop.call_later(self.head_seconds, self._refuse_late)

    def _count(self, size: int) -> None:
        """Count parts of the head as they are parsed: the last bytes of it come with those of the body. An
        error ends the parser, which then asks for the answer with `send_400_response`."""
        self._told_bytes += size
        if self._told_bytes > _HEAD_BYTES:
            raise ValueError

    def _refuse_long(self) -> None:
        self.refuse(431, f"the head of the request is longer than {_HEAD_BYTES} bytes")

    def _refuse_late(self) -> None:
        if not self._has_begun:  # opened in advance, and never used
            self._cancel_head()
            self.transport.close()
            return
        if self._due():  # reading may pause meanwhile
            self._head = self.loop.call_later(self.head_seconds, self._refuse_late)
            return
        self.refuse(408, f"the head of the request did not arrive within {self.head_seconds:g} s")

    def _cancel_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _cancel_taking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def refuse(self, status: int, reason: str) -> None:
        """Answer, unless an answer is under way, and hang up. Whole requests that came before are answered
        first."""
        self._cancel_head()
        self._room.leave(self)
        if self.transport.is_closing():
            return
        if self._due():
            self._refusal = self._refusal or (status, reason)
            return
        if not any(one.response_started for one in self._open):
            body = json.dumps({"error": reason}).encode()
            later = f"{RETRY_AFTER}: {RETRY_SECONDS}\r\n" if status == 503 else ""
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {JSON}\r\n{later}"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self._let_go()
        self.transport.close()

    def _due(self) -> list[RequestResponseCycle]:
        """The whole requests that wait for the end of their answers, the oldest first."""
        return [one for one in self._open if not one.more_body]

    def _let_go(self) -> None:
        """Tell all requests that the client has gone: uvicorn tells the newest alone, and a pipelined one
        before it would write on."""
        for one in self._open:
            one.disconnected = True
            one.message_event.set()
