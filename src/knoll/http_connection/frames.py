"""The lengths of HTTP/2 frames, looked at when their heads come: `h2` looks when it has the whole frame, and
would keep 16 MiB of one."""

from h2.errors import ErrorCodes

__all__ = ["FrameLengths"]

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
