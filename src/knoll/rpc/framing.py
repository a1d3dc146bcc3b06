"""How a call of gRPC travels: the frame around a message, the deadline, and the code of its end.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import re
from urllib.parse import quote

from knoll.errors import InvalidInstance
from knoll.quoting import escaped

__all__ = [
    "ACCEPT_ENCODING",
    "CODES",
    "ENCODING",
    "HEAD",
    "INVALID_ARGUMENT",
    "MESSAGE",
    "NOT_FOUND",
    "OK",
    "STATUS",
    "TIMEOUT",
    "UNIMPLEMENTED",
    "UNKNOWN",
    "ended",
    "frame",
    "seconds_of",
    "unframed",
]

STATUS, MESSAGE, TIMEOUT = "grpc-status", "grpc-message", "grpc-timeout"
ENCODING, ACCEPT_ENCODING = "grpc-encoding", "grpc-accept-encoding"
HEAD = 5  # bytes before a message: whether it is compressed, and its length
OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND = range(6)
PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 7, 8, 12, 13, 14
CODES = {  # by the status of HTTP
    200: OK,
    400: INVALID_ARGUMENT,
    403: PERMISSION_DENIED,
    404: NOT_FOUND,
    408: DEADLINE_EXCEEDED,
    413: RESOURCE_EXHAUSTED,
    415: UNIMPLEMENTED,
    499: CANCELLED,
    500: INTERNAL,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: DEADLINE_EXCEEDED,
}
_LONGEST = 1000  # letters of a message about an error: clients take 8 KiB of all headers
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def frame(message: bytes) -> bytes:
    """The message with its head."""
    return b"".join((b"\0", len(message).to_bytes(4, "big"), message))


def unframed(body: bytes) -> memoryview:
    """The one message of a call. Raises InvalidInstance."""
    size = int.from_bytes(body[1:HEAD], "big")
    if len(body) < HEAD or len(body) != HEAD + size:
        raise InvalidInstance(f"the body of {len(body)} bytes is not one message of gRPC")
    if body[0]:
        raise InvalidInstance("the message is compressed", fix="send it as it is")
    return memoryview(body)[HEAD:]


def seconds_of(timeout: str) -> float | None:
    """The seconds of a grpc-timeout; None if it is none."""
    found = _TIMEOUT.fullmatch(timeout)
    return int(found[1]) * _UNITS[found[2]] if found else None


def ended(code: int, message: str = "") -> dict[str, str]:
    """The headers that end a call. The message may repeat what a stranger has sent."""
    told = quote(escaped(message[:_LONGEST]), safe=" !\"#$&'()*+,/:;<=>?@[\\]^`{|}")
    return {STATUS: str(code), MESSAGE: told} if told else {STATUS: str(code)}
