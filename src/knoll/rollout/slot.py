"""The rollout slot of a model: which version serves, which one is on trial, and how far the trial is.

The slot is part of the Model's status and is written with a resourceVersion precondition. So a model has one
rollout at a time, even if several functions work on it. The slot is written first; the InferenceService and
the next record follow from it alone. If a function is killed at any line, the next one finishes its work.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from knoll.records.rollout import last_decision
from knoll.rollout.comparison import Comparison, Held, read_comparison, read_held
from knoll.rollout.counted import Evidence, evidence_fields, read_evidence
from knoll.rollout.evidence import (
    Judgement,
    PassingPolicy,
    Verdict,
    judgement_to_fields,
    read_judgement,
    verdict,
    verdict_to_fields,
)
from knoll.rollout.hooks import Hooked, hooked_fields, read_hooked
from knoll.rollout.room import NoRoom, read_no_room
from knoll.rollout.steering import Steering, steering_from_status, steering_to_status
from knoll.rollout.transition import Transition, read_transition
from knoll.rollout.unknown import newer_phase, with_unknown

__all__ = ["Cause", "Phase", "Slot", "read_decision", "slot_from_status", "slot_to_status"]

Cause = Literal["", "signature", "deadline", "hooks", "aborted"]  # why, where something depends on it
Phase = Literal["Idle", "Deploying", "Canary", "Baking", "RollingBack"]
_NEEDS = "0.1.0"  # the oldest knoll that knows all these phases; the status names it for older ones


@dataclass(frozen=True)
class Slot:
    """Names of versions ("" for none), the phase, and the state of the rollout in progress. `since` is when
    the phase or step began, and `seen` when its traffic was first observed. `attempt` counts how often a
    revision was asked for again. A rollback that `steps_back` first takes all traffic from the candidate.
    `quarantine` says in words why a version is not tried again, and `causes` has the cause where it is known.
    `pins` has the sha256 of the manifest of each of the three versions, and `signers` the id of the key that
    had signed each of them when its trial began. `fallen` has the versions that gave way because they were
    damaged, with the digest of their files then; each may be tried again once its files are as pinned.
    `damage` says what is wrong with the champion while no other version can take its place. `listing` names
    its files as last compared. `steering` is what humans have asked for. `judgement` compares the requests of
    candidate and champion since their first shared traffic, `comparison` their answers to samples. `held` is
    the version that waits for approval, and `no_room` the one that waits for room. `hooked` is what hooks
    have said to the next step. `proven` is the candidate if it needs no approval: it has been the champion
    before, or a human asked for it. `asked` is the run that data and config asked for when the trial began.
    `transition` is what was recorded last; if that decided nothing, `decided` is the decision before it."""

    champion: str = ""
    previous: str = ""
    candidate: str = ""
    phase: Phase = "Idle"
    step: int = 0
    percent: int = 0
    since: str = ""
    seen: str = ""
    attempt: int = 0
    steps_back: bool = False
    evidence: Evidence = field(default_factory=Evidence)
    judgement: Judgement | None = None
    quarantine: Mapping[str, str] = field(default_factory=dict)
    causes: Mapping[str, str] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)
    signers: Mapping[str, str] = field(default_factory=dict)
    damage: str = ""
    listing: str = ""
    fallen: Mapping[str, str] = field(default_factory=dict)
    transition: Transition | None = None
    decided: Transition | None = None
    steering: Steering = field(default_factory=Steering)
    comparison: Comparison | None = None
    held: Held | None = None
    no_room: NoRoom | None = None
    proven: str = ""
    asked: str = ""
    hooked: Hooked = field(default_factory=Hooked)

    @property
    def is_stepping_back(self) -> bool:
        """Whether the candidate, which has all traffic, is still to give it up."""
        return self.steps_back and self.phase == "RollingBack"

    @property
    def compared(self) -> Comparison | None:
        """The comparison of this candidate with this champion; None before it has begun."""
        found, roles = self.comparison, (self.candidate, self.champion)
        return found if found and (found.version, found.champion) == roles else None

    @property
    def verdict(self) -> Verdict | None:
        """What the judgement says; None before it has begun."""
        shared = PassingPolicy(min_requests=0, share=min(max(self.percent, 1), 99) / 100)
        return verdict(self.judgement, shared) if self.judgement else None

    @property
    def decision(self) -> Transition | None:
        """The last decision; None before the first one."""
        return last_decision(one for one in (self.decided, self.transition) if one)

    def is_approved(self, version: str) -> bool:
        """Whether the version may get traffic, however it answers."""
        return version in (self.proven, *self.steering.approved)

    def barred(self, version: str, reason: str, cause: str = "") -> "Slot":
        """The slot with the version in quarantine, whose time begins anew."""
        quarantine, causes = {**self.quarantine, version: reason}, {**self.causes, version: cause}
        steering = self.steering.without_quarantined(version)
        return replace(self, quarantine=quarantine, causes=causes, steering=steering)

    def moved(self, action: str, at: str, reason: str, **changes: Any) -> "Slot":
        """The slot after a decision, with the transition that records it. It ends a pause, a wait for hooks,
        and the regard for what somebody has changed in the InferenceService."""
        steering, hooked = self.steering.with_pause().without_edit(), self.hooked.about_to("")
        after = replace(self, since=at, seen="", steering=steering, hooked=hooked)
        version = changes.get("candidate") or self.candidate
        return replace(after, **changes).noted(action, at, reason, version, self.evidence)

    def noted(
        self, action: str, at: str, reason: str, version: str, evidence: Evidence | None = None
    ) -> "Slot":
        """The slot with a transition that says what was decided, and which changes nothing else."""
        last, compared = self.transition, self.compared
        number = last.number + 1 if last is not None and last.version == version else 1
        counts = (evidence or self.evidence).counts.numbers()
        made = Transition(number, action, at, version, self.percent, reason, counts)
        judged = verdict_to_fields(self.verdict) if self.verdict and version == self.candidate else {}
        return self.told(replace(made, comparison=compared.fields() if compared else {}, verdict=judged))

    def detailed(self, **details: Any) -> "Slot":
        """The slot whose transition has these details."""
        made = self.transition
        return replace(self, transition=made and replace(made, **details))

    def told(self, made: Transition) -> "Slot":
        """The slot whose next record is that transition."""
        return replace(self, transition=made, decided=None if last_decision([made]) else self.decision)


def slot_from_status(status: Mapping[str, Any]) -> Slot:
    """Read the slot from a Model's status; an empty status is an empty slot. Unknown fields are passed over,
    and missing ones have their defaults. Raises NewerSchema for a phase that only a newer knoll knows."""
    rollout = status.get("rollout") or {}
    phase: Any = status.get("phase") or "Idle"
    if phase not in get_args(Phase):
        raise newer_phase(phase, rollout.get("needs"))
    return Slot(
        champion=status.get("champion") or "",
        previous=status.get("previous") or "",
        candidate=status.get("candidate") or "",
        phase=phase,
        step=rollout.get("step") or 0,
        percent=rollout.get("percent") or 0,
        since=rollout.get("since") or "",
        seen=rollout.get("seen") or "",
        attempt=rollout.get("attempt") or 0,
        steps_back=bool(rollout.get("stepsBack")),
        evidence=read_evidence(rollout.get("evidence") or {}),
        judgement=read_judgement(rollout.get("judgement")),
        quarantine=dict(status.get("quarantine") or {}),
        causes=dict(status.get("quarantineCauses") or {}),
        pins=dict(status.get("manifestSha256") or {}),
        signers=dict(status.get("signedBy") or {}),
        damage=status.get("damage") or "",
        listing=status.get("listing") or "",
        fallen=dict(status.get("fallen") or {}),
        transition=read_transition(rollout.get("transition")),
        decided=read_transition(rollout.get("decided")),
        steering=steering_from_status(status),
        comparison=read_comparison(rollout.get("comparison")),
        held=read_held(status.get("held")),
        no_room=read_no_room(status.get("noRoom")),
        proven=status.get("proven") or "",
        asked=rollout.get("asked") or "",
        hooked=read_hooked(rollout.get("hooks")),
    )


def read_decision(status: Mapping[str, Any]) -> Transition | None:
    """The last decision in a Model's status, also in a phase that only a newer knoll knows; None for none."""
    rollout = status.get("rollout") or {}
    found = (read_transition(rollout.get(name)) for name in ("decided", "transition"))
    return last_decision(filter(None, found))


