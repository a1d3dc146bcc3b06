"""The steps of a rollout: what `decide` says, and the handler carries out."""

from dataclasses import dataclass

from knoll.rollout.slot import Cause

__all__ = [
    "Compare",
    "GiveUp",
    "HoldBack",
    "NotYet",
    "Promote",
    "Replay",
    "Restore",
    "Rollback",
    "Settle",
    "Shift",
    "Step",
    "SteppedBack",
    "TrafficSeen",
]


@dataclass(frozen=True)
class NotYet:
    """Do nothing yet, and why."""

    reason: str


@dataclass(frozen=True)
class TrafficSeen:
    """The wanted traffic is observed: requests count for the step from now on."""


@dataclass(frozen=True)
class Replay:
    """Too few requests came: send this many samples to the candidate's own route, and to the champion's. If
    it `may_start`, a request without an answer in time is no failure: a replica may have to start first."""

    requests: int
    may_start: bool


@dataclass(frozen=True)
class Compare:
    """The candidate is ready: send the champion's samples to its own route. If it `is_late`, it must answer
    one now. `of_champion` sends them to the champion: how often does it agree with itself?"""

    is_late: bool = False
    of_champion: bool = False


@dataclass(frozen=True)
class GiveUp:
    """End the trial, because another version is wanted by now. The candidate is not barred."""

    reason: str


@dataclass(frozen=True)
class HoldBack:
    """Take the candidate back until somebody approves it."""

    reason: str


@dataclass(frozen=True)
class Shift:
    """Give the candidate more traffic."""

    step: int
    percent: int
    reason: str


@dataclass(frozen=True)
class Promote:
    """The candidate gets all traffic, and if `final`, its bake is over and it becomes the champion."""

    reason: str
    final: bool


@dataclass(frozen=True)
class Rollback:
    """Take the traffic from the candidate and quarantine it. `cause` is "deadline" if one has passed."""

    reason: str
    cause: Cause = ""


@dataclass(frozen=True)
class SteppedBack:
    """The candidate has no traffic any more, or does not give it up: ask for the champion."""


@dataclass(frozen=True)
class Settle:
    """The champion's new revision is ready: end the rollback."""


@dataclass(frozen=True)
class Restore:
    """The new revision has not become ready in time: ask for another one."""


_InTrial = NotYet | TrafficSeen | Replay | Compare | GiveUp | HoldBack | Shift | Promote | Rollback
Step = _InTrial | SteppedBack | Settle | Restore
