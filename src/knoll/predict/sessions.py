"""Sessions: the requests of one visitor, as the router names him in a header. Where visitors stay with one
version, a few bad sessions would look like many bad requests, so each session is one outcome.

The first warm request decides it. A later request never changes an outcome: a comparison that bets on each
outcome, one after the other, could not take it back. A session without requests for half an hour begins
again.

A session that goes on has late outcomes, which find faults that begin late: the first warm request that is
not refused, a minute or more after the outcome before. An outcome that has failed is the last one. So a
session fails once at most, and a visitor who always fails looks like one failure. What a late outcome will
be depends on its own session only, and each of these has come so far without a failure: no outcome tells
which version the next failure comes from, unless the versions differ.
"""

from collections import OrderedDict
from dataclasses import dataclass

from knoll.predict.counts import Ended, Judged

__all__ = ["Sessions"]

_MOST = 10_000  # that are remembered, of about 300 bytes each; the oldest are forgotten first
_PAUSE = 1800.0  # seconds, after which a session begins anew
_APART = 60.0  # seconds between two outcomes of a session, at least


@dataclass(slots=True)
class _Session:
    seen: float
    judged_at: float | None = None  # its last outcome
    is_over: bool = False  # an outcome has failed
    has_failed: bool = False

    def has_late(self, one: Ended, now: float) -> bool:
        """Whether the request is a late outcome."""
        is_due = self.judged_at is not None and now - self.judged_at >= _APART
        return is_due and not (self.is_over or one.is_cold or one.is_refused)


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
            is_judged=session.judged_at is None and not one.is_cold,
            begins=is_new,
            fails=one.has_failed and not session.has_failed,
            is_late=session.has_late(one, now),
        )
        if part.is_judged or part.is_late:
            session.judged_at, session.is_over = now, one.has_failed
        session.has_failed |= one.has_failed
        return part
