"""JSON that came with a request, read without harm to the other requests.

A parser holds the interpreter's lock until it has finished. So a text that would keep it busy for long is
refused before.
"""

from typing import Any

import orjson

from knoll.errors import InvalidInstance

__all__ = ["is_long", "read_json"]

_MOST_VALUES = 2_000_000
_MOST_LISTS = 200_000  # lists and objects: each costs as much as ten numbers
_PICTURES = {b"\x89PNG": "a PNG", b"\xff\xd8\xff": "a JPEG", b"GIF8": "a GIF", b"RIFF": "a WebP"}
_LONG = 100_000


def is_long(body: bytes) -> bool:
    """Whether it has so many values that such bodies are to be read one by one."""
    return body.count(b",") > _LONG


def read_json(body: bytes) -> Any:
    """The value. Raises InvalidInstance that says why there is none."""
    kind = next((name for head, name in _PICTURES.items() if body.startswith(head)), "")
    if kind:
        raise InvalidInstance(
            f"the body is {kind}, not JSON", fix='send {"instances": [{"b64": its base64}]} as JSON'
        )
    if not body.strip():
        raise InvalidInstance("the body is empty", fix='send {"instances": [...]} as JSON')
    _check_size(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInstance(f"the body is not JSON: {error}") from error


def _check_size(body: bytes) -> None:
    if body.count(b",") >= _MOST_VALUES:
        raise InvalidInstance(
            f"the body has more than {_MOST_VALUES:,} values",
            fix="send fewer at a time, a picture as PNG or JPEG, or tensors in binary form (V2)",
        )
    if body.count(b"[") + body.count(b"{") > _MOST_LISTS:
        raise InvalidInstance(
            f"the body has more than {_MOST_LISTS:,} lists and objects",
            fix="send fewer instances at a time, and large pictures as PNG or JPEG",
        )
