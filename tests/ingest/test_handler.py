"""What ingest decides by Models that are a second old is put to the test before a run comes of it."""

import json
from hashlib import sha256
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.adapters.memory.store import MemoryStore
from knoll.events import OBJECT_CREATED, ROLLOUT_CONTINUED, TICK, Event, new_event
from knoll.ingest import handler
from knoll.records.late_cause import find_late_cause
from knoll.records.outcome import Outcome, write_outcome
from knoll.records.run import find_run, list_runs


def created(key: str, time: MemoryClock) -> Event:
    """The event of an object that was written now."""
    data = {"s3": {"bucket": {"name": "data"}, "object": {"key": f"digits/{key}"}}}
    return new_event(OBJECT_CREATED + "Put", source="aws:s3", time=time.now(), data=data)


class World:
    """A Model that has been looked at, so that it is known for a second."""

    def __init__(self, rule: str) -> None:
        self.time = MemoryClock()
        self.events: list[Event] = []
        self.platform = memory_platform(self.time)
        self.cluster = self.platform.cluster
        spec = {
            "family": "image-classifier",
            "dataset": {"uri": "s3://data/digits/", "landed": {"when": rule}},
        }
        self.cluster.create(
            {
                "apiVersion": "knoll.dev/v1alpha1",
                "kind": "Model",
                "metadata": {"name": "digits"},
                "spec": spec,
            }
        )
        self.upload("a")
        self.time.move(5)
        self.upload("a")

    def upload(self, name: str) -> None:
        for key in (name, "_SUCCESS"):
            self.platform.store.put(f"s3://data/digits/{key}", name.encode())
            self.tell_of(key)

    def tell_of(self, key: str) -> None:
        reply = handler.handle(created(key, self.time), self.platform)
        self.events += [reply] if reply else []

    def tick(self) -> None:
        self.time.move(60)
        handler.sweep(new_event(TICK, source="tick", time=self.time.now()), self.platform)

    def told(self) -> list[str]:
        """The Models of which rollout was told."""
        return [event.subject for event in self.events if event.type == ROLLOUT_CONTINUED]

    def dataset(self) -> Any:
        return self.cluster.get("Model", "digits")["status"]["dataset"]

    def configs(self) -> list[Any]:
        """Those of all runs, in no order."""
        return [
            run.config
            for id, _ in list_runs("", self.platform.bucket)
            if (run := find_run(id, self.platform.bucket))
        ]


@pytest.mark.parametrize("rule", ["marker", "object"])
def test_data_that_lands_right_after_its_model_was_changed_is_trained_once_as_the_model_is_now(
    rule: str,
) -> None:
    world = World(rule)
    before = len(world.configs())
    live = world.cluster.get("Model", "digits")
    world.cluster.update({**live, "spec": {**live["spec"], "training": {"config": {"epochs": 99}}}})
    world.upload("b")
    new = [config for config in world.configs() if config]
    assert new
    assert all(config == {"epochs": 99} for config in new)
    assert len(world.configs()) == before + len(new)


@pytest.mark.parametrize("rule", ["marker", "object"])
def test_data_of_a_model_that_was_deleted_just_now_opens_no_run(rule: str) -> None:
    world = World(rule)
    before = world.configs()
    world.cluster.delete("Model", "digits")
    world.upload("b")
    assert world.configs() == before


