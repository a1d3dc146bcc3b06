"""JSON that came with a request, read without harm to the other requests.

A parser holds the interpreter's lock until it has finished. So a text that would take long is refused before
it is parsed.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from knoll.errors import InvalidInstance
from knoll.foreign_kinds import picture_kind
from knoll.json_faults import json_fault

__all__ = ["is_long", "read_json"]

_MOST_VALUES = 2_000_000
_MOST_LISTS = 200_000  # lists and objects: each costs as much as ten numbers
_VALUE, _QUOTE, _LIST, _OBJECT = 64, 32, 100, 250  # bytes of memory for each
_WIDE = 7  # bytes more for each of a text with a letter beyond Latin, and for its copy
_LONG = 100_000
_LONGEST_KEY, _MOST_KEYS = 200, 100_000  # bytes with escapes, and number, of the keys that are looked at
# What lies before it, and a text, with the colon that makes it a key; or where a level begins or ends.
_TOKEN = re.compile(rb'[^"\[\]{}]*+(?:("(?:[^"\\]++|(?:\\.)++)*+")(\s*+:)?|[\[\]{}])', re.DOTALL)


def is_long(body: bytes) -> bool:
    """Whether it has so many values that only one such body is read at a time."""
    return body.count(b",") > _LONG


def read_json(body: bytes, right: str, keep: Callable[[int], None]) -> Any:
    """The value; `right` says what to send. Before that, `keep` is told the bytes of memory that the value
    takes, and may raise.

    Raises InvalidInstance that says why there is no value, or which key an object has twice.
    """
    if kind := picture_kind(body):
        raise InvalidInstance(f"the body is {kind}, not JSON", fix=right)
    if not body.strip():
        raise InvalidInstance("the JSON of the body is empty", fix=right)
    keep(_checked_size(body))
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInstance(f"the body is not JSON: {json_fault(body, error)}", fix=right) from error
    _check_keys(body, value)
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


def _check_keys(body: bytes, value: Any) -> None:
    """The parser takes the last value of a key that comes twice: the value then has fewer keys than the body.
    Most bodies have a colon for each key and no other: that is quick to see, and the body is looked through
    only if not."""
    keys = _number_of_keys(value, body.count(b"{"))
    if keys != body.count(b":") and keys != sum(token.end(2) > 0 for token in _tokens(body)):
        raise InvalidInstance(f"an object of the body has {_doubled_key(body)} twice", fix="send it once")


def _number_of_keys(value: Any, objects: int) -> int:
    """The keys of all objects in the value, of which there are `objects` at most. Level by level, because
    lists of numbers are often deeper than the last object."""
    level, keys = [value], 0
    while level and objects:
        found = [one for one in level if type(one) is dict]
        keys, objects = keys + sum(map(len, found)), objects - len(found)
        level = [
            inner
            for one in (level if objects else ())
            for inner in (one.values() if type(one) is dict else one)
            if type(inner) in (dict, list)
        ]
    return keys


def _doubled_key(body: bytes) -> str:
    """The first key that an object has twice. Long keys, and more than the memory has room for, have no
    name here."""
    levels: list[set[str]] = []
    room = _MOST_KEYS
    for token in _tokens(body):
        start, end = token.span(1)
        if start < 0 and body[token.end() - 1] in b"[{":
            levels.append(set())
        elif start < 0:
            levels.pop()
        elif end < token.end() and end - start < _LONGEST_KEY and room:
            key = orjson.loads(token[1])
            if key in levels[-1]:
                return f"the key {key!r}"
            levels[-1].add(key)
            room -= 1
    return "a key"


def _tokens(body: bytes) -> Iterator[re.Match[bytes]]:
    return _TOKEN.finditer(body, 0, len(body.rstrip()))
