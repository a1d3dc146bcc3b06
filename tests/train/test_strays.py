"""What claims to be of a newer knoll, and what lies in the place of a record, stops no other run: anybody who
has the keys of the bucket can write it. See also `tests/schedules/test_newer.py`."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from knoll.ports import Platform
from knoll.records.dataset import dataset_uri, find_dataset
from knoll.records.inbox import inbox_uri, write_entry
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.run import read_run, run_uri
from knoll.records.stamp import stamped
from knoll.records.strays import find_strays
from knoll.trainer.reading import DataChanged
from support.data import read_data
from support.keys import private_key, signer_of
from train.test_handler import jobs
from train.test_unasked import ROOT, end_of, tick, upload, world

NEWER = b'{"schema": 99, "needs": "9.9"}'
PUBLIC = signer_of().public.pem
KEYS = {"stamp_key": private_key(), "stamp_verify_key": PUBLIC, "verify_key": PUBLIC}
GHOST = f"digits-{'e' * 20}"
LONG_AGO = "2020-01-01T00:00:00+00:00"


def keyed(keys: dict[str, str]) -> Platform:
    """A platform with one Model, and those keys for stamps."""
    return world(**keys)  # type: ignore[arg-type]


def first_run() -> str:
    """The id that the first run of a Model gets."""
    return upload(world(), "0")


def land(platform: Platform) -> None:
    """Upload what the first run is of, and let time pass."""
    for name in ("0.png", "_SUCCESS"):
        platform.store.put(f"s3://data/digits/{name}", b"one" if name == "0.png" else b"")
    for _ in range(4):
        tick(platform)


@pytest.mark.parametrize("keys", [KEYS, {}], ids=["keys", "no keys"])
@pytest.mark.parametrize("body", [NEWER, b"garbage"])
def test_an_entry_that_no_function_has_written_holds_no_run(keys: dict[str, str], body: bytes) -> None:
    platform = keyed(keys)
    stray = inbox_uri(ROOT, GHOST, LONG_AGO)
    platform.store.put(stray, body)
    opened = upload(platform, "0")
    assert jobs(platform) == [opened]
    (found,) = find_strays(platform.bucket)
    assert (f"{ROOT}/{found.key}", found.fix) == (stray, "")


def test_without_keys_a_run_of_a_newer_schema_holds_no_other_run() -> None:
    platform = world()
    for uri in (run_uri(ROOT, GHOST), inbox_uri(ROOT, GHOST, LONG_AGO)):
        platform.store.put(uri, NEWER)
    opened = upload(platform, "0")
    tick(platform)
    assert jobs(platform) == [opened]


def test_a_run_that_a_newer_knoll_has_stamped_keeps_its_turn(caplog: pytest.LogCaptureFixture) -> None:
    platform = keyed(KEYS)
    waits = replace(read_run(upload(platform, "0"), platform.bucket), id=GHOST, data_at=LONG_AGO, stamp="")
    platform.cluster.delete("Job", *jobs(platform))
    write_entry(stamped(replace(waits, schema=2, needs="7.3"), platform.bucket), platform.bucket)
    tick(platform)
    assert jobs(platform) == []
    assert "schema 2" in caplog.text
    assert f"inbox/{GHOST}" in caplog.text


def _garbage(_: Platform) -> bytes:
    return b"garbage"


def _newer(_: Platform) -> bytes:
    return NEWER


def _of_another(platform: Platform) -> bytes:
    other = upload(platform, "0", "1", "2")
    body = platform.store.get(run_uri(ROOT, other))
    platform.cluster.delete("Job", other)
    for name in ("0", "1", "2"):
        platform.store.delete(f"s3://data/digits/{name}.png")
    return body


@pytest.mark.parametrize("body_of", [_garbage, _newer, _of_another])
def test_data_whose_record_was_there_before_it_gets_another_run(body_of: Callable[[Platform], bytes]) -> None:
    platform, foretold = keyed(KEYS), first_run()
    body = body_of(platform)
    platform.store.put(run_uri(ROOT, foretold), body)
    land(platform)
    assert end_of(platform, foretold).superseded
    assert "its record cannot be read" in end_of(platform, foretold).reason
    (again,) = jobs(platform)
    assert again != foretold
    assert read_run(again, platform.bucket).id == again


@pytest.mark.parametrize("body", [b"garbage", NEWER, Outcome("rejected", LONG_AGO, reason="forged").encode()])
def test_data_whose_outcome_was_there_before_its_run_gets_another_run(body: bytes) -> None:
    """Whoever knows the data and the Model knows the id of their run. Without keys an unsigned outcome
    counts: see `test_signed_ends`."""
    platform, foretold = world(), first_run()
    platform.store.put(outcome_uri(ROOT, foretold), body)
    land(platform)
    (opened,) = jobs(platform)
    assert opened != foretold
    assert read_run(opened, platform.bucket).id == opened


def test_a_run_whose_outcome_is_no_outcome_holds_no_other_run() -> None:
    platform = world()
    trains = upload(platform, "0")
    platform.store.put(outcome_uri(ROOT, trains), b"garbage")
    platform.cluster.delete("Job", trains)
    for _ in range(4):
        tick(platform)
    (again,) = jobs(platform)
    assert again != trains
    assert end_of(platform, trains).superseded


@pytest.mark.parametrize("body", [b"garbage", NEWER])
def test_a_snapshot_that_is_none_is_written_over(body: bytes) -> None:
    """Before its run is opened, and while that waits; also another one that is the newest of all."""
    twin = world()
    waits = read_run(upload(twin, "0"), twin.bucket)
    platform = keyed(KEYS)
    for uri in (dataset_uri(ROOT, "digits", "0" * 64), waits.dataset_uri):
        platform.store.put(uri, body)
    land(platform)
    assert jobs(platform) == [waits.id]
    snapshot = find_dataset(waits.dataset_uri, platform.bucket)
    assert snapshot
    assert snapshot.digest == waits.dataset_digest
    platform.store.put(waits.dataset_uri, body)
    with pytest.raises(DataChanged):
        read_data(read_run(waits.id, platform.bucket), platform)
    assert [one.fix for one in find_strays(platform.bucket)] == ["", ""]
