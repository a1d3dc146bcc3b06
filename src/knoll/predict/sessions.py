"""Sessions: the requests of one visitor, as the router names him in a header. Where visitors stay with one
version, a few bad sessions would look like many bad requests, so each session is one outcome.

The first warm request decides it. A later request never changes an outcome: a comparison that bets on each
outcome, one after the other, could not take it back. A session without requests for half an hour begins
again.
"""

from collections import OrderedDict
from dataclasses import dataclass

from knoll.predict.counts import Ended, Judged

__all__ = ["Sessions"]

_MOST = 10_000  # that are remembered, of about 200 bytes each; the oldest are forgotten first
_PAUSE = 1800.0  # seconds, after which a session begins anew


@dataclass(slots=True)
class _Session:
    seen: float
    is_judged: bool = False
    has_failed: bool = False


class Sessions:
    """The last sessions of one process."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._known: OrderedDict[str, _Session] = OrderedDict()

    def note(self, one: Ended, now: float) -> Judged:
        """What the request is of its session; `now` is in seconds, and rises. A request without a session
        is judged by itself."""
        if not one.session:
            return Judged(is_judged=not one.is_cold)
        known = self._known.get(one.session)
        is_new = known is None or now - known.seen > _PAUSE
        session = _Session(now) if known is None or is_new else known
        session.seen, self._known[one.session] = now, session
        self._known.move_to_end(one.session)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        part = Judged(
            is_judged=not (one.is_cold or session.is_judged),
            begins=is_new,
            fails=one.has_failed and not session.has_failed,
        )
        session.is_judged |= part.is_judged
        session.has_failed |= one.has_failed
        return part
