"""The evidence of a trial: what the predictors of both versions have reported, weighed into the slot."""

from dataclasses import replace
from datetime import datetime
from math import inf

from knoll.models import RolloutSpec
from knoll.ports import Bucket
from knoll.records.evidence import find_reports
from knoll.records.labels import find_labels
from knoll.rollout.counted import Pair
from knoll.rollout.evidence import Judgement, Seen, Tally, begin, count, judge, tally, with_labels
from knoll.rollout.slot import Slot

__all__ = ["weighed"]


def weighed(model: str, slot: Slot, policy: RolloutSpec, bucket: Bucket) -> Slot:
    """The slot with what is reported of the candidate by now, and with the judgement of both versions. It
    begins with the first traffic: what was counted before is history."""
    if slot.phase not in ("Canary", "Baking"):
        return slot
    reports = find_reports(model, slot.candidate, bucket)
    counted = replace(slot, evidence=count(slot.evidence, reports))
    if not slot.champion:
        return counted
    known = tally(find_reports(model, slot.champion, bucket).values())
    seen = Seen(
        _with_replayed(known, slot.evidence.champion_replayed),
        _with_replayed(tally(reports.values()), slot.evidence.replayed),
    )
    before, is_shared = slot.judgement, slot.phase == "Canary" and slot.percent < 100
    if before is None:
        return replace(counted, judgement=_begun(model, slot, policy, known, seen, bucket))
    if before.needs_labels:
        seen = _with_labels(model, slot, before.began_at, seen, bucket)
    return replace(counted, judgement=judge(before, seen, is_shared))


def _begun(
    model: str, slot: Slot, policy: RolloutSpec, known: Tally, seen: Seen, bucket: Bucket
) -> Judgement:
    """The judgement when the traffic is first shared."""
    began = datetime.fromisoformat(slot.since).timestamp()
    if policy.labels:
        known = with_labels(known, find_labels(model, slot.champion, bucket).values(), until=began)
    made = begin(known, seen, policy.margin, has_pairs=False)
    return replace(made, began_at=began, needs_labels=policy.labels)


def _with_labels(model: str, slot: Slot, began: float, seen: Seen, bucket: Bucket) -> Seen:
    """With the labelled answers that both have given side by side. In the bake labels come still."""
    until = datetime.fromisoformat(slot.since).timestamp() if slot.phase == "Baking" else inf
    theirs, mine = (find_labels(model, one, bucket).values() for one in (slot.champion, slot.candidate))
    return replace(
        seen,
        champion=with_labels(seen.champion, theirs, began, until),
        candidate=with_labels(seen.candidate, mine, began, until),
    )


def _with_replayed(live: Tally, replayed: Pair) -> Tally:
    """The tally with the requests that knoll has sent."""
    return replace(live, requests=live.requests + replayed[0], errors=live.errors + replayed[1])
