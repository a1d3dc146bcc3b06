"""Whatever lies in the model bucket beside or instead of a record, it stops no model, no run and no view."""

import json
from collections.abc import Iterator

import pytest

from knoll.dead_letters.letters import read_dead_letters
from knoll.records.strays import find_strays
from knoll.retention.plan import make_plan
from knoll.views.description import read_description
from knoll.views.models import find_model, read_models
from knoll.views.rollouts import read_rollout
from knoll.views.runs import RunsView, look_at_runs
from knoll.views.trail import read_trail
from knoll.views.versions import read_versions
from knoll.wiring.survey import CONDITION
from schedules.declared import model_document
from schedules.memory import repeatable
from schedules.world import World

ROOT = "s3://knoll-models/"
MODELS = ("beans", "digits")
RUN = "digits-0123456789abcdef0123"
STEP = {
    "model": "digits",
    "rollout": "v000900",
    "version": "v000900",
    "number": 1,
    "action": "Promote",
    "at": "2036-01-01T00:00:00+00:00",
    "percent": 100,
    "reason": "forged",
}
BESIDE = {
    "models/digits/README/manifest.json": b"{}",
    "models/digits/v000001x/manifest.json": b"{}",
    "models/digits/v000077/manifest.json": b"{",
    "models/digits/v٠٠٠٠٠٩/manifest.json": b"{}",
    "claims/digits/.DS_Store": b"x",
    "claims/digits/v999999999999": b"x",
    "claims/digits/v999999": b"",
    f"inbox/{RUN}.20200101T000000000000Z.json": b"{}",
    f"inbox/{RUN}.20360101T000000000000Z.json": b"not json",
    f"inbox/{RUN}.20209901T000000000000Z.json": b"",
    "superseded/digits-x.json": b"x",
    "rollouts/digits/v000900/000002.json": json.dumps(STEP).encode(),
    "rollouts/digits/v000001/000001.json": b"{}",
    "rollouts/digits/v000001/": b"",
    "datasets/digits/zzz.json": b"garbage",
    f"datasets/digits/{'0' * 64}.json": b"[" * 100_000,
    f"progress/{RUN}.json": b"garbage",
    f"outcomes/{RUN}.json": b"garbage",
    f"runs/{RUN}.json": b"garbage",
    f"runs/{RUN}.json/": b"",
    "runs/Digits-\n\x1b[2J.json": b"{}",
    "checksums/digits.json": b'{"sha256": [["u"]]}',
    "removing/digits/v000001.json": b"{}",
    f"golden/digits/{'0' * 64}.json": b"{}",
    "evidence/digits/v000001/pod.0000000000000001.json": b"{}",
    "dead-letters/0123456789abcdef0123/death-0123456789abcdef0123.json": b"{}",
    "replays/0123456789abcdef0123.000001.json": b"{}",
    "probe.json": b"[]",
    "unknown": b"",
}
RUBBISH = (b"", b"no json", b"[1]", b"[" * 100_000, b'{"schema": 1}', json.dumps(STEP).encode())


@pytest.fixture(autouse=True)
def _played(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The checks of the world believe the records, so they cannot look here."""
    for check in ("wrong_after_a_tick", "wrong_change", "wrong_skip", "wrong_start", "wrong_write"):
        monkeypatch.setattr(f"schedules.world.{check}", lambda *_: [])
    with repeatable():
        yield


def _world(*concurrency: str) -> World:
    return World({name: model_document(name, "marker", *concurrency) for name in MODELS})


def _play(world: World) -> None:
    for name in MODELS:
        world.write(name, "0", b"good-1")
        world.mark(name)
    world.settle(deaf=False)


def _slot(world: World, model: str) -> str:
    (found,) = [one for one in world.cluster.list("Model") if one["metadata"]["name"] == model]
    return str((found.get("status") or {}).get("champion", ""))


def _look(world: World) -> None:
    """Each view of the command line."""
    platform = world.platform
    assert {one.name for one in read_models(platform)} == set(MODELS)
    look_at_runs(platform, "", 20, RunsView())
    read_dead_letters(platform.bucket)
    make_plan(platform, [], 1)
    list(find_strays(platform.bucket))
    for name in MODELS:
        for read in (read_description, read_versions, read_rollout):
            read(platform, name)
    assert read_trail(platform, "beans").version


@pytest.mark.parametrize("concurrency", ["Queue", "Replace", "Forbid"])
def test_strays_beside_the_records_stop_nothing(concurrency: str) -> None:
    world = _world(concurrency)
    for key, body in BESIDE.items():
        world.store.put(ROOT + key, body)
    _play(world)
    assert {_slot(world, name) for name in MODELS} == {"v000001"}
    _look(world)
    assert {one.key for one in find_strays(world.platform.bucket)} >= {"unknown", "claims/digits/.DS_Store"}


def test_strays_are_told_once_in_a_condition_of_their_model_and_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Both go by themselves when the strays are gone; what concerns no model is only logged."""
    world = _world()
    _play(world)
    strays = ["claims/digits/.DS_Store", f"outcomes/{RUN}.json", "models/digits/v000001/x\n.py", "unknown"]
    for key in strays:
        world.store.put(ROOT + key, b"x")
    for _ in range(30):
        world.pass_a_minute()
    told = [line for line in caplog.messages if "passed over in the model bucket" in line]
    assert len(told) == len(strays)
    assert any("x\\x0a.py: no record in models/ has such a name" in line for line in told)
    (one,) = [one for one in find_model(world.platform, "digits").conditions if one.type == CONDITION]
    assert one.status == "False"
    assert "claims/digits/.DS_Store, models/digits/v000001/x\\x0a.py, outcomes/digits-" in one.message
    assert CONDITION not in {one.type for one in find_model(world.platform, "beans").conditions}
    for key in strays:
        world.store.delete(ROOT + key)
    for _ in range(12):
        world.pass_a_minute()
    assert CONDITION not in {one.type for one in find_model(world.platform, "digits").conditions}


def _written() -> list[str]:
    """The keys of the model bucket after a healthy run of digits, one of each kind."""
    world = _world()
    _play(world)
    keys = [one.uri.removeprefix(ROOT) for one in world.store.list(ROOT) if "digits" in one.uri]
    return sorted(
        {
            (key.split("/")[0], key.rpartition(".")[2], key.endswith("manifest.json")): key for key in keys
        }.values()
    )


@pytest.mark.attack
def test_a_record_that_was_spoilt_before_stops_no_other_model() -> None:
    for key in _written():
        for body in RUBBISH:
            world = _world()
            world.store.put(ROOT + key, body)
            _play(world)
            assert _slot(world, "beans") == "v000001", (key, body[:20])
            _look(world)


def test_a_run_whose_records_were_spoilt_later_ends_or_is_done_anew() -> None:
    """The data lands, then one record after the other is overwritten, and knoll goes on."""
    for key in _written():
        world = _world()
        for name in MODELS:
            world.write(name, "0", b"good-1")
            world.mark(name)
        world.pass_a_minute()
        if any(world.store.list(ROOT + key)):
            world.store.put(ROOT + key, b"spoilt")
        world.settle(deaf=False)
        assert _slot(world, "beans") == "v000001", key
        _look(world)
        states = {one.state for one in look_at_runs(world.platform, "digits", 20, RunsView()).runs}
        assert states <= {"Succeeded", "Failed", "Superseded", "Skipped", "Rejected", "Refused"}, (
            key,
            states,
        )
