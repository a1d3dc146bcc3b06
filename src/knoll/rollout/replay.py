"""Requests that knoll sends to a candidate that gets too few (see `questions`), to its tagged route, past the
users' traffic. The champion gets each of them, too, so that both are judged by the same requests. The two
versions take turns in being asked first. The times of the first pair of a part do not count: a version may
have started for it. If there is no time left for the second answer of a pair, the pair does not count, and
the next call begins with it.

One call of the function sends a bounded part of them, writes what it counted into the slot, and wakes rollout
again. If it is killed before it writes, its part is sent again: the candidate then gets more requests than
are counted, and none counts twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from knoll.errors import Conflict
from knoll.events import ROLLOUT_CONTINUED, new_event
from knoll.models import Model
from knoll.ports import Clock, Document, Platform, PredictAnswer, PredictRequest
from knoll.proofs import REPLAY_PURPOSE, prove
from knoll.records.recorded import drop_recorded
from knoll.rollout.counted import Recorded, plus_recorded
from knoll.rollout.observed import Observed
from knoll.rollout.questions import ReplayQuestion, is_refused, questions_of
from knoll.rollout.revision_keys import key_of_revision
from knoll.rollout.slot import Slot, slot_from_status
from knoll.rollout.steps import Replay
from knoll.rollout.world import write_slot

__all__ = [
    "ANSWER_TIME",
    "CALL_TIME",
    "LAST_TIME",
    "REPLAY_SAMPLES",
    "REPLAY_TIME",
    "DirectRoute",
    "ReplayPart",
    "ask",
    "paced",
    "publish_continued",
    "replay_part",
    "send_part",
    "write_part",
]

REPLAY_SAMPLES = 50  # of one part, at most, each to both versions
ANSWER_TIME = timedelta(seconds=20)  # for one answer
REPLAY_TIME = timedelta(seconds=20)  # of one call, in which it may ask; `follow` has another one
LAST_TIME = timedelta(seconds=30)  # after that, in which answers may still come
CALL_TIME = REPLAY_TIME + LAST_TIME  # less than the timeout of the Trigger
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class ReplayPart:
    """How many requests were sent, how many of them failed, and how many at the champion; whether others are
    left to be sent, and whether they are left because the predictor did not answer. `seconds` are those of
    the candidate and of the champion, where both have answered. `recorded` are the recorded ones."""

    sent: int = 0
    failed: int = 0
    champion_failed: int = 0
    is_cut: bool = False
    has_no_answer: bool = False
    seconds: tuple[tuple[float, float], ...] = ()
    recorded: Recorded = (0, 0, 0)


@dataclass(frozen=True)
class DirectRoute:
    """Where a version answers past the traffic split, and the key that proves replays to it."""

    version: str
    url: str
    key: str = ""


def replay_part(
    document: Document,
    model: Model,
    slot: Slot,
    step: Replay,
    observed: Observed,
    until: datetime,
    platform: Platform,
) -> bool:
    """Replay a part of the requests and write it into the slot; whether another pass is needed.

    `slot` has new counts. If the part is cut, an event wakes rollout for the next one. If the predictor
    answered nothing at all, the next tick goes on. If another function has moved the slot meanwhile, that one
    goes on.
    """
    candidate = _route(document, slot, slot.candidate, observed.tagged_url, platform)
    route = observed.champion_url if slot.percent < 100 else ""  # with all traffic nothing is compared
    champion = _route(document, slot, slot.champion, route, platform)
    wanted, is_beside = min(step.requests, REPLAY_SAMPLES), bool(champion.url)
    questions = questions_of(model, slot, wanted, platform, is_beside=is_beside)
    part = send_part(model.name, candidate, champion if is_beside else None, questions, step, until, platform)
    beside = (part.sent, part.champion_failed) if is_beside else (0, 0)
    counted = slot.evidence.with_replayed(part.sent, part.failed, beside, part.seconds, part.recorded)
    after = replace(slot, evidence=counted)
    if part.sent and not write_part(document, after, platform):
        return False
    if part.is_cut and (part.sent or not part.has_no_answer):
        publish_continued(model.name, platform)
    return part.sent > 0 and not part.is_cut


def publish_continued(model: str, platform: Platform) -> None:
    """Wake rollout for the next part."""
    source, now, data = platform.settings.source, platform.clock.now(), {"model": model}
    platform.events.publish(new_event(ROLLOUT_CONTINUED, source=source, time=now, subject=model, data=data))


def send_part(
    model: str,
    candidate: DirectRoute,
    champion: DirectRoute | None,
    questions: Sequence[ReplayQuestion],
    step: Replay,
    until: datetime,
    platform: Platform,
) -> ReplayPart:
    """Send a part of the questions to the candidate's predictor, and to the champion's if there is one, none
    after `until` (see `paced`).

    Each answer is waited for ANSWER_TIME at most, and none LAST_TIME after `until`. A recorded request that
    the champion refuses is removed.
    """
    part = ReplayPart()
    routes, turn = [one for one in (candidate, champion) if one], 1
    end = until + LAST_TIME
    for question in paced(questions, until, platform.clock):
        answers = [_ask_by(end, model, one, question.body, platform) for one in routes[::turn]][::turn]
        turn = -turn
        if step.may_start and any(map(_is_starting, answers)):
            return replace(part, is_cut=True, has_no_answer=True)
        if platform.clock.now() >= end and not all(one.status for one in answers):
            return replace(part, is_cut=True)
        if champion and question.uri and is_refused(answers[1], champion.version):
            drop_recorded(question.uri, platform.bucket)
        else:
            part = _with_answers(part, question, answers, candidate.version)
    return replace(part, is_cut=bool(questions) and part.sent < step.requests)


def _with_answers(
    part: ReplayPart, question: ReplayQuestion, answers: Sequence[PredictAnswer], version: str
) -> ReplayPart:
    failed = not question.is_right(answers[0], version)
    beside = any(one.status == 0 or one.status >= 500 for one in answers[1:])
    seconds = (*part.seconds, *_seconds(answers)) if part.sent else ()
    recorded = part.recorded
    if question.uri:
        agreed = question.agree(*answers)
        recorded = plus_recorded(recorded, (1, agreed is not None, agreed is False))
    sent, champion_failed = part.sent + 1, part.champion_failed + beside
    return ReplayPart(sent, part.failed + failed, champion_failed, seconds=seconds, recorded=recorded)


def paced(items: Iterable[_Item], until: datetime, clock: Clock) -> Iterator[_Item]:
    """The items that one part has: REPLAY_SAMPLES at most, and none that would end after `until` if it
    takes as long as the slowest one before."""
    slowest = timedelta(0)
    for item in islice(items, REPLAY_SAMPLES):
        began = clock.now()
        if began + slowest > until or began >= until:
            return
        yield item
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
    model: str, route: DirectRoute, body: bytes, platform: Platform, longest: timedelta = ANSWER_TIME
) -> PredictAnswer:
    """Send a V1 request to a version, as a replay that the key of the route proves, and wait so long at
    most."""
    replay = prove(route.key, REPLAY_PURPOSE, body) if route.key else "true"
    seconds = longest.total_seconds()
    return platform.predictors.predict(PredictRequest(route.url, model, body, replay=replay, seconds=seconds))


def _ask_by(end: datetime, model: str, route: DirectRoute, body: bytes, platform: Platform) -> PredictAnswer:
    """The same, and wait no longer than until `end`."""
    left = max(end - platform.clock.now(), timedelta(seconds=1))
    return ask(model, route, body, platform, min(ANSWER_TIME, left))


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
