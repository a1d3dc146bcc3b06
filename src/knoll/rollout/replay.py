"""Requests that knoll sends to a candidate that gets too few: its samples, sent to its tagged route, past the
users' traffic. The champion gets each of them, too, so that both are judged by the same requests. The two
take turns in being the first that is asked. Of each part, the times of the first pair are left out: one of
both may have started for it. If the call has no time left for the second answer of a pair, that pair counts
as nothing, and the next call begins with it.

One call of the function sends a bounded part of them, writes what it counted into the slot, and wakes rollout
again. If it is killed before it writes, its part is sent again: the candidate then gets more requests than
are counted, and none counts twice.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle, islice

from knoll.errors import Conflict, InvalidVersion, Rejected
from knoll.events import ROLLOUT_CONTINUED, new_event
from knoll.ports import Clock, Document, Platform, PredictAnswer, PredictRequest
from knoll.proofs import REPLAY_PURPOSE, prove
from knoll.records.samples import Sample, find_samples
from knoll.rollout.observed import Observed
from knoll.rollout.revision_keys import key_of_revision
from knoll.rollout.slot import Slot, slot_from_status
from knoll.rollout.steps import Replay
from knoll.rollout.world import write_slot

__all__ = [
    "ANSWER_TIME",
    "CALL_TIME",
    "REPLAY_SAMPLES",
    "REPLAY_TIME",
    "DirectRoute",
    "ReplayPart",
    "ask",
    "paced",
    "prediction_of",
    "publish_continued",
    "replay_part",
    "send_part",
    "write_part",
]

REPLAY_SAMPLES = 50  # of one part, at most, each to both versions
REPLAY_TIME = timedelta(seconds=20)  # in which the parts of one call may begin with a sample
ANSWER_TIME = timedelta(seconds=20)  # for one answer
CALL_TIME = timedelta(seconds=50)  # for all requests of one call; the Trigger has a longer timeout


@dataclass(frozen=True)
class ReplayPart:
    """How many samples were sent, how many of them failed, and how many at the champion; whether others are
    left to be sent, and whether they are left because the predictor did not answer. `seconds` are those of
    the candidate and of the champion, where both have answered."""

    sent: int = 0
    failed: int = 0
    champion_failed: int = 0
    is_cut: bool = False
    has_no_answer: bool = False
    seconds: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class DirectRoute:
    """Where a version answers past the traffic split, and the key that proves replays to it."""

    version: str
    url: str
    key: str = ""


def replay_part(
    document: Document, slot: Slot, step: Replay, observed: Observed, until: datetime, platform: Platform
) -> bool:
    """Replay a part of the samples and write it into the slot; whether another pass is needed.

    `slot` has new counts. If the part is cut, an event wakes rollout for the next one. If the predictor
    answered nothing at all, the next tick goes on. If another function has moved the slot meanwhile, that one
    goes on.
    """
    name = document["metadata"]["name"]
    candidate = _route(document, slot, slot.candidate, observed.tagged_url, platform)
    route = observed.champion_url if slot.percent < 100 else ""  # with all traffic nothing is compared
    champion = _route(document, slot, slot.champion, route, platform)
    sent = slot.evidence.replayed[0]
    part = send_part(name, candidate, champion if champion.url else None, step, until, platform, sent)
    beside = (part.sent, part.champion_failed) if champion.url else (0, 0)
    counted = slot.evidence.with_replayed(part.sent, part.failed, beside, part.seconds)
    after = replace(slot, evidence=counted)
    if part.sent and not write_part(document, after, platform):
        return False
    if part.is_cut and (part.sent or not part.has_no_answer):
        publish_continued(name, platform)
    return part.sent > 0 and not part.is_cut


def publish_continued(model: str, platform: Platform) -> None:
    """Wake rollout for the next part."""
    source, now, data = platform.settings.source, platform.clock.now(), {"model": model}
    platform.events.publish(new_event(ROLLOUT_CONTINUED, source=source, time=now, subject=model, data=data))


def send_part(
    model: str,
    candidate: DirectRoute,
    champion: DirectRoute | None,
    step: Replay,
    until: datetime,
    platform: Platform,
    first: int = 0,
) -> ReplayPart:
    """Send a part of the candidate's samples to its predictor, and to the champion's if there is one, none
    after `until` (see `paced`). It begins behind the `first` ones, and after the last one anew.

    Each answer is waited for ANSWER_TIME at most, and none after the CALL_TIME. Raises InvalidVersion if the
    samples are gone or spoilt.
    """
    part = ReplayPart()
    try:
        samples = find_samples(model, candidate.version, platform.bucket)
    except Rejected as error:
        raise InvalidVersion(f"its samples cannot be read: {error}") from error
    if samples is None:
        raise InvalidVersion("its samples cannot be read: they are gone")
    routes, turn = [one for one in (candidate, champion) if one], 1
    end = until + CALL_TIME - REPLAY_TIME
    for sample in paced(islice(cycle(samples), first, first + step.requests), until, platform.clock):
        answers = [_ask_by(end, model, one, sample, platform) for one in routes[::turn]][::turn]
        turn = -turn
        if step.may_start and any(map(_is_starting, answers)):
            return replace(part, is_cut=True, has_no_answer=True)
        if platform.clock.now() >= end and not all(one.status for one in answers):
            return replace(part, is_cut=True)
        failed = not _is_right(answers[0], candidate.version, sample)
        beside = any(one.status == 0 or one.status >= 500 for one in answers[1:])
        seconds = (*part.seconds, *_seconds(answers)) if part.sent else ()
        part = ReplayPart(part.sent + 1, part.failed + failed, part.champion_failed + beside, seconds=seconds)
    return replace(part, is_cut=bool(samples) and part.sent < step.requests)


def paced(samples: Iterable[Sample], until: datetime, clock: Clock) -> Iterator[Sample]:
    """The samples that one part has: REPLAY_SAMPLES at most, and none that would end after `until` if it
    takes as long as the slowest one before."""
    slowest = timedelta(0)
    for sample in islice(samples, REPLAY_SAMPLES):
        began = clock.now()
        if began + slowest > until or began >= until:
            return
        yield sample
        slowest = max(slowest, clock.now() - began)


def write_part(document: Document, after: Slot, platform: Platform) -> bool:
    """Write the slot, also if other parts of the Model's status have changed; False if the slot itself has
    changed since the document was read."""
    before = slot_from_status(document.get("status") or {})
    while True:
        try:
            write_slot(document, after, platform)
        except Conflict:
            document = platform.cluster.get("Model", document["metadata"]["name"])
            if slot_from_status(document.get("status") or {}) != before:
                return False
        else:
            return True


def ask(
    model: str, route: DirectRoute, sample: Sample, platform: Platform, longest: timedelta = ANSWER_TIME
) -> PredictAnswer:
    """Send one sample to a version, as a replay that the key of the route proves, and wait so long at
    most."""
    body = json.dumps({"instances": [sample.instance]}).encode()
    replay = prove(route.key, REPLAY_PURPOSE, body) if route.key else "true"
    seconds = longest.total_seconds()
    return platform.predictors.predict(PredictRequest(route.url, model, body, replay=replay, seconds=seconds))


def _ask_by(
    end: datetime, model: str, route: DirectRoute, sample: Sample, platform: Platform
) -> PredictAnswer:
    """The same, and wait no longer than until `end`."""
    left = max(end - platform.clock.now(), timedelta(seconds=1))
    return ask(model, route, sample, platform, min(ANSWER_TIME, left))


def _route(document: Document, slot: Slot, version: str, url: str, platform: Platform) -> DirectRoute:
    return DirectRoute(
        version, url, key_of_revision(document, slot, version, platform.settings) if version else ""
    )


def _seconds(answers: Sequence[PredictAnswer]) -> list[tuple[float, float]]:
    """How long both took; empty if there are no two, or if one did not answer."""
    are_there = len(answers) == 2 and all(one.status for one in answers)
    return [(answers[0].seconds, answers[1].seconds)] if are_there else []


def _is_starting(answer: PredictAnswer) -> bool:
    """Whether there was no answer in time: a replica may have to start first."""
    return answer.status == 0 and answer.seconds >= ANSWER_TIME.total_seconds()


def _is_right(answer: PredictAnswer, version: str, sample: Sample) -> bool:
    """200 from the right version, and for a classifier the label that its training gave."""
    if answer.status != 200 or answer.version != version:
        return False
    prediction, expected = prediction_of(answer.body), sample.prediction
    if isinstance(expected, Mapping) and "label" in expected:
        return isinstance(prediction, Mapping) and prediction.get("label") == expected["label"]
    return prediction is not None


def prediction_of(body: bytes) -> object:
    """The first prediction of an answer; None if there is none."""
    try:
        predictions = json.loads(body)["predictions"]
        return predictions[0]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
