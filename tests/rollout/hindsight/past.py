"""Past rollouts: what the decision made of a stream of requests by a policy, and the records it left.

A stream has the requests of each look, ten seconds apart: those of the candidate and of the champion, and how
many of them failed. They do not depend on the policy, so that two policies can be put to one stream.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from knoll.models import RolloutSpec
from knoll.records.rollout import RolloutStep
from knoll.rollout.comparison import Comparison
from knoll.rollout.counted import CandidateCounts
from knoll.rollout.decide import next_step
from knoll.rollout.evidence import Seen, Tally, begin, judge
from knoll.rollout.hindsight import Hindsight, seen_again, trials
from knoll.rollout.moves import slot_after, slot_after_start
from knoll.rollout.observed import Observed
from knoll.rollout.slot import Slot
from knoll.rollout.steps import Compare, NotYet

__all__ = ["Look", "again", "end_of", "played", "policy_of"]

BEGIN, EVERY = datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=10)
VERSION, CHAMPION = "v000002", "v000001"
_MOST_STEPS = 20  # at one look


@dataclass(frozen=True)
class Look:
    """The requests since the look before: those of the candidate, those of the champion, and the failed
    ones."""

    requests: int = 10
    failed: int = 0
    beside: int = 30
    beside_failed: int = 0


def policy_of(**fields: Any) -> RolloutSpec:
    """A policy without replays, whose fields are as in a Model."""
    return RolloutSpec.model_validate({"idle": "hold", **fields})


def played(
    policy: RolloutSpec, looks: Sequence[Look], *, champion: str = CHAMPION, agreed: int = 64
) -> list[RolloutStep]:
    """The records of the rollout; it may not have ended with the last look. The candidate `agreed` with the
    champion on so many of 64 samples, and is ready at once."""
    slot = slot_after_start(Slot(champion=champion), VERSION, "", "", (0, 0, 0), BEGIN.isoformat())
    found = [_record(slot)]
    mine = theirs = Tally()
    for number, look in enumerate(looks, 1):
        now = BEGIN + EVERY * number
        if slot.phase in ("Canary", "Baking") and slot.seen + slot.since:
            mine = Tally(mine.requests + look.requests, mine.errors + look.failed)
            theirs = Tally(theirs.requests + look.beside, theirs.errors + look.beside_failed)
        slot = _counted(slot, mine, theirs, policy)
        for _ in range(_MOST_STEPS):
            step = next_step(slot, policy, Observed(True, slot.percent), now, 0.8)
            if isinstance(step, NotYet):
                break
            slot = (
                _compared(slot, agreed)
                if isinstance(step, Compare)
                else slot_after(slot, step, now.isoformat())
            )
            if slot.transition and slot.transition.number > len(found):
                found.append(_record(slot))
            if slot.phase in ("Idle", "RollingBack"):
                return found
    return found


def end_of(steps: Sequence[RolloutStep]) -> str:
    """How the rollout ended; "" if it has not."""
    return trials(steps)[0].ended


def again(steps: Sequence[RolloutStep], policy: RolloutSpec, min_agreement: float = 0.8) -> Hindsight:
    """How the only rollout in the steps would have ended by this policy."""
    (one,) = trials(steps)
    return seen_again(one, policy, min_agreement)


def _counted(slot: Slot, mine: Tally, theirs: Tally, policy: RolloutSpec) -> Slot:
    if slot.phase not in ("Canary", "Baking"):
        return slot
    before = slot.evidence.before
    counts = CandidateCounts(mine.requests, mine.errors, 0, mine.requests - before)
    counted = replace(slot, evidence=replace(slot.evidence, counts=counts))
    if not slot.champion:
        return counted
    seen = Seen(theirs, mine)
    is_shared = slot.phase == "Canary" and slot.percent < 100
    judged = judge(slot.judgement, seen, is_shared) if slot.judgement else begin(theirs, seen, policy.margin)
    return replace(counted, judgement=judged)


def _compared(slot: Slot, agreed: int) -> Slot:
    since = slot.since
    return replace(slot, comparison=Comparison(slot.candidate, slot.champion, since, 64, 64, agreed))


def _record(slot: Slot) -> RolloutStep:
    made = slot.transition
    assert made is not None
    fields: Mapping[str, Any] = vars(made)
    return RolloutStep("digits", made.version, **fields, step=slot.step, champion=slot.champion)
