"""What N replicas report adds up to what they have answered, however their reports travel."""

import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.platform import memory_platform
from knoll.events import Event
from knoll.ports import Platform
from knoll.predict.bins import Bins, Shown
from knoll.predict.counts import BUCKETS, Ended
from knoll.predict.observer import Observer
from knoll.records.evidence import find_reports, write_report
from knoll.request_limits import CLIENT_GONE
from knoll.rollout.evidence import PassingPolicy, Seen, Tally, begin, judge, tally, verdict
from knoll.rollout.plausible import why_impossible
from knoll.rollout.reports import read_report
from knoll.settings import Settings

SESSIONS = ("", "", *(f"visitor {number}" for number in range(20)))
STATUSES = (200, 200, 200, 200, 400, 500, 503, CLIENT_GONE)
BINS = Bins("three", 3, lambda _: None)
SCHEDULES = 40


@dataclass
class Replica:
    """A predictor that answers by chance, and remembers what it has answered."""

    observer: Observer
    has_sessions: bool
    clock: MemoryClock
    ended: list[Ended] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def answer(self, chance: random.Random) -> None:
        seconds = chance.lognormvariate(-3, 1.5)
        status, is_cold = chance.choice(STATUSES), len(self.ended) < chance.randrange(3)
        shown = Shown(chance.randrange(3)) if status == 200 else None
        session = chance.choice(SESSIONS) if self.has_sessions else ""
        one = Ended(status, seconds, is_cold, shown, session)
        self.observer.observe(one)
        self.ended.append(one)
        self.times.append(self.clock.now().timestamp())


def independent(ended: list[Ended]) -> list[Ended]:
    """The warm requests without a session, and the first one of each session."""
    firsts: dict[str, Ended] = {}
    for number, one in enumerate(ended):
        if not one.is_cold:
            firsts.setdefault(one.session or str(number), one)
    return list(firsts.values())


def late(replica: Replica) -> tuple[int, int]:
    """The late outcomes of its sessions, and those of them that failed."""
    warm = [
        pair
        for pair in zip(replica.times, replica.ended, strict=True)
        if pair[1].session and not pair[1].is_cold
    ]
    found: list[Ended] = []
    for session in {one.session for _, one in warm}:
        (last, first), *rest = (pair for pair in warm if pair[1].session == session)
        outcomes = [first]
        for at, one in rest:
            if at - last >= 60 and one.status != 400 and outcomes[-1].status in (200, 400):
                outcomes.append(one)
                last = at
        found += outcomes[1:]
    return len(found), sum(one.status != 200 for one in found)


def truth(replicas: list[Replica]) -> Tally:
    """What is judged, counted in another way than predictors do."""
    warm = [one for replica in replicas for one in independent(replica.ended)]
    ends = [(0.0, BUCKETS[0]), *zip(BUCKETS, (*BUCKETS[1:], float("inf")), strict=True)]
    bins = Counter(one.shown.bin for one in warm if one.shown)
    return Tally(
        len(warm),
        sum(one.status in (500, 503, CLIENT_GONE) for one in warm),
        sum(one.status == 400 for one in warm),
        BUCKETS,
        tuple(
            sum(low < one.seconds <= high or low == one.seconds == 0 for one in warm) for low, high in ends
        ),
        tuple(bins[number] for number in range(BINS.number)),
        BINS.name,
        late=(sum(late(one)[0] for one in replicas), sum(late(one)[1] for one in replicas)),
    )


def play(chance: random.Random, platform: Platform, clock: MemoryClock) -> list[Replica]:
    """Replicas come and go, and each reports for the last time when it goes. No session makes a pause of half
    an hour."""
    has_sessions = chance.random() < 0.5
    living: list[Replica] = []
    gone: list[Replica] = []
    for _ in range(chance.randrange(20, 400)):
        if not living or chance.random() < 0.03:
            living.append(Replica(Observer("digits", "v000002", platform, BINS), has_sessions, clock))
        clock.move(chance.random() * 8)
        one = chance.choice(living)
        one.answer(chance)
        if chance.random() < 0.2:
            one.observer.send()
        if chance.random() < 0.02:
            living.remove(one)
            gone.append(one)
            one.observer.send()
    for one in living:
        one.observer.send()
    return gone + living


def deliver(events: list[Event], chance: random.Random, platform: Platform) -> None:
    """Some reports get lost, but the last one of each replica does not; others come twice or late."""
    last = {event.data["instance"]: event.id for event in events}
    kept = [one for one in events if one.id in last.values() or chance.random() < 0.8]
    sent = kept + chance.sample(kept, len(kept) // 3)
    chance.shuffle(sent)
    for event in sent:
        report = read_report("digits", event)
        assert why_impossible(report, None, report.reported_at, None) == ""
        write_report(report, platform.bucket)


def test_a_candidate_with_one_answer_to_all_is_told_by_what_predictors_report() -> None:
    """Its answers have status 200; the champion's are of all classes alike."""
    sink, clock = MemoryEvents(), MemoryClock()
    platform = memory_platform(clock, Settings(home=Path("/nonexistent"), sink="http://memory"), events=sink)
    judgement = begin(Tally(), Seen())
    champion, candidate = (Observer("digits", version, platform, BINS) for version in ("v000001", "v000002"))
    for number in range(40):
        for klass in range(3):
            champion.observe(Ended(200, 0.01, shown=Shown(klass, number, klass)))
        candidate.observe(Ended(200, 0.01, shown=Shown(1, number, 1)))
        for one in (champion, candidate):
            one.send()
        served, tried = (tally([read_report("digits", event)]) for event in sink.taken[-2:])
        judgement = judge(judgement, Seen(served, tried))
    told = verdict(judgement, PassingPolicy())
    assert (told.outcome, told.pauses) == ("inconclusive", True)


@pytest.mark.parametrize("number", range(SCHEDULES))
def test_a_tally_is_what_the_replicas_have_answered(number: int) -> None:
    seed = os.environ.get("SEED") or f"{time.time():.0f}-{number}"
    print(f"SEED={seed}")
    chance, sink, clock = random.Random(seed), MemoryEvents(), MemoryClock()
    platform = memory_platform(clock, Settings(home=Path("/nonexistent"), sink="http://memory"), events=sink)
    replicas = play(chance, platform, clock)
    deliver(sink.taken, chance, platform)
    assert tally(find_reports("digits", "v000002", platform.bucket).values()) == truth(replicas)
