"""The evidence of a trial: what the predictors of both versions have reported, weighed into the slot."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from math import inf

from knoll.models import Model
from knoll.ports import Bucket
from knoll.records.evidence import find_reports
from knoll.records.labels import Labels, find_labels
from knoll.rollout.counted import Pair
from knoll.rollout.evidence import (
    Judgement,
    Seen,
    Tally,
    begin,
    compared_by,
    count,
    judge,
    tally,
    with_labels,
)
from knoll.rollout.replay_times import EDGES, Times
from knoll.rollout.slot import Slot

__all__ = ["weighed"]

_MOST_DIFFERING = 0.99  # of the answers: with more, no difference says anything


def weighed(model: Model, slot: Slot, bucket: Bucket) -> Slot:
    """The slot with what is reported of the candidate by now, and with the judgement of both versions. It
    begins with the first traffic: what was counted before is history."""
    if slot.phase not in ("Canary", "Baking"):
        return slot
    reports = find_reports(model.name, slot.candidate, bucket)
    counted = replace(slot, evidence=count(slot.evidence, reports))
    if not slot.champion:
        return counted
    known = tally(find_reports(model.name, slot.champion, bucket).values())
    seen = Seen(
        _with_replayed(known, slot.evidence.champion_replayed),
        _with_replayed(tally(reports.values()), slot.evidence.replayed),
        candidate_replays=_timed(slot.evidence.times[0]),
        champion_replays=_timed(slot.evidence.times[1]),
    )
    before, is_shared = slot.judgement, slot.phase == "Canary" and slot.percent < 100
    if before is None:
        return replace(counted, judgement=_begun(model, slot, known, seen, bucket))
    if before.needs_labels or before.needs_agreement:
        seen = _with_answers(model.name, slot, before, seen, bucket)
    if before.differing >= _differing(model) and not slot.is_approved(slot.candidate):
        seen = _with_recorded(seen, slot)
    return replace(counted, judgement=judge(before, seen, is_shared))


def _begun(model: Model, slot: Slot, known: Tally, seen: Seen, bucket: Bucket) -> Judgement:
    """The judgement when the traffic is first shared. Where answers are compared, as many may differ as the
    gate lets differ on samples, and as many more as the champion was seen to differ from itself."""
    began, policy = datetime.fromisoformat(slot.since).timestamp(), model.rollout
    if policy.labels or policy.compare:
        theirs, mine = _answers(model.name, slot, bucket)
        known = with_labels(known, theirs, until=began)
        seen = replace(seen, compared=compared_by(slot.candidate, slot.champion, theirs, mine))
    own = slot.compared.tolerated if slot.compared else 0.0
    differing = _differing(model, own) if policy.compare or policy.recorded else 0.0
    has_pairs = policy.labels and policy.compare > 0
    made = begin(known, _with_recorded(seen, slot), policy.margin, differing, has_pairs)
    return replace(made, began_at=began, needs_labels=policy.labels, needs_agreement=policy.compare > 0)


def _differing(model: Model, own: float = 0.0) -> float:
    """Which part of its answers may differ from the champion's. The champion differs from itself on `own`."""
    return min(1 - model.min_agreement + own, _MOST_DIFFERING)


def _with_recorded(seen: Seen, slot: Slot) -> Seen:
    """With the answers to recorded requests that were replayed to both versions."""
    _, compared, different = slot.evidence.recorded
    live = seen.compared
    both = replace(live, answers=live.answers + compared, different=live.different + different)
    return replace(seen, compared=both)


def _with_answers(model: str, slot: Slot, before: Judgement, seen: Seen, bucket: Bucket) -> Seen:
    """With the labelled answers that both have given side by side, and those that were compared. In the bake
    labels come still."""
    until = datetime.fromisoformat(slot.since).timestamp() if slot.phase == "Baking" else inf
    theirs, mine = _answers(model, slot, bucket)
    if before.needs_agreement:
        seen = replace(seen, compared=compared_by(slot.candidate, slot.champion, theirs, mine))
    if not before.needs_labels:
        return seen
    return replace(
        seen,
        champion=with_labels(seen.champion, theirs, before.began_at, until),
        candidate=with_labels(seen.candidate, mine, before.began_at, until),
    )


def _answers(model: str, slot: Slot, bucket: Bucket) -> tuple[Sequence[Labels], Sequence[Labels]]:
    """What is known of the answers of the champion, and of those of the candidate."""
    theirs, mine = (find_labels(model, one, bucket) for one in (slot.champion, slot.candidate))
    return [*theirs.values()], [*mine.values()]


def _with_replayed(live: Tally, replayed: Pair) -> Tally:
    """The tally with the requests that knoll has sent."""
    return replace(live, requests=live.requests + replayed[0], errors=live.errors + replayed[1])


def _timed(times: Times) -> Tally:
    """A tally that knows how long replays took, and nothing else of them."""
    return Tally(edges=EDGES, latency=times) if times else Tally()
