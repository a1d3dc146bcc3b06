"""One HTTP/2 connection of a client. `h2` reads and writes the frames; here is who may send how much, and how
long.

It takes over a connection of `either`, and keeps the limits of `http1`: so many requests may wait for their
bodies, and an answer must be taken. A client that resets one request after the other is hung up on.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import uvicorn
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from hyperframe.frame import GoAwayFrame
from uvicorn.protocols.utils import get_local_addr, get_remote_addr

from knoll.headers import RawHeaders
from knoll.http_connection.frames import FrameLengths, new_http2
from knoll.http_connection.stream import Stream, scope_of
from knoll.request_limits import WaitingRoom

__all__ = ["Http2Connection"]

_STREAMS = 100  # requests at a time
_WINDOW = 2**20  # bytes of a body that come before its reader has asked for them
_FRAME = 2**17
_HEAD_BYTES = 64 * 2**10
_MOST_RESETS = 200  # beyond the requests that were answered
_BUSY = "too many requests wait for their bodies"


class Http2Connection(asyncio.Protocol):
    """The requests of one client. `taken_within` are the seconds without progress while answers are taken."""

    def __init__(
        self, config: uvicorn.Config, server_state: Any, room: WaitingRoom[Any], taken_within: float
    ) -> None:
        self._app, self._config, self._state, self._room = config.loaded_app, config, server_state, room
        self._taken_within, self._loop = taken_within, asyncio.get_running_loop()
        self._http2 = new_http2(_STREAMS, _WINDOW, _FRAME, _HEAD_BYTES)
        self._lengths = FrameLengths(_FRAME, _HEAD_BYTES)
        self._streams: dict[int, Stream] = {}
        self._idle: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._is_paused, self._is_leaving = False, False
        self._resets = self._newest = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._state.connections.add(self)
        ends = get_local_addr(transport), get_remote_addr(transport)
        self._scope_of = partial(scope_of, server=ends[0], client=ends[1], state={})
        self._http2.initiate_connection()
        self._http2.increment_flow_control_window(2 * _WINDOW)
        self._flush()
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._cancel("_taking")
        self._is_leaving = True
        for stream in [*self._streams.values()]:
            self._drop(stream)
        self._cancel("_idle")
        self._state.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if fault := self._lengths.fault(data):
            self._http2.close_connection(fault)
            self._hang_up()
            return
        new: list[Stream] = []
        try:
            for event in self._http2.receive_data(data):
                self._hear(event, new)
        except ProtocolError:  # h2 has written why
            self._hang_up()
            return
        for stream in new:
            self._start(stream)
        self.push()

    def pause_writing(self) -> None:
        """The client does not read: what it sends would ask for more answers."""
        self._is_paused = True
        self._transport.pause_reading()
        self._await_taking()

    def resume_writing(self) -> None:
        self._is_paused = False
        self._cancel("_taking")
        self._transport.resume_reading()
        self.push()

    def shutdown(self) -> None:
        """Called by the server: take no more requests, and end after the last answer. `h2` itself would send
        nothing after this frame."""
        self._is_leaving = True
        frame = GoAwayFrame(0, last_stream_id=self._newest, error_code=ErrorCodes.NO_ERROR)
        self._transport.write(frame.serialize())
        if not self._streams:
            self._transport.close()

    def begin_answer(self, stream: Stream, headers: RawHeaders, *, is_all: bool) -> None:
        """See `Stream`."""
        named = dict(headers)
        defaults = [one for one in self._state.default_headers if one[0] not in named]
        self._http2.send_headers(stream.id, [headers[0], *defaults, *headers[1:]], end_stream=is_all)
        if is_all:
            self._finish(stream)

    def push(self) -> None:
        """Send what the client has room for."""
        has_moved = False
        for stream in [*self._streams.values()]:
            while stream.has_begun and not stream.is_over and not self._is_paused and self._push_one(stream):
                has_moved = True
        self._flush()
        if has_moved:
            self._cancel("_taking")
        if self._is_paused or any(stream.out for stream in self._streams.values()):
            self._await_taking()

    def took(self, stream: Stream, size: int) -> None:
        """See `Stream`."""
        with suppress(ProtocolError):
            self._http2.acknowledge_received_data(size, stream.id)
        self._flush()

    def end(self, stream: Stream) -> None:
        """See `Stream`."""
        if not stream.is_over:
            self._reset(stream, ErrorCodes.INTERNAL_ERROR)
            self._drop(stream)

    def _hear(self, event: Event, new: list[Stream]) -> None:
        match event:
            case RequestReceived():
                self._newest = event.stream_id
                if self._is_leaving:
                    self._http2.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
                    return
                stream = Stream(event.stream_id, self._scope_of([*event.headers]), self)
                self._streams[stream.id] = stream
                new.append(stream)
            case DataReceived():
                size = event.flow_controlled_length
                if stream := self._streams.get(event.stream_id):  # type: ignore[assignment]
                    stream.take(event.data, size)
                else:
                    self._http2.acknowledge_received_data(size, event.stream_id)
            case StreamEnded():
                if stream := self._streams.get(event.stream_id):  # type: ignore[assignment]
                    stream.close()
                    self._room.leave(stream)
            case StreamReset():
                self._resets += 1
                if stream := self._streams.get(event.stream_id):  # type: ignore[assignment]
                    self._drop(stream)
                if self._resets > _MOST_RESETS:
                    self._http2.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
                    raise ProtocolError

    def _start(self, stream: Stream) -> None:
        self._cancel("_idle")
        refused = self._room.enter(stream, self._loop.time()) if stream.more_body else None
        if refused is not None:
            refused.refuse(503, _BUSY)
        if refused is not stream:
            self._run(stream.run(self._app))
        self._state.total_requests += 1

    def _run(self, running: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(running)
        task.add_done_callback(self._state.tasks.discard)
        self._state.tasks.add(task)

    def _push_one(self, stream: Stream) -> bool:
        """Send one frame of an answer; whether there may be more to send."""
        room = min(self._http2.local_flow_control_window(stream.id), self._http2.max_outbound_frame_size)
        part = bytes(stream.out[: max(room, 0)])
        is_end = stream.is_last and len(part) == len(stream.out)
        if part or is_end:
            self._http2.send_data(stream.id, part, end_stream=is_end and not stream.trailers)
            del stream.out[: len(part)]
        if is_end and stream.trailers:
            self._http2.send_headers(stream.id, stream.trailers, end_stream=True)
        if is_end:
            self._finish(stream)
        elif part:
            stream.progress()
        return bool(part) and not is_end

    def _finish(self, stream: Stream) -> None:
        """The answer is whole; what the client still sends goes nowhere (RFC 9113, 8.1)."""
        self._resets = max(self._resets - 1, 0)
        if stream.more_body:
            self._reset(stream, ErrorCodes.NO_ERROR)
        self._drop(stream)

    def _reset(self, stream: Stream, why: ErrorCodes) -> None:
        with suppress(ProtocolError):
            self._http2.reset_stream(stream.id, why)
        self._flush()

    def _drop(self, stream: Stream) -> None:
        self._room.leave(stream)
        self._streams.pop(stream.id, None)
        stream.leave()
        if not self._streams:
            self._hang_up() if self._is_leaving else self._await_request()

    def _hang_up(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if (data := self._http2.data_to_send()) and not self._transport.is_closing():
            self._transport.write(data)

    def _await_request(self) -> None:
        self._cancel("_idle")
        self._idle = self._loop.call_later(self._config.timeout_keep_alive, self.shutdown)

    def _await_taking(self) -> None:
        if self._taking is None:
            self._taking = self._loop.call_later(self._taken_within, self._transport.abort)

    def _cancel(self, timer: str) -> None:
        if (running := getattr(self, timer)) is not None:
            running.cancel()
            setattr(self, timer, None)
