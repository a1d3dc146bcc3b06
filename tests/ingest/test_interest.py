"""Of a burst of notifications only those become events that may complete a dataset, and none that may is lost
while nobody can tell."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.platform import memory_platform
from knoll.errors import ClusterUnavailable
from knoll.ingest.notifications import publish_notification
from knoll.ports import Caches, Document, Platform


class Listing(MemoryCluster):
    """A cluster that counts how often it is listed, and does not answer while it is down."""

    def __init__(self, clock: MemoryClock) -> None:
        super().__init__("default", clock)
        self.listed, self.is_down = 0, False

    def list(self, kind: str, labels: Mapping[str, str] | None = None) -> list[Document]:
        self.listed += 1
        if self.is_down:
            raise ClusterUnavailable("down")
        return super().list(kind, labels)


@dataclass
class World:
    """A platform, and what stands behind it."""

    clock: MemoryClock
    sink: MemoryEvents
    cluster: Listing
    platform: Platform

    def declare(self, name: str, **landed: Any) -> None:
        spec = {"family": "image-classifier", "dataset": {"uri": f"s3://data/{name}/", "landed": landed}}
        self.cluster.create(
            {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": name}, "spec": spec}
        )

    def tell(self, *keys: str) -> list[str]:
        """Notifications of these objects in the bucket data, one by one; the keys that became events."""
        for key in keys:
            record = {
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "data"}, "object": {"key": key}},
            }
            publish_notification(json.dumps({"Records": [record]}).encode(), self.platform)
        published = [event.data["s3"]["object"]["key"] for event in self.sink.taken]
        self.sink.taken.clear()
        return published


@pytest.fixture
def world() -> World:
    clock, sink = MemoryClock(), MemoryEvents()
    cluster = Listing(clock)
    return World(clock, sink, cluster, memory_platform(clock, cluster=cluster, events=sink))


def test_only_what_may_complete_a_dataset_becomes_an_event_by_the_rule_of_each_model(world: World) -> None:
    world.declare("marked", when="marker", marker="DONE")
    world.declare("listed", when="manifest")
    world.declare("silent", when="quiet")
    world.declare("single", when="object")
    files = [
        f"{name}/{file}"
        for name in ("marked", "listed", "silent", "single")
        for file in ("1.png", "sub/DONE", "DONE", "manifest.json")
    ]
    wanted = [
        "marked/DONE",
        "listed/manifest.json",
        *(f"single/{file}" for file in ("1.png", "sub/DONE", "DONE", "manifest.json")),
    ]
    assert world.tell(*files, "single/.hidden", "nobody/DONE") == wanted


def test_ten_thousand_notifications_within_a_second_list_the_models_once(world: World) -> None:
    world.declare("marked")
    assert world.tell(*(f"marked/{number}.png" for number in range(9_999)), "marked/_SUCCESS") == [
        "marked/_SUCCESS"
    ]
    assert world.cluster.listed == 1


def test_a_model_is_known_a_second_after_it_was_applied_and_also_when_the_clock_was_set_back(
    world: World,
) -> None:
    assert world.tell("new/_SUCCESS") == []
    world.declare("new")
    world.clock.move(1)
    assert world.tell("new/_SUCCESS") == ["new/_SUCCESS"]
    world.declare("newer")
    world.clock.move(-60)
    assert world.tell("newer/_SUCCESS") == ["newer/_SUCCESS"]


def test_while_the_models_cannot_be_listed_every_object_becomes_an_event(world: World) -> None:
    world.declare("marked")
    world.cluster.is_down = True
    assert world.tell("marked/1.png", "marked/_SUCCESS") == ["marked/1.png", "marked/_SUCCESS"]
    world.cluster.is_down = False
    world.clock.move(1)
    assert world.tell("marked/1.png", "marked/_SUCCESS") == ["marked/_SUCCESS"]


def test_two_platforms_of_one_process_do_not_take_each_others_models_for_their_own(world: World) -> None:
    other = replace(world.platform, cluster=MemoryCluster("default", world.clock), caches=Caches())
    world.declare("marked")
    world.tell("marked/1.png")
    assert replace(world, platform=other).tell("marked/_SUCCESS") == []
    assert world.tell("marked/_SUCCESS") == ["marked/_SUCCESS"]


def test_a_model_with_faults_hides_no_other(world: World) -> None:
    world.cluster.create(
        {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": "broken"}, "spec": {}}
    )
    world.declare("marked")
    assert world.tell("marked/1.png", "marked/_SUCCESS") == ["marked/_SUCCESS"]
