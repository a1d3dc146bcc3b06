"""The deadline that a client gives to its request, by a header: no answer comes after it."""

import re

from knoll.errors import InvalidInstance
from knoll.headers import REQUEST_TIMEOUT

__all__ = ["seconds_in", "too_late"]

_TIMEOUT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|)", re.ASCII)


def seconds_in(timeout: str) -> float | None:
    """The seconds that the value of the header allows; None if it is empty. Raises InvalidInstance."""
    if not timeout:
        return None
    found = _TIMEOUT.fullmatch(timeout.strip())
    if found is None:
        raise InvalidInstance(f"{REQUEST_TIMEOUT} is no time: send seconds as in 2.5, or 300ms")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def too_late(seconds: float) -> str:
    """Why there is no answer."""
    return f"there is no answer within the {seconds:g} s of the request's deadline"
