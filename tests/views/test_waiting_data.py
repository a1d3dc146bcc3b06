"""Where and why a `quiet` dataset waits: ingest decides, and each view shows its words."""

import json
from hashlib import sha256

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.events import TICK, new_event
from knoll.ingest import handler
from knoll.ports import Platform
from knoll.views.description import description_document, read_description
from knoll.views.models import find_model
from knoll.views.rollouts import read_rollout, rollout_document
from knoll.views.runs import RunsView, look_at_runs, runs_document
from support.models import model_document

WHY = "1 object is there, 1 changed; waiting for 30s without a write, or until the oldest change is 10m old"

WRITTEN, QUIET = "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:30+00:00"
ENDS = "it lands at 00:00:30 if no more is written, and at 00:10:00 in any case"


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def platform(clock: MemoryClock) -> Platform:
    """A model whose only object was written ten seconds ago."""
    platform = memory_platform(clock)
    platform.cluster.create(model_document(landed={"when": "quiet", "quiet": "30s"}))
    platform.store.put("s3://data/digits/0/a.png", b"a")
    clock.move(10)
    sweep(platform)
    return platform


def sweep(platform: Platform) -> None:
    handler.sweep(new_event(TICK, source="/test", time=platform.clock.now()), platform)


def test_every_view_says_what_quiet_data_waits_for(platform: Platform) -> None:
    """`knoll models` and the line Data of `describe` from the Model's status; `runs`, `rollout status`
    and the line Waits for of `describe` by a look."""
    model = find_model(platform, "digits")
    assert (model.data_state, model.data_reason) == ("Waiting", WHY)
    shown = description_document(read_description(platform, "digits"))
    assert shown["dataset"] == {"state": "Waiting", "reason": WHY}
    (waiting,) = look_at_runs(platform, "digits", 20, RunsView()).waiting
    assert (waiting.run, waiting.reason) == ("", WHY)
    assert read_rollout(platform, "digits").waiting == f"digits: {WHY}; {ENDS}"


def test_the_wait_for_quiet_data_has_counts_and_bounds(platform: Platform) -> None:
    wanted = {"for": WHY, "have": 1, "need": 0, "since": WRITTEN, "until": QUIET, "ends": ENDS}
    (waiting,) = runs_document(look_at_runs(platform, "digits", 20, RunsView()))["waiting"]
    assert waiting["wait"] == wanted
    assert description_document(read_description(platform, "digits"))["dataWait"] == wanted
    told = rollout_document(read_rollout(platform, "digits"))["wait"]
    assert told == {**wanted, "for": f"digits: {WHY}"}


def test_the_wait_for_a_marker_says_who_ends_it() -> None:
    platform = memory_platform()
    platform.cluster.create(model_document())
    for name in ("a", "b"):
        platform.store.put(f"s3://data/digits/0/{name}.png", b"a")
    wait = read_rollout(platform, "digits").wait
    assert wait is not None
    assert (wait.have, wait.need, wait.ends) == (2, 0, "write _SUCCESS when all is uploaded")
    assert wait.since


def test_the_wait_for_what_a_manifest_lists_is_counted() -> None:
    platform = memory_platform()
    platform.cluster.create(model_document(landed={"when": "manifest", "manifest": "list.json"}))
    platform.store.put("s3://data/digits/0/a.png", b"a")
    listed = [{"path": f"0/{name}.png", "sha256": sha256(b"a").hexdigest()} for name in "abc"]
    platform.store.put("s3://data/digits/list.json", json.dumps(listed).encode())
    wait = read_rollout(platform, "digits").wait
    assert wait is not None
    assert (wait.have, wait.need) == (1, 3)


def test_quiet_data_lands() -> None:
    clock = MemoryClock()
    platform = memory_platform(clock)
    platform.cluster.create(model_document("digits", landed={"when": "quiet", "quiet": "30s"}))
    platform.store.put("s3://data/digits/0/a.png", b"a")
    clock.move(31)
    handler.sweep(new_event(TICK, source="/test", time=clock.now()), platform)
    assert find_model(platform, "digits").data_state == "Landed"


def test_data_that_was_quiet_long_enough_has_its_run(platform: Platform, clock: MemoryClock) -> None:
    """Nothing is waited for any more."""
    clock.move(21)
    sweep(platform)
    view = look_at_runs(platform, "digits", 20, RunsView())
    assert ([one.state for one in view.runs], list(view.waiting)) == (["Queued"], [])


def test_the_look_counts_what_has_changed_since_the_landing_that_ingest_knows(
    platform: Platform, clock: MemoryClock
) -> None:
    """The data has returned to an earlier state, so the newest snapshot is not what landed last."""
    for body in (b"a", b"b", b"a"):
        platform.store.put("s3://data/digits/0/a.png", body)
        clock.move(31)
        sweep(platform)
    platform.store.put("s3://data/digits/0/b.png", b"b")
    sweep(platform)
    (waiting,) = look_at_runs(platform, "digits", 20, RunsView()).waiting
    assert "2 objects are there, 1 changed" in waiting.reason
    assert waiting.reason == find_model(platform, "digits").data_reason


def test_quiet_data_that_is_complete_waits_for_the_next_tick(platform: Platform, clock: MemoryClock) -> None:
    clock.move(21)
    (waiting,) = look_at_runs(platform, "digits", 20, RunsView()).waiting
    assert (waiting.reason, waiting.wait.ends) == (
        "the data is complete; its run is about to start",
        "the next tick opens the run",
    )
