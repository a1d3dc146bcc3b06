"""A rollout by what Prometheus has scraped, where reports do not come as events."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.errors import Unavailable
from knoll.events import TICK, TRAINING_SUCCEEDED, new_event
from knoll.ports import MetricSample
from knoll.predict.bins import Bins, Shown
from knoll.predict.counts import Ended
from knoll.predict.durations import Durations
from knoll.predict.monitored import Monitored
from knoll.predict.observer import Observer
from knoll.predict.start_times import StartTimes
from knoll.records.evidence import find_reports
from knoll.rollout import handler
from knoll.rollout.replay import REPLAY_TIME
from rollout.world import World, make_world, promote_first
from support.keys import private_key

BINS = Bins("two", 2, lambda _: None)


@dataclass
class Scraped:
    """A server that has just scraped these predictors in a namespace; `change` is what comes out of it."""

    observers: Sequence[Observer]
    change: Callable[[list[MetricSample]], list[MetricSample]] = list
    namespace: str = "default"

    def query(self, expression: str) -> Sequence[MetricSample]:
        samples = [
            MetricSample(
                {name: said for name, said in {**one.labels, "__name__": one.name}.items() if said}, one.value
            )
            for observer in self.observers
            for metric in Monitored(observer, Durations(), StartTimes()).collect()
            if metric.name.startswith("knoll_")
            for one in metric.samples
        ]
        is_asked = f'namespace="{self.namespace}"' in expression or "namespace=" not in expression
        return self.change([one for one in samples if is_asked and one.labels["version"] in expression])


@dataclass
class Silent:
    """A server that does not answer, however long it is waited for."""

    clock: MemoryClock
    asked: int = 0

    def query(self, expression: str) -> Sequence[MetricSample]:
        self.asked += 1
        self.clock.move(REPLAY_TIME.total_seconds())
        raise Unavailable(f"nobody answers {expression}")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """v000002 is on trial, and needs 20 requests a step; the platform has a key, and no report has come."""
    world = make_world(tmp_path, stamp_key=private_key(3))
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    return world


def observer(version: str, requests: int, bad: int = 0) -> Observer:
    """A predictor that has answered so many warm requests, of which the last ones failed."""
    made = Observer("digits", version, memory_platform(), BINS)
    for number in range(requests):
        made.observe(Ended(500 if number >= requests - bad else 200, 0.01, shown=Shown(number % 2)))
    return made


def look(world: World, monitoring: Any) -> None:
    """A tick, beside that server."""
    world.platform = replace(world.platform, monitoring=monitoring)
    handler.sweep(new_event(TICK, source="/test", time=world.time.now()), world.platform)
    world.kserve()


def test_what_was_scraped_moves_a_rollout_on(world: World) -> None:
    look(world, Scraped([observer("v000001", 50), observer("v000002", 7), observer("v000002", 14)]))
    assert world.served() == ("v000002", 50)
    (one, other) = find_reports("digits", "v000002", world.platform.bucket).values()
    assert {one.requests, other.requests} == {7, 14}
    assert one.outputs
    assert sum(one.outputs.counts) == one.requests


def test_a_model_of_the_same_name_in_another_namespace_does_not_count(world: World) -> None:
    seen = [observer("v000001", 50), observer("v000002", 30)]
    look(world, Scraped(seen, namespace="staging"))
    assert world.served() == ("v000002", 20)
    assert not find_reports("digits", "v000002", world.platform.bucket)


def test_a_failing_candidate_is_rolled_back_by_what_was_scraped(world: World) -> None:
    seen = Scraped([observer("v000001", 50), observer("v000002", 19, bad=19)])
    look(world, seen)
    seen.observers = [observer("v000001", 500), observer("v000002", 40, bad=40)]
    look(world, seen)
    assert world.status()["phase"] in ("RollingBack", "Idle")


def test_late_outcomes_are_scraped_and_older_predictors_show_none(world: World) -> None:
    def older(samples: list[MetricSample]) -> list[MetricSample]:
        return [one for one in samples if "late" not in one.labels["__name__"]]

    clock = MemoryClock()
    made = Observer("digits", "v000002", memory_platform(clock), BINS)
    for changed, counted in ((older, (0, 0)), (list, (2, 1))):
        for status in (200, 200, 500):
            made.observe(Ended(status, 0.01, shown=Shown(0), session="ada"))
            clock.move(60)
        look(world, Scraped([made], changed))
        (kept,) = find_reports("digits", "v000002", world.platform.bucket).values()
        assert (kept.late, kept.failed_late) == counted


def test_without_an_answer_the_rollout_goes_on_by_reports(world: World) -> None:
    """One question has no answer in time, so the tick asks none after it."""
    silent = Silent(world.time)
    look(world, silent)
    assert silent.asked == 1
    assert world.served() == ("v000002", 20)
    world.observe("v000002", 20)
    assert world.served() == ("v000002", 50)


def test_samples_that_no_predictor_shows_are_left_out(world: World) -> None:
    def without_parts(samples: list[MetricSample]) -> list[MetricSample]:
        return [one for one in samples if one.labels.get("part") != "cold"]

    def infinite(samples: list[MetricSample]) -> list[MetricSample]:
        return [replace(one, value=float("nan")) for one in samples]

    for change in (without_parts, infinite):
        look(world, Scraped([observer("v000002", 30)], change))
        assert world.served() == ("v000002", 20)


def test_counts_that_cannot_be_are_not_believed(world: World) -> None:
    def far_too_many(samples: list[MetricSample]) -> list[MetricSample]:
        return [replace(one, value=one.value * 1e9) for one in samples]

    look(world, Scraped([observer("v000002", 30)], far_too_many))
    assert world.served() == ("v000002", 20)
    assert "as scraped" in world.status()["disbelievedReports"]["reason"]
