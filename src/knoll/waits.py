"""A wait as a value: what for, how much of it there is, since when, and what ends it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

__all__ = ["Wait", "clock_time", "timed_wait", "wait_document"]


@dataclass(frozen=True)
class Wait:
    """What is waited for, since when, how much of it there is, and what ends the wait.

    `have` and `need` count what is waited for: requests, objects, runs, attempts, letters. `need` is 0 if it
    is not known, or if nothing is counted. `until` is the time at which the wait ends by itself, and "" if no
    time ends it. Times are ISO 8601.
    """

    what: str
    since: str = ""
    ends: str = ""
    have: int = 0
    need: int = 0
    until: str = ""

    @property
    def words(self) -> str:
        """The wait in one line."""
        return f"{self.what}; {self.ends}" if self.ends else self.what

    @property
    def told(self) -> str:
        """The wait in one line, with its beginning."""
        return f"{self.words} (since {clock_time(self.since)})" if self.since else self.words


def wait_document(wait: Wait | None) -> dict[str, Any] | None:
    """The wait as `-o json` shows it; null if there is none."""
    if wait is None:
        return None
    times = {"since": wait.since, "until": wait.until}
    return {"for": wait.what, "have": wait.have, "need": wait.need, **times, "ends": wait.ends}


def timed_wait(what: str, ends: str, since: str, seconds: float) -> Wait:
    """A wait that ends by itself after so many seconds; `ends` names that time as `{until}`."""
    if not since:
        return Wait(what)
    until = datetime.fromisoformat(since) + timedelta(seconds=seconds)
    return Wait(what, since, ends.format(until=f"{until:%H:%M:%S}"), until=until.isoformat())


def clock_time(text: str) -> str:
    """An ISO time as day and time of day; any other text as it is."""
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return text
