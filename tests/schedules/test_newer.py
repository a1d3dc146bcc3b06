"""What only a newer knoll understands stops neither the others nor a tick."""

import json
import logging
from collections.abc import Iterator

import pytest

from knoll.errors import NewerSchema
from knoll.events import ROLLOUT_CONTINUED, TRAINING_FAILED, Event, new_event
from knoll.records.run import list_runs
from knoll.retention.plan import make_plan
from knoll.rollout import handler as rollout
from knoll.train import handler as train
from knoll.views.runs import RunsView, look_at_runs
from schedules.declared import model_document
from schedules.memory import repeatable
from schedules.world import World

ROOT = "s3://knoll-models"
NEWER = json.dumps({"schema": 2, "needs": "7.3", "sha256": []}).encode()

_PLACES = {
    "evidence": f"{ROOT}/evidence/digits/v000001/pod-0.0000000000000001.json",
    "rollouts": f"{ROOT}/rollouts/digits/v000001/000001.json",
    "runs": f"{ROOT}/runs/{{run}}.json",
}


@pytest.fixture(autouse=True)
def _played(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The checks of the world believe the records, so they cannot look here."""
    for check in ("wrong_after_a_tick", "wrong_change", "wrong_skip", "wrong_start"):
        monkeypatch.setattr(f"schedules.world.{check}", lambda *_: [])
    with repeatable():
        yield


def _world(gate: str = "marker") -> World:
    world = World({name: model_document(name, gate) for name in ("beans", "digits")}, remembers=True)
    for name in world.models:
        world.write(name, "0", b"good-1")
        world.mark(name)
    return world


def _run_of(world: World, model: str) -> str:
    ((run, _),) = list_runs(f"{model}-", world.platform.bucket)
    return run


def _champions(world: World) -> dict[str, str]:
    found = {one["metadata"]["name"]: one.get("status") or {} for one in world.cluster.list("Model")}
    return {name: status.get("champion", "") for name, status in found.items()}


def _event(kind: str, model: str, world: World, **data: str) -> Event:
    time, data = world.time.now(), {"model": model, **data}
    return new_event(kind, source="/test", time=time, subject=model, data=data)


def test_hints_and_caches_of_a_newer_knoll_count_as_absent(caplog: pytest.LogCaptureFixture) -> None:
    """They are written over, but the trainers of this world write no progress."""
    world = _world("manifest")
    left = [f"{ROOT}/survey.json", f"{ROOT}/checksums/digits.json"]
    for uri in left:
        world.store.put(uri, NEWER)
    world.pass_a_minute()
    left += [f"{ROOT}/progress/{_run_of(world, 'digits')}.json"]
    world.store.put(left[-1], NEWER)
    world.settle(deaf=False)
    assert _champions(world) == {"beans": "v000001", "digits": "v000001"}
    assert [one.uri for one in world.store.list(f"{ROOT}/") if world.store.get(one.uri) == NEWER] == left[-1:]
    assert "the sweep" not in caplog.text


@pytest.mark.parametrize("place", _PLACES)
def test_a_newer_record_stops_its_model_only_and_a_tick_says_so_once(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """All events of the other model are done; one that names the model of the record is left to the newer
    knoll."""
    world = _world()
    world.advance(2)
    world.tick()
    run = _run_of(world, "digits")
    world.store.put(_PLACES[place].format(run=run), NEWER)
    with caplog.at_level(logging.ERROR, "knoll"):
        for _ in range(8):
            world.pass_a_minute()
    assert _champions(world) == {"beans": "v000001", "digits": ""}
    told = [line for line in caplog.messages if "the sweep could not do this part" in line]
    assert len(told) == 1
    assert "use knoll 7.3 or a newer one" in told[0]
    assert f"({_PLACES[place].format(run=run)})" in told[0]
    failed = _event(TRAINING_FAILED, "beans", world, runId=_run_of(world, "beans"))
    assert train.handle(failed, world.platform) is None
    kind, handle = (TRAINING_FAILED, train.handle) if place == "runs" else (ROLLOUT_CONTINUED, rollout.handle)
    with pytest.raises(NewerSchema):
        handle(_event(kind, "digits", world, runId=run), world.platform)


def test_a_step_of_a_newer_knoll_hides_no_run_and_its_model_keeps_all_versions() -> None:
    world = _world()
    world.settle(deaf=False)
    world.store.put(f"{ROOT}/rollouts/digits/v000001/000099.json", NEWER)
    world.cluster.delete("Model", "digits")
    shown = look_at_runs(world.platform, "", 20, RunsView())
    reasons = {one.run.model: one.verdict.reason for one in shown.runs}
    assert reasons.keys() == {"beans", "digits"}
    assert "schema 2" in reasons["digits"]
    kept = {one.folder.model: one.reason for one in make_plan(world.platform, [], 1).verdicts}
    assert kept["beans"] == "champion"
    assert "use knoll 7.3 or a newer one" in kept["digits"]
