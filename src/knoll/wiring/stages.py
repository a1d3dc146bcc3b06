"""The table of stages: what each one does with an event, a POST, a tick and a body that is replayed.

`knoll.wiring.sweep` is made from it, and `knoll.wiring.functions` adds that one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from knoll.dead_letters import handler as dead_letters
from knoll.dead_letters.replay import replay_wanted
from knoll.errors import Rejected
from knoll.events import Event
from knoll.events.event import EVENT_LIMIT
from knoll.ingest import handler as ingest
from knoll.ports import Platform
from knoll.rollout import handler as rollout
from knoll.train import handler as train

__all__ = ["WORKING_STAGES", "Stage"]

Headers = Mapping[str, str]
Handle = Callable[[Event, Platform], Event | None]
Receive = Callable[[Headers, bytes, Platform], Event | None]
Sweep = Callable[[Event, Platform], None]


@dataclass(frozen=True)
class Stage:
    """The work of a function.

    `handle` acts on one event, and returns the event that follows from it; it raises Rejected for never and
    Unavailable for later. `receive` does the same for one POST. `sweep` does at a tick what a lost event left
    undone. `take` is `receive` for a replay: it keeps nothing that it refuses; without it, `receive` is used.
    `limit` is the most bytes that a POST may have.
    """

    handle: Handle
    receive: Receive
    sweep: Sweep | None = None
    take: Receive | None = None
    limit: int = EVENT_LIMIT


def _replay(_: Event, platform: Platform) -> None:
    """Publish the dead letters whose replay is wanted; a body goes to the stage that it was meant for."""

    def take(meant_for: str, headers: Headers, body: bytes) -> Event | None:
        stage = WORKING_STAGES.get(meant_for)
        if stage is None:
            raise Rejected(f"this knoll has no function {meant_for!r}", fix="replay it with a newer knoll")
        return (stage.take or stage.receive)(headers, body, platform)

    replay_wanted(platform, take)


# by the name of the Knative Service behind "knoll-", to which Triggers refer
WORKING_STAGES: Mapping[str, Stage] = {
    "ingest": Stage(ingest.handle, ingest.receive, ingest.sweep, ingest.take),
    "notifications": Stage(ingest.handle, ingest.receive),
    "train": Stage(train.handle, train.receive, train.sweep),
    "rollout": Stage(rollout.handle, rollout.receive, rollout.sweep),
    # a dead letter is an event, and what a broker says about it
    "dead-letters": Stage(dead_letters.handle, dead_letters.receive, _replay, limit=2 * EVENT_LIMIT),
}
