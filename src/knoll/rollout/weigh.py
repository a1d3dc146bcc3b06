"""The evidence of a trial: what the predictors of both versions have reported, weighed into the slot."""

from dataclasses import replace

from knoll.models import RolloutSpec
from knoll.ports import Bucket
from knoll.records.evidence import find_reports
from knoll.rollout.counted import Pair
from knoll.rollout.evidence import Seen, Tally, begin, count, judge, tally
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
    judged = judge(before, seen, is_shared) if before else begin(known, seen, policy.margin)
    return replace(counted, judgement=judged)


def _with_replayed(live: Tally, replayed: Pair) -> Tally:
    """The tally with the requests that knoll has sent."""
    return replace(live, requests=live.requests + replayed[0], errors=live.errors + replayed[1])
