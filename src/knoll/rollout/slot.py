"""The rollout slot of a model: who serves, who is on trial, and how far.

It lives in the Model's status and moves only with a resourceVersion precondition, so there is one rollout of
a model at a time, whoever works on it. It is written before anything is done: what the InferenceService must
look like, and which record must exist, follow from the slot alone, so a function that was killed at any line
is finished by the next one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

__all__ = ["Evidence", "Phase", "Slot", "Transition", "slot_from_status", "slot_to_status"]

Phase = Literal["Idle", "Deploying", "Canary", "Baking", "RollingBack"]


@dataclass(frozen=True)
class Evidence:
    """Requests and errors of the candidate. `instances` has the cumulative counts that each predictor process
    has reported, `replayed` what we sent ourselves, and `before` the requests that were counted when the step
    began."""

    instances: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    replayed: tuple[int, int] = (0, 0)
    before: int = 0

    @property
    def requests(self) -> int:
        """All requests of this rollout, live and replayed."""
        return sum(requests for requests, _ in self.instances.values()) + self.replayed[0]

    @property
    def errors(self) -> int:
        """All failed requests of this rollout, live and replayed."""
        return sum(errors for _, errors in self.instances.values()) + self.replayed[1]

    @property
    def in_step(self) -> int:
        """Requests since the step began."""
        return self.requests - self.before

    def counts(self) -> Mapping[str, int]:
        """The numbers behind a verdict, for records and people."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "replayed": self.replayed[0],
            "inStep": self.in_step,
        }


@dataclass(frozen=True)
class Transition:
    """What was decided last: the next record to be written, word for word."""

    number: int
    action: str
    at: str
    version: str
    percent: int
    reason: str
    evidence: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Slot:
    """Names of versions ("" for none), the phase, and the state of the rollout in progress. `since` is when
    the phase or step began, and `seen` when its traffic was first observed; `attempt` counts how often the
    champion's revision was asked for again; `quarantine` says why a version never returns by itself."""

    champion: str = ""
    previous: str = ""
    candidate: str = ""
    phase: Phase = "Idle"
    step: int = 0
    percent: int = 0
    since: str = ""
    seen: str = ""
    attempt: int = 0
    evidence: Evidence = Evidence()
    quarantine: Mapping[str, str] = field(default_factory=dict)
    transition: Transition | None = None

    def moved(self, action: str, at: str, reason: str, **changes: Any) -> "Slot":
        """The slot after a decision, with the transition that records it."""
        after = replace(self, since=at, seen="", **changes)
        version = changes.get("candidate") or self.candidate
        same_rollout = self.transition is not None and self.transition.version == version
        number = self.transition.number + 1 if self.transition is not None and same_rollout else 1
        return replace(
            after,
            transition=Transition(number, action, at, version, after.percent, reason, self.evidence.counts()),
        )


def slot_from_status(status: Mapping[str, Any]) -> Slot:
    """Read the slot from a Model's status; an empty status is an empty slot."""
    rollout = status.get("rollout") or {}
    evidence = rollout.get("evidence") or {}
    transition = rollout.get("transition")
    return Slot(
        champion=status.get("champion", ""),
        previous=status.get("previous", ""),
        candidate=status.get("candidate", ""),
        phase=status.get("phase", "Idle"),
        step=rollout.get("step", 0),
        percent=rollout.get("percent", 0),
        since=rollout.get("since", ""),
        seen=rollout.get("seen", ""),
        attempt=rollout.get("attempt", 0),
        evidence=Evidence(
            {name: (counts[0], counts[1]) for name, counts in (evidence.get("instances") or {}).items()},
            (evidence.get("replays", [0, 0])[0], evidence.get("replays", [0, 0])[1]),
            evidence.get("before", 0),
        ),
        quarantine=dict(status.get("quarantine") or {}),
        transition=_transition(transition) if transition else None,
    )


def _transition(stored: Mapping[str, Any]) -> Transition:
    """A newer knoll beside this one may have written fields that this one does not know."""
    return Transition(**{one.name: stored[one.name] for one in fields(Transition) if one.name in stored})


def slot_to_status(slot: Slot, status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Model's status with the slot in it; other fields stay, also those of a newer knoll."""
    return {
        **status,
        "champion": slot.champion,
        "previous": slot.previous,
        "candidate": slot.candidate,
        "phase": slot.phase,
        "quarantine": dict(slot.quarantine),
        "rollout": {
            **(status.get("rollout") or {}),
            "step": slot.step,
            "percent": slot.percent,
            "since": slot.since,
            "seen": slot.seen,
            "attempt": slot.attempt,
            "evidence": {
                "instances": {name: list(counts) for name, counts in slot.evidence.instances.items()},
                "replays": list(slot.evidence.replayed),
                "before": slot.evidence.before,
                **slot.evidence.counts(),
            },
            "transition": dict(vars(slot.transition)) if slot.transition else None,
        },
    }
