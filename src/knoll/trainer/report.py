"""The reports of a run while it trains: its progress record, and events that repeat it.

A thread of its own sends the latest state, so that a slow store or broker never delays a gradient step. If a
report cannot be sent, that is logged, and the run goes on.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from knoll.data_files import Skipped
from knoll.errors import Unavailable
from knoll.events import TRAINING_PROGRESSED, Event, new_event
from knoll.ports import Platform
from knoll.quoting import escaped
from knoll.records.progress import DataRead, Point, Progress, StepsTaken, find_progress, write_progress
from knoll.records.run import Run
from knoll.trainer.objects import DataChanged

__all__ = ["Journal", "News", "Quiet", "Reporter", "leave_out", "longer_curve", "publish_event", "say"]

_EVENT_SECONDS = 5.0
_MOST_POINTS = 128  # of a curve: then every second one goes
_MOST_WARNINGS = 10
_LONGEST_FAULT = 300  # characters of the message of a library


def say(line: str) -> None:
    """One line of the run's log, which is the standard output of its process."""
    print(escaped(line), flush=True)


@contextmanager
def leave_out(what: str, say: Callable[[str], None], notes: list[str]) -> Iterator[None]:
    """If this fails, leave out what it makes, and say so: a picture or card must not end a finished
    training. What ends a training if its examples cannot be read is raised."""
    try:
        yield
    except (DataChanged, Unavailable):
        raise
    except Exception as error:
        note = f"{what} is left out: {type(error).__name__}: {escaped(str(error))[:_LONGEST_FAULT]}"
        say(note)
        notes.append(note)


def publish_event(kind: str, run: Run, data: Mapping[str, Any], platform: Platform, *, id: str = "") -> None:
    """Publish an event about the run. If the broker refuses it, that is logged; records say the same."""
    source, present = platform.settings.source, platform.clock.now()
    body = {"runId": run.id, "model": run.model, **data}
    event = new_event(
        kind, source=source, time=present, subject=run.model, data=body, cause=_cause(run), id=id
    )
    try:
        platform.events.publish(event)
    except Unavailable as error:
        say(f"event {kind} was not taken: {error}")


def _cause(run: Run) -> Event | None:
    cause = run.cause
    if not cause.get("id"):
        return None
    extensions = {"correlationid": cause.get("correlationid", cause["id"])}
    return Event(
        cause["id"],
        "",
        cause.get("type", ""),
        cause.get("time", ""),
        cause.get("subject", ""),
        extensions=extensions,
    )


@dataclass(frozen=True)
class News:
    """How far a run is: see `records.progress`."""

    state: str
    percent: int
    seconds_left: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    reading: DataRead | None = None
    steps: StepsTaken | None = None

    def event_data(self) -> dict[str, Any]:
        """What an event says of it."""
        said = {
            "state": self.state,
            "progressPercentage": self.percent,
            "estimatedRemainingSeconds": self.seconds_left,
            "metrics": dict(self.metrics),
        }
        return said | (self.steps.document() if self.steps else {})


class Journal(Protocol):
    """The log and the progress of a run."""

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1, as far as progress and checkpoints tell."""

    def say(self, line: str) -> None:
        """Add a line to the log."""

    def warn(self, line: str) -> None:
        """Add a line to the log and to the progress."""

    def report(self, news: News) -> None:
        """Make this the run's progress."""

    def resume(self, step: int, attempt: int) -> None:
        """Note that this attempt goes on behind a step of an earlier one."""

    def leave_out(self, bad: tuple[Skipped, ...]) -> None:
        """Note which bad files the training does without."""


class Quiet:
    """The journal of all processes but the first: it writes nothing."""

    attempt = 0

    def say(self, line: str) -> None:
        """See `Journal.say`."""

    def warn(self, line: str) -> None:
        """See `Journal.warn`."""

    def report(self, news: News) -> None:
        """See `Journal.report`."""

    def resume(self, step: int, attempt: int) -> None:
        """See `Journal.resume`."""

    def leave_out(self, bad: tuple[Skipped, ...]) -> None:
        """See `Journal.leave_out`."""


def longer_curve(curve: tuple[Point, ...], point: Point) -> tuple[Point, ...]:
    """The curve with one more point; with every second one if it grows too long. A training that goes back
    to a checkpoint draws the part behind it anew."""
    longer = (*(one for one in curve if one.percent <= point.percent), point)
    return longer if len(longer) <= _MOST_POINTS else longer[::-2][::-1]


class Reporter:
    """The journal of one run. `close` waits until the last state is written."""

    def __init__(self, run: Run, platform: Platform) -> None:
        self._run, self._platform = run, platform
        before = find_progress(run.id, platform.bucket)
        self._attempt, self._resumed = (before.attempt + 1 if before and before.attempt else 1), 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="report")
        self._sending: Future[None] | None = None
        self._latest: News | None = None
        self._sent: News | None = None
        self._told: News | None = None
        self._next_event = 0.0
        self._curve: tuple[Point, ...] = before.curve if before else ()
        self._left_out: tuple[Skipped, ...] = ()
        self._warnings: tuple[str, ...] = before.warnings if before else ()

    def say(self, line: str) -> None:
        """Add a line to the run's log."""
        say(line)

    def warn(self, line: str) -> None:
        """Add a line to the log, and to the progress that is written next."""
        say(f"warning: {line}")
        self._warnings = (*self._warnings, escaped(line))[-_MOST_WARNINGS:]
        self._sent = None  # what was sent lacks the line

    @property
    def attempt(self) -> int:
        """See `Journal.attempt`."""
        return self._attempt

    def resume(self, step: int, attempt: int) -> None:
        """See `Journal.resume`."""
        self._attempt, self._resumed = attempt, step
        say(f"resumed after step {step}, attempt {attempt}")

    def leave_out(self, bad: tuple[Skipped, ...]) -> None:
        """See `Journal.leave_out`."""
        self._left_out = bad

    def report(self, news: News) -> None:
        """Make this the run's progress, unless a newer report comes first. Returns at once."""
        self._latest = news
        if news.state == "training":
            self._curve = longer_curve(self._curve, Point(news.percent, news.metrics))
        if self._sending is not None and not self._sending.done():
            return
        if self._sending is not None:
            self._sending.result()
        self._sending = self._thread.submit(self._send, news)

    def close(self) -> None:
        """Write and publish the last state if that was not done, and stop."""
        self._thread.shutdown()
        if self._sending is not None:
            self._sending.result()
        if self._latest is None:
            return
        if self._latest is not self._sent:
            self._write(self._latest)
        if self._latest is not self._told:
            self._tell(self._latest)

    def _send(self, news: News) -> None:
        self._write(news)
        if time.monotonic() >= self._next_event:
            self._next_event = time.monotonic() + _EVENT_SECONDS
            self._tell(news)

    def _tell(self, news: News) -> None:
        self._told = news
        publish_event(TRAINING_PROGRESSED, self._run, news.event_data(), self._platform)

    def _write(self, news: News) -> None:
        self._sent = news
        progress = Progress(
            *(news.state, news.percent, news.seconds_left, news.metrics),
            self._platform.clock.now().isoformat(),
            reading=news.reading,
            curve=self._curve,
            attempt=self._attempt,
            resumed_step=self._resumed,
            left_out=self._left_out,
            steps=news.steps,
            warnings=self._warnings,
        )
        try:
            write_progress(self._run.id, progress, self._platform.bucket)
        except Unavailable as error:
            say(f"progress was not written: {error}")
