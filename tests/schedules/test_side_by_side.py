"""During an upgrade an old and a new release work side by side, on the same records and the same status:
nothing is lost, doubled or of the wrong version. `make test-schedules` mixes releases in half of its
schedules."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.errors import NewerSchema, Rejected
from knoll.records import outcome
from knoll.records.record import find
from knoll.records.stamp import is_stamped
from knoll.rollout.slot import slot_to_status
from schedules import releases
from schedules.checks import wrong_at_the_end
from schedules.declared import GATES, model_document
from schedules.faults import Call, Fault
from schedules.memory import repeatable
from schedules.releases import ADDED, release_of
from schedules.world import World

_ROOT = "s3://knoll-models"


@pytest.fixture(autouse=True)
def _played() -> Iterator[None]:
    with repeatable():
        yield


def _played_world(
    seed: int, gate: str = "marker", concurrency: str = "Queue", *, has_keys: bool = False
) -> World:
    """A world in which four datasets have landed, the third while the second was in training. The quota has
    room for one Job, and another model has landed first."""
    documents = {name: model_document(name, gate, concurrency) for name in ("beans", "digits")}
    world = World(documents, releases=seed, quota=1, has_keys=has_keys)
    world.write("beans", "0", b"good")
    world.mark("beans")
    for number, quality in enumerate(("good", "good", "poor", "good")):
        world.write("digits", "0", f"{quality}-{number}".encode())
        world.mark("digits")
        world.pass_minutes(1 if number == 1 else 30)
    world.settle(deaf=False)
    return world


def _newer_records(world: World) -> set[str]:
    """The places that have a record of a newer release."""
    found = (one.uri for one in world.store.list(f"{_ROOT}/") if ADDED.encode() in world.store.get(one.uri))
    return {uri.removeprefix(f"{_ROOT}/").partition("/")[0] for uri in found}


def test_half_of_the_calls_are_ours() -> None:
    drawn = [release_of(7, call) for call in range(1000)]
    assert 450 < drawn.count("ours") < 550
    assert min(drawn.count("newer"), drawn.count("older")) > 200
    assert {release_of(0, call) for call in range(1000)} == {"ours"}
    assert {release_of(7, call, has_keys=True) for call in range(1000)} == {"ours", "newer"}


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("concurrency", ["Queue", "Replace", "Forbid"])
def test_two_releases_side_by_side_lose_and_double_nothing(gate: str, concurrency: str) -> None:
    seen: set[str] = set()
    write = releases._record

    def record(key: str, body: bytes, release: releases.Release) -> bytes:
        if release == "newer":
            seen.add(key.partition("/")[0])
        return write(key, body, release)

    with patch.object(releases, "_record", record):
        for seed in range(1, 4):
            world = _played_world(seed, gate, concurrency)
            assert wrong_at_the_end(world) == [], f"seed {seed}"
            seen |= _newer_records(world)
    assert "inbox" in seen
    assert gate != "manifest" or "checksums" in seen
    assert {"runs", "outcomes", "datasets", "claims", "models", "rollouts"} <= seen


@pytest.mark.parametrize("gate", GATES)
def test_two_releases_with_keys_believe_the_stamps_of_each_other(gate: str) -> None:
    seen: set[str] = set()
    for seed in range(1, 4):
        world = _played_world(seed, gate, has_keys=True)
        assert wrong_at_the_end(world) == [], f"seed {seed}"
        seen |= _newer_records(world)
    assert {"runs", "rollouts"} <= seen


def test_what_a_newer_release_put_into_an_inbox_entry_is_in_the_record_that_ours_makes_of_it() -> None:
    """The newer release was killed between entry and record, and its data was replaced, so that nobody opens
    the run again."""
    seed = next(
        seed for seed in range(1, 1000) if [release_of(seed, call) for call in (1, 4)] == ["newer", "ours"]
    )
    world = World({"digits": model_document("digits")}, releases=seed, forgets_crashed=True)
    world.write("digits", "0", b"good-0")
    world.mark("digits")
    world.feed = world.feed[-1:]
    _crash_before_the_record(world)
    (entry,) = world.store.list(f"{_ROOT}/inbox/")
    body = world.store.get(entry.uri)
    assert ADDED in json.loads(body)
    world.remove("digits", "_SUCCESS")
    world.pass_a_minute()
    (record,) = world.store.list(f"{_ROOT}/runs/")
    assert world.store.get(record.uri) == body


def _crash_before_the_record(world: World) -> None:
    calls = [str(call) for call in _ingest_calls()]
    number = next(place for place, call in enumerate(calls) if "store.put" in call and "/runs/" in call)
    world.deliver(0, {number: Fault("before")}.get)


def _ingest_calls() -> list[Call]:
    world = World({"digits": model_document("digits")})
    world.write("digits", "0", b"good-0")
    world.mark("digits")
    return list(world.deliver(len(world.feed) - 1).calls)


def test_a_reader_that_refuses_unknown_fields_is_found_out() -> None:
    lenient = outcome.load_outcome

    def strict(body: bytes) -> outcome.Outcome:
        if ADDED in json.loads(body):
            raise Rejected(f"{ADDED} is not known")
        return lenient(body)

    with patch.object(outcome, "load_outcome", strict):
        assert _is_found_out()


@pytest.mark.parametrize("reader", ["knoll.train.unasked", "knoll.records.stamp"])
def test_a_reader_that_checks_a_stamp_over_the_fields_that_it_knows_is_found_out(reader: str) -> None:
    with patch(f"{reader}.is_stamped", lambda record, bucket: is_stamped(replace(record), bucket)):
        assert _is_found_out(has_keys=True)


def test_a_writer_that_forgets_what_it_does_not_know_is_found_out() -> None:

    def forget(moved: Any, status: Any) -> Any:
        return slot_to_status(moved, {name: value for name, value in status.items() if name != ADDED})

    with patch("knoll.rollout.world.slot_to_status", forget):
        assert _is_found_out()


@pytest.mark.parametrize(
    "writer",
    ["slot.with_unknown", "evidence.stored.with_parts", "counted.with_parts", "steering.with_unknown"],
)
def test_a_writer_that_forgets_what_is_deep_in_a_status_is_found_out(writer: str) -> None:
    with patch(f"knoll.rollout.{writer}", lambda known, *_: known and dict(known)):
        assert _is_found_out(has_keys=True)


def test_a_writer_that_forgets_what_is_in_the_leaves_of_a_judgement_is_found_out() -> None:
    def shallow(known: Any, before: Any) -> Any:
        return {**(before or {}), **known}

    with patch("knoll.rollout.evidence.stored.with_parts", shallow):
        assert _is_found_out(has_keys=True)


def test_a_writer_that_cuts_a_list_off_is_found_out() -> None:
    with patch("knoll.rollout.counted.with_longer", lambda known, _: dict(known)):
        assert _is_found_out(has_keys=True)


def test_a_writer_that_rewrites_what_a_newer_release_serves_is_found_out() -> None:
    with patch("knoll.rollout.edits.is_of_newer_release", return_value=False):
        assert _is_found_out()


def test_a_reader_that_cannot_do_without_a_hint_of_a_newer_knoll_is_found_out() -> None:
    with patch("knoll.records.checksums.find_hint", find):
        assert _is_found_out("manifest")


def test_each_hint_is_met_in_a_schema_that_only_a_newer_knoll_reads() -> None:
    met, put = set[str](), MemoryStore.put

    def noted(store: MemoryStore, uri: str, body: Any, **options: Any) -> str:
        if b'"schema": 2' in body:
            met.add(uri.removeprefix(f"{_ROOT}/").partition("/")[0])
        return put(store, uri, body, **options)

    with patch.object(MemoryStore, "put", noted):
        for seed in (1, 3, 5):
            _played_world(seed, "manifest")
    assert met == {"checksums", "progress", "survey.json"}


def _is_found_out(gate: str = "marker", *, has_keys: bool = False) -> bool:
    for seed in range(1, 6):
        try:
            if wrong_at_the_end(_played_world(seed, gate, has_keys=has_keys)):
                return True
        except (NewerSchema, Rejected):
            return True
    return False
