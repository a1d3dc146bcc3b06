"""Rollouts with visitors who stay: a fault that begins after their sessions is found, and versions that are
alike are not told apart by the visitors that each of them has."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from knoll.events import PREDICTOR_OBSERVED, TRAINING_SUCCEEDED
from knoll.kube.labels import VERSION_LABEL, label_of
from knoll.kube.predictors import traffic_of
from knoll.predict.bins import Bins
from knoll.predict.counts import Ended
from knoll.predict.observer import Observer
from knoll.predict.sessions import Sessions
from knoll.rollout.evidence import PassingPolicy, Seen, Tally, begin, judge, verdict
from knoll.router.choose import choose
from knoll.router.points import Points
from knoll.router.policy import Policies
from knoll.router.targets import targets_of
from rollout.test_step_back import Serving
from rollout.world import Replays, make_world, promote_first, with_policy

BINS = Bins("none", 0, lambda _: None)
USERS = [f"user-{number}" for number in range(100)]
EVERY, AGAIN = 5, 20  # seconds between two reports, and between two requests of a visitor, on average


@dataclass
class Visits:
    """Visitors who ask again and again, and the predictors of the Revisions that answer them."""

    world: Serving
    chance: Random = field(default_factory=lambda: Random(7))
    observers: dict[str, Observer] = field(default_factory=dict)
    seconds: int = 0

    def go_on(self, seconds: int, broken: str = "") -> None:
        """The visitors ask for so long, or until a version is in quarantine. Each request to the `broken`
        version fails."""
        until = self.seconds + seconds
        while self.seconds < until and not self.quarantine:
            for user in self.chance.sample(USERS, len(USERS) * EVERY // AGAIN):
                self._ask(user, broken)
            self.world.time.move(EVERY)
            self.seconds += EVERY
            self.world.tell(TRAINING_SUCCEEDED)
            for observer in [*self.observers.values()]:
                data = observer._data(observer.counts)
                self.world.tell(
                    PREDICTOR_OBSERVED, **{name: one for name, one in data.items() if name != "model"}
                )

    @property
    def quarantine(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.world.status()["quarantine"]
        return found

    def _ask(self, user: str, broken: str) -> None:
        cluster, service = self.world.platform.cluster, self.world.service()
        policy = Policies().of("digits", cluster.get("Model", "digits"))
        assert service is not None
        points = Points(self.chance)  # not asked: each request has a visitor
        choice = choose(policy, targets_of(traffic_of(service)), {"x-user": user}, points, self.chance.random)
        assert choice is not None
        revision = choice.answers.revision
        version = label_of(cluster.get("Revision", revision), VERSION_LABEL)
        if revision not in self.observers:
            self.observers[revision] = Observer("digits", version, self.world.platform, BINS)
        status = 500 if version == broken else 200
        self.observers[revision].observe(Ended(status, 0.01, session=choice.session))


def visits(folder: Path, **policy: Any) -> Visits:
    """Visitors of v000001, and of v000002, which is on trial with half of them."""
    made = make_world(folder)
    world = Serving(replace(made.platform, predictors=Replays("v000002")), made.time, made.sink)
    promote_first(world)
    document = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.update(with_policy(document, sticky="header:x-user", steps=[50], **policy))
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    return Visits(world)


def test_a_fault_that_begins_after_all_sessions_have_begun_is_rolled_back(tmp_path: Path) -> None:
    visitors = visits(tmp_path, margin=0.02)
    visitors.go_on(180)
    assert (visitors.world.status()["phase"], visitors.quarantine) == ("Canary", {})
    visitors.go_on(120, broken="v000002")
    assert visitors.seconds <= 180 + 30
    assert "later requests of its sessions failed" in visitors.quarantine["v000002"]


def test_a_fault_that_begins_in_the_bake_is_rolled_back_though_all_sessions_have_begun(
    tmp_path: Path,
) -> None:
    """The candidate is suspected, and tried again. Each trial has new sessions."""
    visitors = visits(tmp_path, margin=1, minRequests=20, bake="1h")
    visitors.go_on(180)
    assert (visitors.world.status()["phase"], visitors.quarantine) == ("Baking", {})
    visitors.go_on(120, broken="v000002")
    assert any("requests failed at 100 %" in reason for reason in visitors.world.reasons())
    assert visitors.seconds <= 180 + 60
    assert "v000002" in visitors.quarantine


@pytest.mark.parametrize("seed", range(20))
def test_versions_that_are_alike_are_not_told_apart_by_their_visitors(seed: int) -> None:
    print(f"seed {seed}")
    assert not is_rolled_back(seed)


def test_judged_by_requests_versions_that_are_alike_would_be_told_apart() -> None:
    """So the traffic of the test before could show it."""
    assert any(is_rolled_back(seed, by_request=True) for seed in range(20))


def is_rolled_back(seed: int, *, by_request: bool = False) -> bool:
    """Whether the candidate is, though both versions fail alike: one visitor in 20 fails half of the time,
    and each one in bursts. The candidate gets 5, 25 and 50 % of 400 visitors for ten minutes each, so its
    sessions are younger."""
    chance = Random(seed)
    weak, points = [chance.random() < 0.05 for _ in range(400)], [chance.random() for _ in range(400)]
    known, judgement = (Sessions(), Sessions()), begin(Tally(), Seen())
    counts = [[0, 0, 0, 0], [0, 0, 0, 0]]  # of each version: outcomes, late ones, and failures of both
    for now in range(0, 1800, AGAIN):
        if now % 60 == 0:
            in_burst = [chance.random() < 0.01 for _ in range(400)]
        for user, point in enumerate(points):
            side = point < (0.05, 0.25, 0.5)[now // 600]
            fails = chance.random() < (0.5 if weak[user] else 0.6 if in_burst[user] else 0.0)
            one = Ended(500 if fails else 200, 0.01, session="" if by_request else str(user))
            part = known[side].note(one, now)
            news = part.is_judged, part.is_late, part.is_judged and fails, part.is_late and fails
            counts[side] = [before + new for before, new in zip(counts[side], news, strict=True)]
        theirs, mine = (Tally(first, bad, late=(late, worse)) for first, late, bad, worse in counts)
        judgement = judge(judgement, Seen(theirs, mine))
    return verdict(judgement, PassingPolicy()).outcome == "fail"
