"""A Model's status is small, whatever the traffic, the replicas, the buckets and the time: only its numbers
get longer. Beside that, each version that is in quarantine, or that somebody approved, has a line."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from knoll.predict.bins import MOST_BINS
from knoll.predict.counts import BUCKETS
from knoll.records.answered import Answered
from knoll.records.evidence import Report
from knoll.records.outputs import Outputs
from knoll.rollout.evidence import Compared, Judgement, Seen, Tally, begin, judge, tally
from knoll.rollout.replay_times import EDGES
from knoll.rollout.slot import slot_from_status, slot_to_status
from records.kinds import GOLDEN

SLOTS = GOLDEN / "knoll-0.3" / "slots"
ALL = range(len(BUCKETS) + 1)


def report(replica: int, requests: int, buckets: Sequence[int], bins: int) -> Report:
    """What a replica has answered: as many in each of the buckets, and in each bin."""
    latency = [requests // len(buckets) if number in buckets else 0 for number in ALL]
    outputs = Outputs("classes", (requests // bins,) * bins)
    counts = {"bucketsSeconds": list(BUCKETS), "counts": latency}
    pod, cold = f"pod-{replica}", Answered()
    return Report("digits", "v1", pod, requests, 1, "", 0, 1, counts, outputs=outputs, cold=cold)


def replayed(requests: int, buckets: Sequence[int]) -> Tally:
    here = range(len(EDGES) + 1)
    return Tally(edges=EDGES, latency=tuple(requests // len(here) if one in buckets else 0 for one in here))


def judged(requests: int, replicas: int, buckets: Sequence[int], bins: int, passes: int) -> Judgement:
    """The judgement when each version has answered so many requests, in so many passes."""

    def seen(part: float) -> Seen:
        each = int(requests * part) // replicas
        known = tally(report(one, each, buckets, bins) for one in range(replicas))
        told = replace(known, labelled=each, wrong=each // 9)
        again = replayed(int(requests * part), buckets)
        return Seen(told, told, Compared(each, each, each, each, each), again, again)

    history = seen(0.5)
    judgement = begin(history.champion, history)
    for number in range(passes):
        judgement = judge(judgement, seen(0.5 + 0.5 * (number + 1) / passes))
    return judgement


def written(judgement: Judgement, *slots: str) -> Mapping[str, Any]:
    """A status with the parts that these golden slots have, and that judgement."""
    status: dict[str, Any] = {}
    for name in slots:
        said = json.loads((SLOTS / f"{name}.json").read_text())
        status |= {**said, "rollout": {**status.get("rollout", {}), **said.get("rollout", {})}}
    times = judgement.seen.candidate_replays.latency, judgement.seen.champion_replays.latency
    slot = slot_from_status({**status, "phase": "Canary"})
    evidence = replace(slot.evidence, times=times)
    return slot_to_status(replace(slot, judgement=judgement, evidence=evidence), status)


def parts(value: Any) -> Any:
    """The same without its numbers and texts."""
    if isinstance(value, Mapping):
        return {name: parts(one) for name, one in value.items()}
    return len(value) if isinstance(value, list) else None


def size(status: Mapping[str, Any]) -> int:
    """Bytes of compact JSON."""
    return len(json.dumps(status, separators=(",", ":")))


def test_the_status_of_a_usual_trial_has_eight_kilobytes_at_most() -> None:
    usual = judged(100_000, 3, range(15, 35), 10, 20)
    assert size(written(usual, "Canary")) <= 8 * 2**10


def test_a_trillion_requests_in_all_buckets_and_bins_make_it_twenty_at_most() -> None:
    """With each part that a status may have."""
    slots = sorted(path.stem for path in SLOTS.iterdir())
    assert size(written(judged(10**12, 200, ALL, MOST_BINS, 50), *slots)) <= 20 * 2**10


def test_a_status_has_no_more_parts_after_more_requests_replicas_and_passes() -> None:
    few, many = (
        written(judged(*given), "Canary") for given in ((10**6, 3, ALL, 64, 2), (10**9, 300, ALL, 64, 100))
    )
    assert parts(few) == parts(many)
