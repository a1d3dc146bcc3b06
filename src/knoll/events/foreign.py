"""JSON of other programs, read with care: a fault becomes an InvalidEvent that names what was read."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from knoll.errors import InvalidEvent
from knoll.json_faults import HALF_A_PAIR, NO_NUMBER, TOO_LARGE, why_not_json, why_unwritable
from knoll.quoting import escaped

__all__ = ["WrongField", "read_json", "reading"]

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_MOST_DIGITS = 20  # of an integer: the largest of 64 bits has as many
_LONGEST_NAME = 80


class WrongField(ValueError):
    """A field is not what was agreed; the text says which one and why, for people."""


def read_json(text: bytes | str, what: str) -> Any:
    """Read JSON that all readers understand alike, as RFC 7493 demands.

    The text is UTF-8. No name occurs twice in an object. There is no half of a surrogate pair, no NaN, and no
    number that a float or 64 bits cannot hold. Raises InvalidEvent that names `what`, and what is wrong.
    """
    try:
        read = text if isinstance(text, str) else text.decode()
        value = json.loads(
            read,
            object_pairs_hook=_unique,
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_bounded,
        )
        if _SURROGATE.search(read):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"{what} is not JSON: {_why(text, error)}") from error
    return value


class _ForeignFault(ValueError):
    """JSON that readers understand in several ways; the text says why."""


def _why(text: bytes | str, error: Exception) -> str:
    match error:
        case _ForeignFault():
            return str(error)
        case RecursionError():
            return why_unwritable(error)
        case UnicodeEncodeError():
            return HALF_A_PAIR
    return why_not_json(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Read fields of JSON from another program. A missing or wrong field raises InvalidEvent that names
    `what`."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as error:
        raise InvalidEvent(f"{what} {_field_fault(error)}") from error


def _field_fault(error: Exception) -> str:
    match error:
        case WrongField():
            return f"has a wrong field: {error}"
        case KeyError(args=(str(name),)):
            return f"lacks the field {escaped(name[:_LONGEST_NAME])}"
        case RecursionError():
            return "is nested too deeply"
    return "has a field that holds something else than it must"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = counts.most_common(1)[0][0]
        raise _ForeignFault(f"an object has the key '{escaped(twice[:_LONGEST_NAME])}' twice")
    return unique


def _no_number(_: str) -> Any:
    raise _ForeignFault(NO_NUMBER)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _ForeignFault(TOO_LARGE)
    return number


def _bounded(digits: str) -> int:
    if len(digits.lstrip("-")) > _MOST_DIGITS:
        raise _ForeignFault(TOO_LARGE)
    return int(digits)
