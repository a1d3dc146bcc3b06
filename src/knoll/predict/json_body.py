"""JSON that came with a request, read without harm to the other requests.

A parser holds the interpreter's lock until it has finished. So a text that would take long is refused before
it is parsed.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from knoll.errors import InvalidInstance
from knoll.json_faults import json_fault

__all__ = ["is_long", "read_json"]

_MOST_VALUES = 2_000_000
_MOST_LISTS = 200_000  # lists and objects: each costs as much as ten numbers
_VALUE, _QUOTE, _LIST, _OBJECT = 64, 32, 100, 250  # bytes of memory for each
_WIDE = 7  # bytes more for each of a text with a letter beyond Latin, and for its copy
_PICTURES = {b"\x89PNG": "a PNG", b"\xff\xd8\xff": "a JPEG", b"GIF8": "a GIF", b"RIFF": "a WebP"}
_LONG = 100_000
_LONGEST_KEY = 200  # bytes, with escapes
# What lies before it, and a text, with the colon that makes it a key; or where a level begins or ends.
_TOKEN = re.compile(rb'[^"\[\]{}]*+(?:("(?:[^"\\]++|(?:\\.)++)*+")(\s*+:)?|[\[\]{}])', re.DOTALL)


def is_long(body: bytes) -> bool:
    """Whether it has so many values that only one such body is read at a time."""
    return body.count(b",") > _LONG


def read_json(body: bytes, keys: Sequence[str], right: str, keep: Callable[[int], None]) -> Any:
    """The value. `keys` are those that are read of an object, and `right` says what to send. Before that,
    `keep` is told the bytes of memory that the value takes, and may raise.

    Raises InvalidInstance that says why there is no value, or which of the keys comes twice.
    """
    kind = next((name for head, name in _PICTURES.items() if body.startswith(head)), "")
    if kind:
        raise InvalidInstance(f"the body is {kind}, not JSON", fix=right)
    if not body.strip():
        raise InvalidInstance("the JSON of the body is empty", fix=right)
    keep(_checked_size(body))
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInstance(f"the body is not JSON: {json_fault(body, error)}", fix=right) from error
    if isinstance(value, dict):
        _check_keys(body, [key for key in keys if key in value])
    return value


def _checked_size(body: bytes) -> int:
    """The bytes that its value takes at most, what is made of its numbers included."""
    values, lists, objects = body.count(b","), body.count(b"["), body.count(b"{")
    if values >= _MOST_VALUES:
        raise InvalidInstance(
            f"the body has more than {_MOST_VALUES:,} values",
            fix="send fewer at a time, a picture as PNG or JPEG, or tensors in binary form (V2)",
        )
    if lists + objects > _MOST_LISTS:
        raise InvalidInstance(
            f"the body has more than {_MOST_LISTS:,} lists and objects",
            fix="send fewer instances at a time, and large pictures as PNG or JPEG",
        )
    wide = 0 if body.isascii() and b"\\u" not in body else _WIDE * len(body)
    return values * _VALUE + body.count(b'"') * _QUOTE + lists * _LIST + objects * _OBJECT + wide


def _check_keys(body: bytes, keys: Sequence[str]) -> None:
    """The parser takes the last value of a key that comes twice. Most bodies have the text of each key once:
    that is quick to see, and the body is looked through only if not."""
    if b"\\u" not in body and all(body.count(b'"%b"' % key.encode()) == 1 for key in keys):
        return
    found = set()
    for key in _outer_keys(body):
        if key in found:
            raise InvalidInstance(f"the body has the key {key!r} twice", fix="send it once")
        if key in keys:
            found.add(key)


def _outer_keys(body: bytes) -> Iterator[str]:
    """The short keys of the outermost object, each as often as it comes."""
    level = 0
    for token in _TOKEN.finditer(body, 0, len(body.rstrip())):
        start, end = token.span(1)
        if start < 0:
            level += 1 if body[token.end() - 1] in b"[{" else -1
        elif level == 1 and end < token.end() and end - start < _LONGEST_KEY:
            yield orjson.loads(token[1])
