"""Whatever lies in the model bucket beside or instead of a record, it stops no model, no run and no view."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.dead_letters.letters import read_dead_letters
from knoll.errors import NotFound
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
from support.strays import BODIES, RUN, strays

ROOT = "s3://knoll-models/"
MODELS = ("beans", "digits")


@pytest.fixture(autouse=True)
def _played(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The checks of the world believe the records, so they cannot look here."""
    for check in ("wrong_after_a_tick", "wrong_change", "wrong_skip", "wrong_start", "wrong_write"):
        monkeypatch.setattr(f"schedules.world.{check}", lambda *_: [])
    with repeatable():
        yield


def _world(*concurrency: str, has_keys: bool = False) -> World:
    return World({name: model_document(name, "marker", *concurrency) for name in MODELS}, has_keys=has_keys)


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
@pytest.mark.parametrize(
    "body", ["nothing", *(pytest.param(one, marks=pytest.mark.attack) for one in BODIES)]
)
def test_strays_in_every_place_stop_nothing(body: str, concurrency: str) -> None:
    """What claims to be of a newer knoll, too, on a platform with keys. `test_newer` is about one without."""
    world, left = _world(concurrency, has_keys=body == "newer"), dict(strays(BODIES[body]))
    if body == "newer":
        del left[f"outcomes/{RUN}.json"]  # counts, for the trainers of this world have no key
    for key, stray in left.items():
        world.store.put(ROOT + key, stray)
    _play(world)
    served = [_slot(world, name) for name in MODELS]
    assert served == ["v000001", "v000003"]  # two numbers are taken
    _look(world)
    store, found = world.store, {one.key for one in find_strays(world.platform.bucket)}
    still = {key for key, stray in left.items() if _read(store, key) == stray}
    any_bytes = f"superseded/{RUN}.json"
    any_time = f"dead-letters/{RUN[7:]}/death-{RUN[7:]}.json" if body == "of another" else ""
    assert found >= still - {any_bytes, any_time}


def _read(store: MemoryStore, key: str) -> bytes | None:
    with suppress(NotFound):
        return store.get(ROOT + key)
    return None


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
    told = [line for line in caplog.messages if "ignored in the model bucket" in line]
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
        for body in BODIES.values():
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
