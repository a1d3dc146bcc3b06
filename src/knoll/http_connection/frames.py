"""The frames of HTTP/2 before `h2` acts on them.

Their lengths are looked at when their heads come: `h2` looks when it has the whole frame, and would keep
16 MiB of one. It also makes a text of each frame for a log that nobody writes, which takes longer than all
else.
"""

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.frame_buffer import FrameBuffer
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame

__all__ = ["FrameLengths", "new_http2"]

_PREFACE, _HEAD = 24, 9  # bytes of the beginning of a connection, and of a frame's head
_HEADERS, _CONTINUATION = 1, 9


class FrameLengths:
    """Watches one client. No frame may have more than `most` bytes, and no headers more than `most_headers`,
    in how many frames they may come."""

    def __init__(self, most: int, most_headers: int) -> None:
        self._most, self._most_headers = most, most_headers
        self._skipped, self._head = _PREFACE, b""
        self._headers = 0  # bytes of the headers that are coming

    def fault(self, data: bytes) -> ErrorCodes | None:
        """What is wrong with the next bytes, if they begin a frame that is too long."""
        at = 0
        while at < len(data):
            if self._skipped:
                step = min(self._skipped, len(data) - at)
                at, self._skipped = at + step, self._skipped - step
                continue
            step = _HEAD - len(self._head)
            self._head, at = self._head + data[at : at + step], at + step
            if len(self._head) < _HEAD:
                return None
            kind, self._skipped = self._head[3], int.from_bytes(self._head[:3], "big")
            self._head = b""
            before = self._headers if kind == _CONTINUATION else 0
            self._headers = before + self._skipped if kind in (_HEADERS, _CONTINUATION) else 0
            if self._skipped > self._most:
                return ErrorCodes.FRAME_SIZE_ERROR
            if self._headers > self._most_headers:
                return ErrorCodes.ENHANCE_YOUR_CALM
        return None


class _QuietFrames(FrameBuffer):
    """Frames whose texts leave out their bodies."""

    def __next__(self) -> Frame:
        frame = super().__next__()
        frame._body_repr = str  # type: ignore[method-assign]
        return frame


def new_http2(streams: int, window: int, frame: int, headers: int) -> H2Connection:
    """The state of a connection, for a server: so many requests at a time, and bytes of a body, a frame and
    headers that a client may send. What we send is not checked: its names are in lower case, its values came
    checked."""
    config = H2Configuration(client_side=False, header_encoding=None)
    config.validate_outbound_headers = config.normalize_outbound_headers = False
    found = H2Connection(config)
    found.incoming_buffer = _QuietFrames(server=True)
    told = {
        SettingCodes.MAX_CONCURRENT_STREAMS: streams,
        SettingCodes.INITIAL_WINDOW_SIZE: window,
        SettingCodes.MAX_FRAME_SIZE: frame,
        SettingCodes.MAX_HEADER_LIST_SIZE: headers,
        SettingCodes.ENABLE_PUSH: 0,
    }
    found.local_settings = Settings(client=False, initial_values=told)
    found.max_inbound_frame_size = frame  # before the client has acknowledged it
    found.decoder.max_header_list_size = headers
    return found
