"""A connection whose first bytes say whether its client speaks HTTP/1.1 or HTTP/2.

Clients of gRPC, and proxies before a port that is called `h2c`, begin with HTTP/2. Its module is imported
when the first of them comes: a start need not wait for it.
"""

from typing import Any

from knoll.http_connection.http1 import Http1Connection

__all__ = ["Connection"]

_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, 3.4


class Connection(Http1Connection):
    """HTTP/1.1 until the client has said that it speaks HTTP/2. This one ends then, and the other one goes
    on."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._opening: bytes | None = b""  # the first bytes, until it is known which protocol they are of

    def data_received(self, data: bytes) -> None:
        if self._opening is None:
            super().data_received(data)
            return
        data = self._opening + data
        if data.startswith(_HTTP2):
            self._speak_http2(data)
        elif _HTTP2.startswith(data):
            self._opening = data
        else:
            self._opening = None
            super().data_received(data)

    def _speak_http2(self, data: bytes) -> None:
        from knoll.http_connection.http2 import Http2Connection

        self._cancel_head()
        self.connections.discard(self)
        other = Http2Connection(self.config, self.server_state, self._room, self.taken_within)
        self.transport.set_protocol(other)
        other.connection_made(self.transport)
        other.data_received(data)
