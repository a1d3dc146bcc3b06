"""Base64 as clients really send it."""

import base64
import binascii
import re

from knoll.errors import InvalidInstance

__all__ = ["read_base64"]

_DATA_URI = re.compile(r"\s*data:([^,;]{0,100})((?:;[^,;]{0,100}){0,5}),", re.IGNORECASE)
_SPACE = re.compile(r"\s+", re.ASCII)
_LONE_SPACE = re.compile(r"(?<=[A-Za-z0-9+/\-_]) (?=[A-Za-z0-9+/\-_])", re.ASCII)
_FOREIGN = re.compile(r"[^A-Za-z0-9+/\-_\s]", re.ASCII)
_LINK = re.compile(r"\s*(https?|s3|gs|file|ftp)://", re.IGNORECASE)
_HEX = re.compile(r"\s*(0x)?(89504e470d0a1a0a|ffd8ff[de])[0-9a-f]{8}", re.IGNORECASE)  # of a PNG or JPEG
_RIGHT = "send the base64 of the bytes of a PNG or JPEG"
_URL_SAFE = str.maketrans("-_", "+/")


def read_base64(text: object) -> bytes:
    """The bytes. Line breaks, a data URI, the URL-safe alphabet and missing padding are read, too.

    Raises InvalidInstance that names the first wrong character, or says that the text is cut short.
    """
    if not isinstance(text, str):
        raise InvalidInstance("b64 is no text", fix="send the base64 of a PNG or JPEG as a string")
    if _HEX.match(text):
        raise InvalidInstance("b64 is hexadecimal", fix=_RIGHT)
    try:
        # of the text itself: base64.b64decode would copy it first
        return binascii.a2b_base64(text, strict_mode=True) if text else _read_loosely(text)
    except (binascii.Error, ValueError):
        return _read_loosely(text)


def _read_loosely(text: str) -> bytes:
    if _LINK.match(text):
        raise InvalidInstance("b64 is a link, and nothing is fetched from there", fix=_RIGHT)
    start = _start(text)
    end = len(text.rstrip().rstrip("= \t\r\n\f\v"))
    wrong = _FOREIGN.search(text, start, max(end, start))
    if wrong:
        raise InvalidInstance(
            f"b64 is not base64: character {wrong.start() + 1} of {len(text)} is {wrong.group()!a}",
            fix="send the base64 of a PNG or JPEG",
        )
    lone = _LONE_SPACE.search(text, start, max(end, start))
    if lone:
        raise InvalidInstance(
            f"b64 has a space among its digits, at character {lone.start() + 1} of {len(text)}: a form turns "
            "+ into spaces",
            fix="send it as JSON, or write + as %2B in the form",
        )
    digits = _SPACE.sub("", text[start:end]).translate(_URL_SAFE)
    if not digits:
        raise InvalidInstance("b64 is empty", fix="send the base64 of a PNG or JPEG")
    if len(digits) % 4 == 1:
        raise InvalidInstance(
            f"b64 is cut short: no base64 has {len(digits)} digits", fix="send the whole text"
        )
    return base64.b64decode(digits + "=" * (-len(digits) % 4))


def _start(text: str) -> int:
    """Where the base64 begins: behind the head of a data URI."""
    head = _DATA_URI.match(text)
    if head is None:
        return 0
    if not head[2].lower().rstrip().endswith(";base64"):
        raise InvalidInstance("b64 is a data URI that is not base64", fix="send data:image/png;base64,...")
    return head.end()
