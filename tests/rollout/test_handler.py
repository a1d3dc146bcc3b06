"""The rollout of whole versions against a real document store and store, with KServe's part played by its own
rules."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knoll import __version__
from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.events import PREDICTOR_OBSERVED, TRAINING_SUCCEEDED, new_event
from knoll.names import join
from knoll.ports import Document, Platform
from knoll.records.evidence import find_reports
from knoll.records.manifest import manifest_uri
from knoll.records.rollout import rollouts_uri
from knoll.rollout import handler
from knoll.rollout.wishes import new_wish
from knoll.settings import Settings
from rollout.world import (
    MODEL,
    Replays,
    World,
    fail_canary,
    make_world,
    promote_canary,
    promote_first,
    with_policy,
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def test_a_first_version_is_promoted_after_its_requests_and_bake(world: World) -> None:
    promote_first(world)
    assert world.served() == ("v000001", None)
    assert world.records() == ["1 Start 100", "1 Shift 100", "1 Bake 100", "1 Promote 100"]
    assert [event.type.rpartition(".")[2] for event in world.sink.taken] == [
        "started",
        "shifted",
        "shifted",
        "promoted",
    ]


def test_a_second_version_goes_through_each_step_of_the_canary(world: World) -> None:
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    world.observe("v000002", 20)
    assert world.served() == ("v000002", 50)
    world.observe("v000002", 39)
    assert world.served() == ("v000002", 50)
    world.observe("v000002", 40)
    assert world.served() == ("v000002", None)
    world.time.move(61)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["previous"]) == ("v000002", "v000001")
    assert world.records()[4:] == ["2 Start 0", "2 Shift 20", "2 Shift 50", "2 Bake 100", "2 Promote 100"]


def test_reports_that_come_twice_or_late_count_once(world: World) -> None:
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    for requests in (19, 19, 5, 19, 1):
        world.observe("v000002", requests)
    assert world.served() == ("v000002", 20)
    assert world.status()["rollout"]["evidence"]["requests"] == 19


def test_reports_of_the_candidate_and_the_champion_are_kept_and_no_others(world: World) -> None:
    """Also while nothing is on trial; the status of the Model has nothing of them but the totals."""
    promote_first(world)
    world.observe("v000001", 30, errors=1)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    for version, requests in (("v000001", 40), ("v000002", 7), ("v000003", 9), ("", 9)):
        world.observe(version, requests, errors=int(version == "v000001"))
    kept = {version: reports(world, version) for version in ("v000001", "v000002", "v000003", "")}
    assert kept == {
        "v000001": {"pod-v000001": (40, 1)},
        "v000002": {"pod-v000002": (7, 0)},
        "v000003": {},
        "": {},
    }
    evidence = world.status()["rollout"]["evidence"]
    assert (evidence["requests"], "instances" in evidence) == (7, False)


def test_the_last_report_of_the_champion_before_is_kept(world: World) -> None:
    """Its predictor sends it when it ends, after the promotion."""
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    for requests in (20, 40):
        world.observe("v000002", requests)
    world.time.move(61)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["previous"]) == ("v000002", "v000001")
    world.observe("v000001", 35)
    assert reports(world, "v000001")["pod-v000001"] == (35, 0)


def reports(world: World, version: str) -> dict[str, tuple[int, int]]:
    found = find_reports("digits", version, world.platform.bucket)
    return {name: (one.requests, one.errors) for name, one in found.items()}


def test_a_rollout_that_knoll_0_1_began_goes_on_with_its_counts(world: World) -> None:
    """Its function may still run beside this one, and writes what it is told into the status."""
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    old_counts(world, {"pod-a": [12, 0]})
    world.observe("v000002", 5)
    assert world.status()["rollout"]["evidence"]["requests"] == 17
    old_counts(world, {"pod-a": [12, 0], "pod-v000002": [6, 0]})
    world.observe("v000002", 5)
    assert world.served() == ("v000002", 20)
    assert world.status()["rollout"]["evidence"]["requests"] == 18
    assert world.status()["rollout"]["evidence"]["instances"] == {"pod-a": [12, 0], "pod-v000002": [6, 0]}
    world.observe("v000002", 8)
    assert world.served() == ("v000002", 50)


def test_a_rollout_without_its_fields_goes_on(world: World) -> None:
    """Whatever is missing in the status, the phase begins again."""
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    document = world.platform.cluster.get("Model", "digits")
    status = {**document["status"], "rollout": {"percent": 20, "transition": {"action": "Later"}}}
    world.platform.cluster.update({**document, "status": status}, status=True)
    world.tell(TRAINING_SUCCEEDED)
    world.observe("v000002", 20)
    assert world.served() == ("v000002", 50)


def old_counts(world: World, instances: dict[str, list[int]]) -> None:
    document = world.platform.cluster.get("Model", "digits")
    rollout = document["status"]["rollout"]
    evidence = {**rollout["evidence"], "instances": instances}
    status = {**document["status"], "rollout": {**rollout, "evidence": evidence}}
    world.platform.cluster.update({**document, "status": status}, status=True)


def test_a_version_that_is_tried_again_is_not_judged_by_its_last_trial(world: World) -> None:
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    world.observe("v000002", 3, errors=2)
    world.tell(TRAINING_SUCCEEDED)
    document = world.platform.cluster.get("Model", "digits")
    status = {**document["status"], "quarantine": {}}
    world.platform.cluster.update({**document, "status": status}, status=True)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    world.observe("v000002", 3, errors=2)
    assert world.served() == ("v000002", 20)


def test_a_version_that_cannot_load_is_rolled_back_and_never_tried_again(world: World) -> None:
    promote_first(world)
    world.broken.add("v000002")
    world.publish("v000002", 0.99)
    world.passes = 1
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", 0), "the champion's spec, with nothing for the newest revision"
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", None)
    for _ in range(3):
        world.tell(TRAINING_SUCCEEDED)
    assert world.records()[4:] == ["2 Start 0", "2 Rollback 0"]
    assert "digest" in world.status()["quarantine"]["v000002"]
    world.publish("v000003", 0.96)
    world.passes = 2
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000003", 20)


def test_a_version_that_fails_requests_is_rolled_back(world: World) -> None:
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    fail_canary(world)
    assert world.served() == ("v000001", None)
    assert "10 of 10 requests failed" in world.status()["quarantine"]["v000002"]


def test_a_first_version_that_cannot_load_leaves_nothing_behind(world: World) -> None:
    world.broken.add("v000001")
    world.publish("v000001", 0.95)
    world.tell(TRAINING_SUCCEEDED)
    world.tell(TRAINING_SUCCEEDED)
    assert world.service() is None
    assert (world.status()["champion"], world.status()["phase"]) == ("", "Idle")


def test_the_gate_holds_a_worse_version_back_without_touching_what_serves(world: World) -> None:
    promote_first(world)
    before = world.service()
    world.publish("v000002", 0.92)
    world.tell(TRAINING_SUCCEEDED)
    assert world.service() == before
    assert "worse by more than 0.02" in world.status()["quarantine"]["v000002"]
    assert world.records()[4:] == ["2 Reject 0"]


@pytest.mark.parametrize(
    ("answers", "champion"),
    [(Replays(), "v000002"), (Replays(status=500), "v000001"), (Replays(serves="v000001"), "v000001")],
)
def test_without_traffic_samples_are_replayed_and_judged(
    world: World, answers: Replays, champion: str
) -> None:
    promote_first(world)
    world.platform.cluster.update(with_policy(world.platform.cluster.get("Model", "digits"), idle="replay"))
    world.platform = replace(world.platform, predictors=answers)
    world.publish("v000002", 0.96)
    for _ in range(12):
        world.tell(TRAINING_SUCCEEDED)
        world.time.move(10)
    assert world.status()["champion"] == champion


def test_a_function_killed_at_any_write_is_finished_by_the_next(tmp_path: Path) -> None:
    """The whole life of two versions, once for each third write at which the function dies, for longer than
    any deadline: the end is the same. The schedules have every write."""
    writes, settings = 1, Settings(home=tmp_path)
    while True:
        time, sink = MemoryClock(), MemoryEvents()
        cluster = MemoryCluster("default", time)
        cluster.create(MODEL)
        mortal: Any = Mortal(MemoryStore(time.now), cluster, writes)
        platform = Platform(mortal, mortal, sink, Replays(), time, settings)
        world = World(platform, time, sink)
        _live_through(world)
        assert world.status()["champion"] == "v000002"
        assert world.served() == ("v000002", None)
        assert world.records() == [
            *("1 Start 100", "1 Shift 100", "1 Bake 100", "1 Promote 100"),
            *("2 Start 0", "2 Shift 20", "2 Shift 50", "2 Bake 100", "2 Promote 100"),
        ]
        if not mortal.died:
            assert writes > 20
            return
        writes += 3


class Killed(BaseException):
    """The end of a process."""


class Mortal:
    """A store and cluster whose user dies right after its `life`th write."""

    def __init__(self, store: MemoryStore, cluster: MemoryCluster, life: int) -> None:
        self._behind = (store, cluster)
        self._life = life
        self.died = False
        self.is_armed = False

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def list(self, place: str, labels: Any = None, after: str = "") -> Any:
        return (
            self._behind[0].list(place, after=after)
            if "://" in place
            else self._behind[1].list(place, labels)
        )

    def get(self, place: str, name: str = "", **options: Any) -> Any:
        return self._behind[1].get(place, name) if name else self._behind[0].get(place, **options)

    def put(self, *given: Any, **options: Any) -> Any:
        return self._write(self._behind[0].put(*given, **options))

    def create(self, document: Document) -> Any:
        return self._write(self._behind[1].create(document))

    def update(self, document: Document, *, status: bool = False) -> Any:
        return self._write(self._behind[1].update(document, status=status))

    def delete(self, place: str, name: str = "", *, version: str = "") -> None:
        if name:
            self._behind[1].delete(place, name, version=version)
        else:
            self._behind[0].delete(place)
        self._write(None)

    def _write(self, result: Any) -> Any:
        if self.is_armed:
            self._life -= 1
            if self._life == 0:
                self.died = True
                raise Killed
        return result


def _live_through(world: World) -> None:
    for version in ("v000001", "v000002"):
        world.publish(version, 0.95)
        for requests in (20, 40, 60):
            for _ in range(2):
                _survive(world, version, requests)
        world.time.move(61)
        for _ in range(2):
            _survive(world, version, 60)


def _survive(world: World, version: str, requests: int) -> None:
    """Two rounds of events, of which any may kill its function."""
    mortal = world.platform.store
    observed = {"model": "digits", "version": version, "instance": version, "requests": requests, "errors": 0}
    told = [(PREDICTOR_OBSERVED, observed), (TRAINING_SUCCEEDED, {"model": "digits"})]
    for type, data in told * 2:
        mortal.is_armed = True  # type: ignore[attr-defined]
        try:
            handler.handle(new_event(type, source="/test", time=world.time.now(), data=data), world.platform)
        except Killed:
            world.time.move(1000)
        mortal.is_armed = False  # type: ignore[attr-defined]
        world.kserve()


def test_a_model_that_comes_back_serves_its_champion_and_remembers_what_must_not_return(world: World) -> None:
    """Its records outlive it: the version that was rolled back is not tried again, though it is the
    newest."""
    promote_first(world)
    world.broken.add("v000002")
    world.publish("v000002", 0.99)
    for _ in range(4):
        world.tell(TRAINING_SUCCEEDED)
    world.platform.cluster.delete("InferenceService", "digits")
    world.platform.cluster.delete("Model", "digits")
    world.platform.cluster.create(MODEL)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", None)
    assert (world.status()["champion"], list(world.status()["quarantine"])) == ("v000001", ["v000002"])


def test_a_model_that_comes_back_starts_its_champion_before_it_tries_another_version(world: World) -> None:
    """KServe shares traffic only with a version that had all of it. A human may approve of the other one."""
    promote_first(world)
    world.platform.cluster.delete("InferenceService", "digits")
    world.platform.cluster.delete("Model", "digits")
    world.publish("v000002", 0.99)
    world.platform.cluster.create(MODEL)
    event = new_event(TRAINING_SUCCEEDED, source="/test", time=world.time.now(), data={"model": "digits"})
    handler.handle(event, world.platform)
    assert (world.served(), world.status()["phase"]) == (("v000001", None), "Idle")
    world.time.move(101)
    handler.handle(event, world.platform)
    assert (world.served(), world.status()["phase"]) == (("v000001", None), "Idle")
    document = world.platform.cluster.get("Model", "digits")
    wish = new_wish("approve", "v000002", "ann", "")
    metadata = {**document["metadata"], "annotations": {"knoll.dev/rollout-wish": wish.encode()}}
    world.platform.cluster.update({**document, "metadata": metadata})
    handler.handle(event, world.platform)
    assert (world.served(), world.status()["phase"]) == (("v000002", 0), "Deploying")


def test_a_record_that_nobody_can_read_does_not_keep_a_model_from_coming_back(world: World) -> None:
    promote_first(world)
    world.platform.store.put(join(rollouts_uri("s3://knoll-models", "digits"), "notes.txt"), b"not ours")
    world.platform.cluster.delete("InferenceService", "digits")
    world.platform.cluster.delete("Model", "digits")
    world.platform.cluster.create(MODEL)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["champion"] == "v000001"


def test_a_champion_whose_manifest_is_gone_does_not_keep_its_successors_out(world: World) -> None:
    promote_first(world)
    world.platform.store.delete(manifest_uri("s3://knoll-models", "digits", "v000001"))
    world.publish("v000002", 0.99)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["candidate"] == "v000002"


def test_a_policy_that_rewrites_what_serves_keeps_no_rollout_from_its_end(world: World) -> None:
    """Servers and webhooks write quantities and images in their own way, each time that they see them."""
    cluster = world.platform.cluster
    create, update = cluster.create, cluster.update

    def mirrored(document: Document) -> Document:
        if document["kind"] != "InferenceService":
            return document
        predictor = document["spec"]["predictor"]
        containers = [{**predictor["containers"][0], "image": "mirror/image"}]
        return {**document, "spec": {"predictor": {**predictor, "containers": containers}}}

    cluster.create = lambda document: create(mirrored(document))  # type: ignore[method-assign]
    cluster.update = lambda document, *, status=False: update(  # type: ignore[method-assign]
        document if status else mirrored(document), status=status
    )
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    promote_canary(world)
    assert world.status()["steering"]["edit"] is None


@pytest.mark.parametrize(
    ("release", "image"), [("99.0.0", "knoll/new"), ("0.2.0", "knoll/old"), ("?", "knoll/x")]
)
def test_only_the_form_of_a_newer_release_stays(world: World, release: str, image: str) -> None:
    """Two releases beside each other would else write the InferenceService in turn."""
    promote_first(world)
    ours = world.platform.cluster.get("InferenceService", "digits")
    assert ours["metadata"]["annotations"]["knoll.dev/release"] == __version__
    theirs = copy.deepcopy(ours)
    theirs["metadata"]["annotations"]["knoll.dev/release"] = release
    theirs["spec"]["predictor"]["containers"][0]["image"] = image
    world.platform.cluster.update(theirs)
    world.tell(TRAINING_SUCCEEDED)
    left = world.platform.cluster.get("InferenceService", "digits")
    assert (left["spec"] == theirs["spec"]) == (release == "99.0.0")
    assert (left["spec"] == ours["spec"]) == (release != "99.0.0")
    world.publish("v000002", 0.99)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)


def test_data_that_returns_brings_its_version_back_by_a_canary(world: World) -> None:
    promote_first(world)
    world.publish("v000002", 0.99, data="other")
    world.tell(TRAINING_SUCCEEDED)
    world.observe("v000002", 20)
    world.observe("v000002", 40)
    world.time.move(61)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["phase"]) == ("v000002", "Idle")
    _ask_for(world, "v000001")
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", 20)
    world.observe("v000001", 40)
    world.observe("v000001", 60)
    world.time.move(61)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["previous"]) == ("v000001", "v000002")
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), world.status()["phase"]) == (("v000001", None), "Idle")
    _ask_for(world, "v000003")
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["phase"] == "Idle", "v000002 is of data that is gone"


def test_data_that_returns_does_not_bring_back_what_was_rolled_back(world: World) -> None:
    promote_first(world)
    world.publish("v000002", 0.99)
    world.broken.add("v000002")
    world.tell(TRAINING_SUCCEEDED)
    world.tell(TRAINING_SUCCEEDED)
    assert "v000002" in world.status()["quarantine"]
    _ask_for(world, "v000002")
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["phase"]) == ("v000001", "Idle")


def _ask_for(world: World, run: str) -> None:
    document = world.platform.cluster.get("Model", "digits")
    status = {**document["status"], "dataset": {"state": "Landed", "run": run}}
    world.platform.cluster.update({**document, "status": status}, status=True)


def test_a_champion_whose_new_revision_does_not_start_gets_another_one(world: World) -> None:
    """Else a store that was away for a moment would end all rollouts of the model."""
    promote_first(world)
    world.broken |= {"v000001", "v000002"}
    world.publish("v000002", 0.99)
    world.tell(TRAINING_SUCCEEDED)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", 0)
    first = world.service()
    world.time.move(101)
    world.tell(TRAINING_SUCCEEDED)
    second = world.service()
    assert first is not None
    assert second is not None
    assert first["spec"] != second["spec"]
    world.broken.remove("v000001")
    world.tell(TRAINING_SUCCEEDED)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", None)
    assert world.status()["phase"] == "Idle"


def test_somebody_elses_inference_service_of_the_same_name_is_left_alone(world: World) -> None:
    theirs: Document = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "digits", "labels": {"owner": "somebody-else"}},
        "spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "theirs"}]}},
    }
    before = world.platform.cluster.create(theirs)
    handler.sweep(new_event("dev.knoll.tick", source="/test", time=world.time.now()), world.platform)
    world.publish("v000001", 0.95)
    handler.sweep(new_event("dev.knoll.tick", source="/test", time=world.time.now()), world.platform)
    assert world.platform.cluster.get("InferenceService", "digits") == before
