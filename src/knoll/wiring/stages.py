"""The table of stages: what each one does with an event, a POST, a tick and a body that is resent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from knoll.dead_letters import handler as dead_letters
from knoll.dead_letters.resend import resend_wanted
from knoll.errors import Rejected
from knoll.events import Event
from knoll.events.event import EVENT_LIMIT
from knoll.events.http import event_from_http
from knoll.ingest import handler as ingest
from knoll.ports import Handler, Platform
from knoll.rollout import handler as rollout
from knoll.rollout.follow import follow
from knoll.train import handler as train
from knoll.wiring.survey import survey
from knoll.wiring.sweep import sweep_all

__all__ = ["STAGES", "Headers", "Stage"]

Headers = Mapping[str, str]
Receive = Callable[[Headers, bytes, Platform], Event | None]
Sweep = Callable[[Event, Platform], None]
Follow = Callable[[datetime, Platform], None]


@dataclass(frozen=True)
class Stage:
    """The work of a function.

    `handle` acts on one event, and returns the event that follows from it; it raises Rejected if another try
    cannot help, and Unavailable if it may. `receive` does the same for one POST. `sweep` does at a tick what
    a lost event left undone. `take` is `receive` for a resend, and keeps nothing that it refuses; if there is
    no `take`, `receive` is used. `follow` is called with the time of a tick after all sweeps, and does what
    becomes due before the next tick. `limit` is the most bytes that a POST may have.
    """

    handle: Handler
    receive: Receive
    sweep: Sweep | None = None
    take: Receive | None = None
    follow: Follow | None = None
    limit: int = EVENT_LIMIT


def _resend(_: Event, platform: Platform) -> None:
    """Publish the dead letters whose resend is wanted; a body goes to the stage that it was meant for."""

    def take(meant_for: str, headers: Headers, body: bytes) -> Event | None:
        stage = STAGES.get(meant_for)
        if stage is None:
            raise Rejected(f"this knoll has no function {meant_for!r}", fix="resend it with a newer knoll")
        return (stage.take or stage.receive)(headers, body, platform)

    resend_wanted(platform, take)


def _sweep(event: Event, platform: Platform) -> None:
    began, stages = platform.clock.now(), STAGES.values()
    sweep_all(event, platform, [stage.sweep for stage in stages if stage.sweep])
    for stage in stages:
        if stage.follow:
            stage.follow(began, platform)


def _receive_tick(headers: Headers, body: bytes, platform: Platform) -> None:
    _sweep(event_from_http(headers, body), platform)


def _refuse_resend(headers: Headers, body: bytes, platform: Platform) -> None:  # noqa: ARG001
    """A resend is part of a sweep, so it must not start one."""
    raise Rejected("no tick is resent", fix="drop it: the next tick does the same work")


# by the name of the Knative Service behind "knoll-", to which Triggers refer
STAGES: Mapping[str, Stage] = {
    "ingest": Stage(ingest.handle, ingest.receive, ingest.sweep, ingest.take),
    "notifications": Stage(ingest.handle, ingest.receive),
    "train": Stage(train.handle, train.receive, train.sweep),
    "rollout": Stage(rollout.handle, rollout.receive, rollout.sweep, follow=follow),
    # a dead letter is an event, and what a broker says about it
    "dead-letters": Stage(dead_letters.handle, dead_letters.receive, _resend, limit=2 * EVENT_LIMIT),
    "sweep": Stage(_sweep, _receive_tick, survey, _refuse_resend),
}
