"""The comparison of a candidate with the champion: it is sent the champion's samples on its tagged route.

The champion's own answers are in its samples, as its training gave them; it may sleep. If the candidate
agrees with too few of them, the champion gets the samples, too: its own answers may not always be the same.
One call sends a bounded part, as with replays (`replay`). A part whose call was killed is sent again.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from knoll.errors import InvalidVersion, Rejected
from knoll.ports import Bucket, Document, Platform, PredictAnswer
from knoll.records.samples import Sample, find_pinned_samples
from knoll.rollout.comparison import NOTHING_TO_COMPARE, Comparison, compared_samples, spreads
from knoll.rollout.observed import Observed
from knoll.rollout.questions import BUSY, body_of, prediction_of
from knoll.rollout.replay import DirectRoute, ask, paced, publish_continued, write_part
from knoll.rollout.revision_keys import key_of_revision
from knoll.rollout.slot import Slot
from knoll.rollout.steps import Compare
from knoll.rollout.world import write_slot

__all__ = ["write_compared_part"]


def write_compared_part(
    document: Document, slot: Slot, step: Compare, observed: Observed, until: datetime, platform: Platform
) -> bool:
    """Send the next samples and write what they show into the slot; whether another pass is needed.

    If samples are left, an event wakes rollout for them. If the predictor does not answer, the next tick goes
    on. A champion that is known to be damaged is no measure.
    Raises InvalidVersion if it is late, and there is still no answer.
    """
    name, before = document["metadata"]["name"], slot.compared
    at = platform.clock.now().isoformat()
    begun = before or Comparison(slot.candidate, slot.champion, since=at)
    try:
        samples = _compared_samples(name, slot, platform.bucket)
    except Rejected as error:
        note = f"the samples of {slot.champion} cannot be read: {error}"
        missing = replace(begun, samples=0, asked=0, note=note, is_missing=not slot.damage)
        write_slot(document, replace(slot, comparison=missing), platform)
        return True
    if before is None:
        note = "" if samples else NOTHING_TO_COMPARE
        begun = replace(begun, samples=len(samples), note=note)
        write_slot(document, replace(slot, comparison=begun), platform)
        return True
    version = slot.champion if step.of_champion else slot.candidate
    url = observed.champion_url if step.of_champion else observed.tagged_url
    route = DirectRoute(version, url, key_of_revision(document, slot, version, platform.settings))
    after = _ask_part(name, begun, samples, route, until, platform)
    if after == begun and step.is_late:
        told = f"answered {after.asked} of the {after.samples} samples of {slot.champion}"
        raise InvalidVersion(f"{told} in time")
    if after == begun or not write_part(document, replace(slot, comparison=after), platform):
        return False
    is_done = after.repeated >= after.samples if step.of_champion else after.is_over
    if not is_done:
        publish_continued(name, platform)
    return is_done


def _compared_samples(model: str, slot: Slot, bucket: Bucket) -> list[Sample]:
    """The champion's samples that can be compared. Raises Rejected if they are gone, or not as pinned."""
    pin = slot.pins.get(slot.champion, "")
    found = find_pinned_samples(model, slot.champion, pin, bucket)
    if found is None:
        raise InvalidVersion("they are gone")
    return compared_samples(found)


def _ask_part(
    model: str,
    begun: Comparison,
    samples: Sequence[Sample],
    route: DirectRoute,
    until: datetime,
    platform: Platform,
) -> Comparison:
    """The comparison after as many samples as a part has (see `paced`), and none behind one without an
    answer. The route is that of the candidate or of the champion."""
    spread, found = spreads(samples), begun
    is_champion = route.version == begun.champion
    first = begun.repeated if is_champion else begun.asked
    for sample in paced(samples[first:], until, platform.clock):
        answer = ask(model, route, body_of(sample), platform)
        if not _is_final(answer, route.version):
            break
        prediction = prediction_of(answer.body) if answer.status == 200 else None
        after = found.with_repeat if is_champion else found.with_answer
        found = after(prediction, sample, spread)
    return found


def _is_final(answer: PredictAnswer, version: str) -> bool:
    """Whether the version would answer so again. A predictor that starts, or that is busy, would not; and a
    gateway may not know the route yet."""
    return answer.version == version and answer.status < 500 and answer.status not in BUSY