@pytest.mark.parametrize("rule", ["marker", "object"])
def test_who_is_told_once_more_of_data_that_has_landed_asks_the_api_server_for_nothing(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(rule)
    world.upload("b")
    for call in ("get", "list", "update"):
        monkeypatch.setattr(world.cluster, call, lambda *_, **__: pytest.fail("the API server was asked"))
    world.tell_of("b" if rule == "object" else "_SUCCESS")


def test_an_object_that_is_gone_when_somebody_looks_changes_nothing_where_each_is_a_dataset() -> None:
    world = World("object")
    world.tick()
    before = world.dataset()
    assert before == {"state": "Landed", "reason": "1 object"}
    world.tell_of("gone")
    assert world.dataset() == before


def test_the_same_data_uploaded_again_is_shown_as_landed_as_soon_as_its_marker_is_there() -> None:
    world = World("marker")
    world.platform.store.delete("s3://data/digits/_SUCCESS")
    world.tick()
    assert world.dataset()["state"] == "Waiting"
    world.upload("a")
    assert world.dataset()["state"] == "Landed"
    assert len(world.configs()) == 1


def test_objects_that_go_after_the_same_data_was_marked_again_open_no_run() -> None:
    world = World("marker")
    world.upload("b")
    world.time.move(5)
    world.upload("b")
    before = len(world.configs())
    world.platform.store.delete("s3://data/digits/a")
    world.tick()
    assert "objects were deleted" in world.dataset()["reason"]
    assert len(world.configs()) == before


def test_a_run_that_a_tick_has_opened_names_the_upload_whose_event_came_later() -> None:
    world = World("marker")
    world.platform.store.put("s3://data/digits/b", b"b")
    world.platform.store.put("s3://data/digits/_SUCCESS", b"b")
    uploaded = created("_SUCCESS", world.time)
    world.tick()
    run = world.dataset()["run"]
    assert find_late_cause(run, world.platform.bucket) is None
    for event in (uploaded, uploaded, created("_SUCCESS", world.time)):
        handler.handle(event, world.platform)
        late = find_late_cause(run, world.platform.bucket)
        assert late is not None
        assert late.cause["id"] == uploaded.id
        assert late.cause["type"] == "com.amazonaws.s3.ObjectCreated:Put"


@pytest.mark.parametrize("rule", ["marker", "object"])
def test_a_run_that_its_event_has_opened_has_no_late_cause(rule: str) -> None:
    """Nor has one that a tick has opened, if the event tells of a later upload of the same data."""
    world = World(rule)
    world.upload("a")
    world.platform.store.put("s3://data/digits/b", b"b")
    world.platform.store.put("s3://data/digits/_SUCCESS", b"b")
    world.tick()
    world.time.move(1)
    world.upload("b")
    runs = [id for id, _ in list_runs("", world.platform.bucket)]
    assert len(runs) == 2
    assert not any(find_late_cause(run, world.platform.bucket) for run in runs)


def test_data_whose_run_lacked_memory_is_trained_again_once_its_model_asks_for_more() -> None:
    """The same data and config would have no second run. With as much memory as before they have none."""
    world = World("marker")
    live = world.cluster.get("Model", "digits")

    def ask_for(memory: str) -> int:
        training = {"resources": {"memory": memory}}
        fresh = world.cluster.get("Model", "digits")
        world.cluster.update({**fresh, "spec": {**live["spec"], "training": training}})
        world.tick()
        return len(world.configs())

    ((run, _),) = list_runs("", world.platform.bucket)
    lacking = Outcome("failed", world.time.now().isoformat(), lacked_memory=2 * 2**30)
    write_outcome(run, lacking, world.platform.bucket)
    assert ask_for("2Gi") == 1
    assert ask_for("4Gi") == ask_for("8Gi") == 2


def test_data_that_returns_is_told_to_rollout_and_gets_no_second_run() -> None:
    world = World("marker")
    first = world.dataset()["run"]
    world.upload("b")
    second = world.dataset()["run"]
    assert first != second
    runs = len(world.configs())
    told = len(world.told())
    world.platform.store.delete("s3://data/digits/b")
    world.time.move(5)
    world.upload("a")
    assert (world.dataset()["run"], len(world.configs())) == (first, runs)
    assert world.told()[told:] == ["digits"]
    world.tick()
    assert len(world.told()) == told + 1


def test_a_golden_set_that_a_model_names_later_asks_for_a_run_of_the_same_data() -> None:
    """Without an upload, and once for each URI."""
    world = World("marker")
    for place in ("s3://exams/one/", "s3://exams/two/", "s3://exams/two/"):
        live = world.cluster.get("Model", "digits")
        gate = {"metric": "accuracy", "goldenSet": place}
        world.cluster.update({**live, "spec": {**live["spec"], "gate": gate}})
        world.tick()
    runs = [find_run(id, world.platform.bucket) for id, _ in list_runs("", world.platform.bucket)]
    asked = sorted(run.golden_set for run in runs if run)
    assert asked == ["", "s3://exams/one/", "s3://exams/two/"]


def test_data_that_was_rejected_gets_a_run_that_leaves_bad_files_out_when_the_model_says_so() -> None:
    """Without an upload, and once for each share of bad files."""
    world = World("marker")
    for training in ({"badData": "skip"}, {"badData": "skip", "maxBad": 0.05}, {"badData": "skip"}):
        live = world.cluster.get("Model", "digits")
        world.cluster.update({**live, "spec": {**live["spec"], "training": training}})
        world.tick()
    runs = [find_run(id, world.platform.bucket) for id, _ in list_runs("", world.platform.bucket)]
    assert sorted(run.most_bad for run in runs if run) == [0.0, 0.01, 0.05]


def test_a_model_that_wants_its_training_computed_in_another_way_gets_another_run() -> None:
    world = World("marker")
    live = world.cluster.get("Model", "digits")
    training = {"accelerate": {"precision": "fp32", "compile": None}}
    world.cluster.update({**live, "spec": {**live["spec"], "training": training}})
    world.tick()
    runs = [find_run(id, world.platform.bucket) for id, _ in list_runs("", world.platform.bucket)]
    assert sorted(len(run.accelerate) for run in runs if run) == [0, 1]
    assert {"precision": "fp32"} in [run.accelerate for run in runs if run]


def test_a_run_has_card_and_gate_as_its_model_gives_them_and_other_words_train_nothing() -> None:
    world = World("marker")
    bounds = {"metric": "accuracy", "atLeast": 0.9, "also": [{"metric": "loss", "atMost": 2.0}]}
    words = {"intendedUse": "Forms.", "limits": ["No ink."], "license": "mit"}
    before = {id for id, _ in list_runs("", world.platform.bucket)}
    live = world.cluster.get("Model", "digits")
    world.cluster.update({**live, "spec": {**live["spec"], "gate": bounds, "card": words}})
    world.tick()
    assert {id for id, _ in list_runs("", world.platform.bucket)} == before
    world.upload("b")
    (new,) = {id for id, _ in list_runs("", world.platform.bucket)} - before
    run = find_run(new, world.platform.bucket)
    assert run
    assert (run.card, run.gate) == (words, bounds)


def test_a_tick_reads_objects_for_some_seconds_for_all_its_models() -> None:
    """What it does not get to is read by the next one."""
    read: list[str] = []

    class SlowStore(MemoryStore):
        def get(self, uri: str, **options: Any) -> bytes:
            if uri.endswith(".csv"):
                read.append(uri)
                time.move(11)
            return super().get(uri, **options)

    time = MemoryClock()
    platform = memory_platform(time, store=SlowStore(time.now))
    manifest = json.dumps([{"path": "0.csv", "sha256": sha256(b"0").hexdigest()}]).encode()
    for name in ("ants", "bees"):
        dataset = {"uri": f"s3://data/{name}/", "landed": {"when": "manifest"}}
        model = {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": name}}
        platform.cluster.create({**model, "spec": {"family": "image-classifier", "dataset": dataset}})
        platform.store.put(f"s3://data/{name}/0.csv", b"0")
        platform.store.put(f"s3://data/{name}/manifest.json", manifest)
    for wanted in (["ants"], ["ants", "bees"]):
        handler.sweep(new_event(TICK, source="tick", time=time.now()), platform)
        assert [uri.split("/")[3] for uri in read] == wanted
