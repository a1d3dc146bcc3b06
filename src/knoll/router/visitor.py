"""Who sends a request: the header or cookie that a Model names, as a fixed point and a session.

The point decides the version, so that a visitor stays with one. It depends on the Model and on the value, and
on nothing that changes: each router finds the same, and keeps nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from knoll.headers import COOKIE

__all__ = ["Visitor", "find_visitor"]

_POINT_BYTES = 4


@dataclass(frozen=True)
class Visitor:
    """`point` is from 0 up to, but not including, 100. `session` has 32 hex digits."""

    point: float
    session: str


def find_visitor(model: str, sticky: str, headers: Mapping[str, str]) -> Visitor | None:
    """The visitor by `sticky`, which is header:NAME or cookie:NAME; None if the request has no such value.
    The names of the headers are in lower case."""
    kind, _, name = sticky.partition(":")
    value = headers.get(name.lower(), "") if kind == "header" else _cookie(name, headers.get(COOKIE, ""))
    return _visitor(model, value) if value else None


def _visitor(model: str, value: str) -> Visitor:
    digest = sha256(f"{model}\n{value}".encode("utf-8", "surrogatepass")).digest()
    point = int.from_bytes(digest[:_POINT_BYTES]) * 100 / 256**_POINT_BYTES
    return Visitor(point, digest[_POINT_BYTES : _POINT_BYTES + 16].hex())


def _cookie(name: str, header: str) -> str:
    """The value of the first cookie of that name (RFC 6265, 4.2); "" if there is none."""
    pairs = (one.partition("=") for one in header.split(";"))
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")
