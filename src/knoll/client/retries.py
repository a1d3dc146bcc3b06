"""Whether a request is sent again, and when.

A predict request may be sent again, because it changes nothing: a version answers the same request in the
same way, and at worst it is counted twice. Feedback may, because each id counts once. What was answered is
not sent again; 502, 503 and 504 say that no model answered.

A request that got lost on its way, or that got 502 or 504, may be what has ended a replica. So it is tried
three times at most.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from math import inf
from typing import TYPE_CHECKING

from knoll.headers import DATE, RETRY_AFTER

if TYPE_CHECKING:
    from knoll.client.steps import Heard

__all__ = ["pause_before_retry", "retry_after"]

_UNSENT, _LOST = 6, 3  # tries; six take about three seconds
_FIRST, _LONGEST = 0.1, 4.0  # seconds of a pause


def pause_before_retry(heard: "Heard", tries: int, left: float, chance: float) -> float | None:
    """The seconds until the next try, after so many; None if there is none. `left` are the seconds until the
    deadline. `chance` in 0..1 spreads the clients that a server refuses at the same time."""
    if tries >= _most_tries(heard):
        return None
    least = max(min(_FIRST * 2.0 ** (tries - 1), _LONGEST), retry_after(heard.headers))
    pause = least * (1 + chance / 2)
    return pause if pause < left else None


def _most_tries(heard: "Heard") -> float:
    if heard.status == 503:
        return inf
    if heard.status in (502, 504):
        return _LOST
    if heard.status or heard.has_begun:
        return 1
    return _LOST if heard.was_sent else _UNSENT


def retry_after(headers: Mapping[str, str]) -> float:
    """The seconds that an answer asks to wait: as a number, or as a time by its own clock (RFC 9110, 10.2.3).
    0 if it does not say."""
    asked = headers.get(RETRY_AFTER, "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        later = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get(DATE, ""))
    except (TypeError, ValueError):
        return 0.0
    return max(later.total_seconds(), 0.0)