def slot_to_status(slot: Slot, status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Model's status with the slot in it.

    Fields of other stages stay, and so do unknown fields of `rollout`. Unknown fields of what is in it, and
    of `held` and `noRoom`, stay while that is about the same version, decision or rollout.
    """
    return {
        **status,
        "champion": slot.champion,
        "previous": slot.previous,
        "candidate": slot.candidate,
        "phase": slot.phase,
        "quarantine": dict(slot.quarantine),
        "quarantineCauses": {
            name: one for name, one in slot.causes.items() if one and name in slot.quarantine
        },
        "manifestSha256": _of_roles(slot, slot.pins),
        "signedBy": _of_roles(slot, slot.signers),
        "damage": slot.damage,
        "listing": slot.listing,
        "fallen": dict(slot.fallen),
        "held": with_unknown(_fields(slot.held), status.get("held"), "version"),
        "noRoom": with_unknown(_fields(slot.no_room), status.get("noRoom"), "version"),
        "proven": slot.proven,
        "rollout": _rollout_fields(slot, status.get("rollout") or {}),
        **steering_to_status(slot.steering, status),
    }


def _rollout_fields(slot: Slot, before: Mapping[str, Any]) -> dict[str, Any]:
    made, last = _fields(slot.transition), before.get("transition") or {}
    counted = before.get("evidence") or {} if (made or {}).get("version") == last.get("version") else {}
    compared = slot.comparison.fields() if slot.comparison else None
    hooked = hooked_fields(slot.hooked) if slot.hooked != Hooked() else None
    return {
        **before,
        "needs": _NEEDS,
        "asked": slot.asked,
        "step": slot.step,
        "percent": slot.percent,
        "since": slot.since,
        "seen": slot.seen,
        "attempt": slot.attempt,
        "stepsBack": slot.steps_back,
        "evidence": evidence_fields(slot.evidence, counted),
        "judgement": judgement_to_fields(slot.judgement, before.get("judgement")),
        "transition": with_unknown(made, last, "version", "number"),
        "decided": with_unknown(_fields(slot.decided), before.get("decided"), "version", "number"),
        "comparison": with_unknown(compared, before.get("comparison"), "version", "champion", "since"),
        "hooks": with_unknown(hooked, before.get("hooks")),
    }


def _fields(found: Held | NoRoom | Transition | None) -> Mapping[str, Any] | None:
    return dict(vars(found)) if found else None


def _of_roles(slot: Slot, facts: Mapping[str, str]) -> dict[str, str]:
    """The facts about the versions that have a role, and those that may come back."""
    roles = slot.champion, slot.previous, slot.candidate, *slot.fallen
    return {name: fact for name, fact in facts.items() if name in roles}
