"""What the slot keeps of the requests to the candidate, and to the champion beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from knoll.rollout.replay_times import EDGES, Times, plus_times, times_of
from knoll.rollout.unknown import with_longer, with_parts

__all__ = [
    "CandidateCounts",
    "Evidence",
    "Pair",
    "Recorded",
    "Total",
    "evidence_fields",
    "plus_recorded",
    "read_evidence",
]

Pair = tuple[int, int]  # requests, and those of them that failed
Total = tuple[int, int, int]  # requests, those of them that failed, and those that were refused
# recorded requests that were replayed, those of them whose answers could be compared, and those that differ
Recorded = tuple[int, int, int]
_NOTHING: Mapping[str, Any] = {}
_COUNTS = ("requests", "errors", "replayed", "inStep", "refused", "recorded")
_FIELDS = (
    "instances",
    "replays",
    "championReplays",
    "replaySeconds",
    "recordedReplays",
    "before",
    "earlier",
    "earlierRefused",
    "refusedBefore",
    "suspicions",
    *_COUNTS,
)


@dataclass(frozen=True)
class CandidateCounts:
    """Requests to the candidate since its rollout began: those that it did not refuse, those that failed,
    those that knoll sent, and those since the step began; and `refused` beside them. What a version refuses
    says nothing for it. Of those that knoll sent, `recorded` ones came from users."""

    requests: int = 0
    errors: int = 0
    replayed: int = 0
    in_step: int = 0
    refused: int = 0
    recorded: int = 0

    def numbers(self) -> Mapping[str, int]:
        """The counts as records and the status name them, without `recorded` if there are none."""
        numbers = (self.requests, self.errors, self.replayed, self.in_step, self.refused, self.recorded)
        return dict(zip(_COUNTS[: None if self.recorded else -1], numbers, strict=False))


@dataclass(frozen=True)
class Evidence:
    """What the slot keeps of the candidate's requests. The reports of its predictors are in the model bucket.

    `counts` are the totals when the slot was written. `replayed` is what knoll sent itself,
    `champion_replayed` what it sent to the champion beside, and `before` the requests that were counted when
    the step began. `earlier` is what was reported on the version before this rollout. `replicas` is what
    knoll 0.1 kept here of each replica. `times` are the seconds of replays by bucket, of the candidate and of
    the champion (see `replay_times`). `recorded` are the replays of what users have asked. `refused_before`
    are the refused requests that were counted when the step began, and `suspicions` how often the candidate
    was suspected in its bake.
    """

    counts: CandidateCounts = CandidateCounts()
    replayed: Pair = (0, 0)
    champion_replayed: Pair = (0, 0)
    before: int = 0
    earlier: Total = (0, 0, 0)
    replicas: Mapping[str, Pair] = field(default_factory=dict)
    times: tuple[Times, Times] = ((), ())
    recorded: Recorded = (0, 0, 0)
    refused_before: int = 0
    suspicions: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether no request has come since the step began, not even one that was refused."""
        return not self.counts.in_step and self.counts.refused <= self.refused_before

    def in_new_step(self) -> "Evidence":
        """The evidence when a step begins: what is counted so far is not of that step."""
        counts = replace(self.counts, in_step=0)
        return replace(self, before=counts.requests, refused_before=counts.refused, counts=counts)

    def with_replayed(
        self,
        sent: int,
        failed: int,
        beside: Pair = (0, 0),
        seconds: Sequence[tuple[float, float]] = (),
        recorded: Recorded = (0, 0, 0),
    ) -> "Evidence":
        """The evidence after `sent` more requests of knoll, `failed` of them in vain. `beside` are those to
        the champion, and `recorded` those that users had sent. `seconds` are those of pairs of requests to
        the candidate and to the champion."""
        counts = replace(
            self.counts,
            requests=self.counts.requests + sent,
            errors=self.counts.errors + failed,
            replayed=self.counts.replayed + sent,
            in_step=self.counts.in_step + sent,
            recorded=self.counts.recorded + recorded[0],
        )
        mine = (self.replayed[0] + sent, self.replayed[1] + failed)
        theirs = (self.champion_replayed[0] + beside[0], self.champion_replayed[1] + beside[1])
        times = (
            plus_times(self.times[0], times_of(one for one, _ in seconds)),
            plus_times(self.times[1], times_of(other for _, other in seconds)),
        )
        replayed: dict[str, Any] = {"replayed": mine, "champion_replayed": theirs, "times": times}
        return replace(self, counts=counts, recorded=plus_recorded(self.recorded, recorded), **replayed)


def plus_recorded(one: Recorded, other: Sequence[int]) -> Recorded:
    """Both together."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def read_evidence(found: Mapping[str, Any]) -> Evidence:
    """Read it from `rollout.evidence` of a status. Missing fields are 0."""
    return Evidence(
        counts=CandidateCounts(*(found.get(key) or 0 for key in _COUNTS)),
        replayed=_pair(found.get("replays")),
        champion_replayed=_pair(found.get("championReplays")),
        before=found.get("before") or 0,
        earlier=(*_pair(found.get("earlier")), found.get("earlierRefused") or 0),
        replicas={name: _pair(counts) for name, counts in (found.get("instances") or {}).items()},
        times=_times(found.get("replaySeconds") or {}),
        recorded=plus_recorded((0, 0, 0), found.get("recordedReplays") or (0, 0, 0)),
        refused_before=found.get("refusedBefore") or 0,
        suspicions=found.get("suspicions") or 0,
    )


def evidence_fields(evidence: Evidence, before: Mapping[str, Any] = _NOTHING) -> dict[str, Any]:
    """The evidence as `rollout.evidence` of a status has it. `before` is what that has of the same rollout:
    unknown fields stay, and what is behind the known end of a list."""
    unknown = {name: one for name, one in before.items() if name not in _FIELDS}
    return with_longer({**unknown, **_known_fields(evidence, before)}, before)


def _known_fields(evidence: Evidence, before: Mapping[str, Any]) -> dict[str, Any]:
    """A list never gets longer: an older knoll would cut it off. What is new has a field of its own."""
    replicas = {name: list(counts) for name, counts in evidence.replicas.items()}
    (requests, failed, refused), (mine, theirs) = evidence.earlier, evidence.times
    times = with_parts({"candidate": [*mine], "champion": [*theirs]}, before.get("replaySeconds"))
    return {
        "replays": list(evidence.replayed),
        "championReplays": list(evidence.champion_replayed),
        "before": evidence.before,
        "earlier": [requests, failed],
        "earlierRefused": refused,
        "refusedBefore": evidence.refused_before,
        **({"suspicions": evidence.suspicions} if evidence.suspicions else {}),
        **({"instances": replicas} if replicas else {}),
        **({"replaySeconds": times} if mine or theirs else {}),
        **({"recordedReplays": list(evidence.recorded)} if evidence.recorded[0] else {}),
        **evidence.counts.numbers(),
    }


def _pair(found: Any) -> Pair:
    requests, failed = (*(found or ()), 0, 0)[:2]
    return requests, failed


def _times(found: Mapping[str, Any]) -> tuple[Times, Times]:
    """Those of the candidate and of the champion; none if they have other buckets."""
    mine, theirs = (tuple(found.get(name) or ()) for name in ("candidate", "champion"))
    return (mine, theirs) if {len(mine), len(theirs)} == {len(EDGES) + 1} else ((), ())
