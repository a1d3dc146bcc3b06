"""A run belongs to the declaration that asked for it. When that is gone, or the data, the run ends as
superseded."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.platform import memory_platform
from knoll.adapters.memory.store import MemoryStore
from knoll.errors import Rejected
from knoll.events import DATASET_LANDED, TICK, TRAINING_FAILED, new_event
from knoll.ports import Platform
from knoll.records.dataset import Dataset, DatasetObject, dataset_uri, write_dataset
from knoll.records.inbox import inbox, write_entry
from knoll.records.outcome import Outcome, find_outcome, write_outcome
from knoll.records.run import list_runs, read_run, run_uri, write_run
from knoll.settings import Settings
from knoll.train import handler as train
from knoll.trainer.reading import DataChanged
from knoll.views.run import read_run as view_run
from knoll.wiring.stages import STAGES
from support.data import read_data
from support.keys import private_key, signer_of
from support.models import model_document
from train.test_handler import counting, jobs

ROOT = "s3://knoll-models"


def world(*, keeps_versions: bool = False, **settings: str) -> Platform:
    """A platform with one Model, on which time passes with each look at the clock."""
    clock = MemoryClock(step=0.001)
    store = MemoryStore(clock.now, keeps_versions=keeps_versions)
    platform = memory_platform(
        clock, Settings(home=Path("/nonexistent")).model_copy(update=settings), store=store
    )
    declare(platform)
    return platform


def declare(platform: Platform, epochs: int = 8, concurrency: str = "Queue", **spec: Any) -> None:
    """Apply the Model: create it, or change its spec."""
    training = {"config": {"epochs": epochs}, "concurrency": concurrency}
    document = model_document(training=training, **spec)
    found = platform.cluster.list("Model")
    if found:
        platform.cluster.update({**found[0], "spec": document["spec"]})
    else:
        platform.cluster.create(document)


def delete(platform: Platform) -> None:
    """Delete the Model, as `knoll delete` does."""
    platform.cluster.delete("Model", "digits")
    for name in jobs(platform):
        platform.cluster.delete("Job", name)


def upload(platform: Platform, *names: str, body: bytes = b"one") -> str:
    """Upload objects, and let a tick open the run; its id."""
    before = runs(platform)
    for name in names:
        platform.store.put(f"s3://data/digits/{name}.png", body)
    platform.store.put("s3://data/digits/_SUCCESS", b"")
    tick(platform)
    (opened,) = runs(platform) - before
    return opened


def tick(platform: Platform) -> None:
    clock = platform.clock
    assert isinstance(clock, MemoryClock)
    clock.move(61)
    STAGES["sweep"].handle(new_event(TICK, source="/test", time=clock.now()), platform)


def runs(platform: Platform) -> set[str]:
    return {id for id, _ in list_runs("digits-", platform.bucket)}


def end_of(platform: Platform, run: str) -> Outcome:
    outcome = find_outcome(run, platform.bucket)
    assert outcome is not None
    return outcome


def test_a_run_names_the_model_that_asked_for_it() -> None:
    platform = world()
    run = read_run(upload(platform, "0"), platform.bucket)
    metadata = platform.cluster.get("Model", "digits")["metadata"]
    assert (run.model_uid, run.model_generation) == (metadata["uid"], 1)
    assert run.prefix == "s3://data/digits/"


def test_runs_of_a_deleted_model_end_and_never_start_again() -> None:
    """Neither the one that trained nor the one that waited. The Model that is applied again asks anew."""
    platform = world()
    trained, waited = upload(platform, "0"), upload(platform, "0", "1")
    assert jobs(platform) == [trained]
    delete(platform)
    tick(platform)
    for run in (trained, waited):
        end = end_of(platform, run)
        assert (end.state, end.superseded, end.reason) == (
            "skipped",
            True,
            "the Model that asked for it was deleted",
        )
        assert view_run(platform, run).state == "Superseded"
    assert list(platform.store.list(inbox(ROOT))) == []
    declare(platform)
    tick(platform)
    (again,) = jobs(platform)
    assert again not in (trained, waited)
    assert read_run(again, platform.bucket).dataset_digest == read_run(waited, platform.bucket).dataset_digest


def test_a_model_that_is_applied_again_before_any_tick_does_not_inherit_runs() -> None:
    """Also if the Job of the deleted Model still lives, since Kubernetes deletes it later."""
    platform = world()
    trained, waited = upload(platform, "0"), upload(platform, "0", "1")
    platform.cluster.delete("Model", "digits")
    declare(platform, epochs=8)
    tick(platform)
    tick(platform)
    assert "another one" in end_of(platform, trained).reason
    assert "another one" in end_of(platform, waited).reason
    (again,) = jobs(platform)
    assert again not in (trained, waited)


def test_an_event_of_a_deleted_model_starts_nothing() -> None:
    """It was on its way while the Model was deleted and applied again."""
    platform = world()
    run = upload(platform, "0")
    delete(platform)
    declare(platform)
    late = new_event(DATASET_LANDED, source="/test", time=platform.clock.now(), data={"runId": run})
    train.handle(late, platform)
    tick(platform)
    assert run not in jobs(platform)


@pytest.mark.parametrize("concurrency", ["Queue", "Replace", "Forbid"])
@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 9},
        {"family": "pixel-gan"},
        {"dataset": {"uri": "s3://data/digits/"}, "epochs": 7, "gate": {"metric": "accuracy"}},
    ],
)
def test_what_is_trained_has_changed_so_older_runs_end_and_the_new_one_starts(
    concurrency: str, change: dict[str, Any]
) -> None:
    """Whatever the concurrency says: it decides between data of one declaration."""
    platform = world()
    declare(platform, concurrency=concurrency)
    older = {upload(platform, "0")}
    declare(platform, concurrency=concurrency, **change)
    tick(platform)
    (newer,) = runs(platform) - older
    assert jobs(platform) == [newer]
    for run in older:
        assert end_of(platform, run).superseded
        assert end_of(platform, run).reason.startswith("the Model's ")


def test_a_config_that_comes_back_is_asked_for_again() -> None:
    platform = world()
    first = upload(platform, "0")
    declare(platform, epochs=9)
    tick(platform)
    (second,) = jobs(platform)
    declare(platform, epochs=8)
    tick(platform)
    (third,) = jobs(platform)
    assert len({first, second, third}) == 3
    assert dict(read_run(third, platform.bucket).config) == {"epochs": 8}


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one["metadata"].update(labels={"team": "a"}),
        lambda one: one["spec"].update(serving={"maxReplicas": 2}),
        lambda one: one["spec"]["training"].update(deadline="3h", retries=0),
        lambda one: one["spec"].update(gate={"metric": "accuracy", "atLeast": 0.5}),
    ],
    ids=["labels", "serving", "deadline", "gate"],
)
def test_a_change_of_anything_else_ends_no_run(change: Callable[[Any], None]) -> None:
    platform = world()
    trained, waited = upload(platform, "0"), upload(platform, "0", "1")
    document = platform.cluster.get("Model", "digits")
    change(document)
    platform.cluster.update(document)
    tick(platform)
    assert jobs(platform) == [trained]
    assert find_outcome(waited, platform.bucket) is None


def test_of_a_hundred_uploads_in_a_row_the_newest_is_next_and_the_lost_ones_get_no_job() -> None:
    """One pass finds it, with one listing of the data, and a few calls for each lost run."""
    platform = world()
    all_runs = [upload(platform, "0", body=b"%d" % number) for number in range(100)]
    assert jobs(platform) == all_runs[:1]
    job = platform.cluster.get("Job", all_runs[0])
    complete = {"conditions": [{"type": "Complete", "status": "True"}]}
    platform.cluster.update({**job, "status": complete}, status=True)
    counted, calls = counting(platform)
    train.sweep(new_event(TICK, source="/test", time=platform.clock.now()), counted)
    assert set(jobs(platform)) == {all_runs[0], all_runs[-1]}
    assert len(calls) < 100 * 10
    assert all("was replaced before its turn" in end_of(platform, run).reason for run in all_runs[1:-1])
    assert isinstance(platform.events, MemoryEvents)
    assert sum(event.type == TRAINING_FAILED for event in platform.events.taken) == 99


def test_data_that_can_still_be_read_is_trained_in_its_turn() -> None:
    """More was uploaded beside it; or the bucket keeps versions, and the trainer reads the old one."""
    for platform, second in ((world(), "1"), (world(keeps_versions=True), "0")):
        first, waited, _ = (
            upload(platform, name, body=b"%d" % n) for n, name in enumerate(("0", second, "2"))
        )
        platform.cluster.delete("Job", first)
        tick(platform)
        assert jobs(platform) == [first]
        assert find_outcome(waited, platform.bucket) is None


def test_data_that_is_gone_and_comes_back_gets_a_run_of_its_own() -> None:
    platform = world()
    first, lost = upload(platform, "0"), upload(platform, "0", body=b"two")
    upload(platform, "0", body=b"three")
    platform.cluster.delete("Job", first)
    tick(platform)
    assert end_of(platform, lost).superseded
    again = upload(platform, "0", body=b"two")
    assert again != lost
    assert read_run(again, platform.bucket).dataset_digest == read_run(lost, platform.bucket).dataset_digest


@pytest.mark.parametrize("prefix", ["s3://data/digits/", "", "s3://knoll-models/elsewhere/"])
def test_a_run_that_somebody_has_forged_in_the_bucket_gets_no_job(prefix: str) -> None:
    """Its snapshot names objects of the forger, so that the trainer would sign what it learns from them."""
    platform = world()
    true = read_run(upload(platform, "0"), platform.bucket)
    write_outcome(true.id, Outcome("succeeded", "now", "v000001"), platform.bucket)
    platform.cluster.delete("Job", true.id)
    elsewhere = "s3://knoll-models/elsewhere/"
    etag = platform.store.put(f"{elsewhere}0.png", b"forged")
    snapshot = Dataset("digits", elsewhere, (DatasetObject(f"{elsewhere}0.png", etag, 6),))
    write_dataset(snapshot, platform.bucket)
    uri = dataset_uri(ROOT, "digits", snapshot.digest)
    id = f"digits-{'e' * 20}"
    forged = replace(true, id=id, dataset_digest=snapshot.digest, dataset_uri=uri, prefix=prefix)
    write_run(forged, platform.bucket)
    write_entry(forged, platform.bucket)
    tick(platform)
    assert id not in jobs(platform)
    assert end_of(platform, id).superseded
    with pytest.raises(Rejected, match="is of other data"):
        read_data(replace(forged, prefix=true.prefix), platform)
    with pytest.raises(Rejected, match="lies in the bucket of models"):
        read_data(forged if prefix == elsewhere else replace(forged, prefix=""), platform)


def test_a_run_of_data_that_never_landed_gets_no_job_unless_ingest_has_opened_it() -> None:
    """The forger takes some of the Model's own objects. Without keys it would be trained."""
    platform = world(stamp_key=private_key(), stamp_verify_key=signer_of().public.pem)
    true = read_run(upload(platform, "0", "1"), platform.bucket)
    platform.cluster.delete("Job", true.id)
    write_outcome(true.id, Outcome("succeeded", "now", "v000001"), platform.bucket)
    one = next(one for one in platform.store.list("s3://data/digits/") if one.uri.endswith("0.png"))
    some = Dataset("digits", true.prefix, (DatasetObject(one.uri, one.etag, one.size),))
    write_dataset(some, platform.bucket)
    uri = dataset_uri(ROOT, "digits", some.digest)
    forged = replace(true, id=f"digits-{'e' * 20}", dataset_digest=some.digest, dataset_uri=uri)
    write_run(forged, platform.bucket)
    write_entry(forged, platform.bucket)
    event = new_event(DATASET_LANDED, source="/test", time=platform.clock.now(), data={"runId": forged.id})
    train.handle(event, platform)
    tick(platform)
    assert forged.id not in jobs(platform)
    assert end_of(platform, forged.id).superseded
    assert "no function of this platform has stamped its record" in end_of(platform, forged.id).reason
    later = upload(platform, "2")
    assert jobs(platform) == [later]


def test_a_trainer_learns_nothing_from_a_record_that_was_exchanged() -> None:
    """Whoever has the keys of the bucket may write over the record after its Job has begun."""
    platform = world(stamp_key=private_key(), stamp_verify_key=signer_of().public.pem)
    run = read_run(upload(platform, "0"), platform.bucket)
    assert read_data(run, platform)
    platform.store.put(run_uri(ROOT, run.id), replace(run, config={"epochs": 1}).encode())
    with pytest.raises(DataChanged, match="has stamped the record"):
        read_data(read_run(run.id, platform.bucket), platform)


def test_a_run_from_before_the_keys_is_asked_for_again() -> None:
    """It waited in the queue during the upgrade; a Job that trains goes on."""
    platform = world()
    trained, waited = upload(platform, "0"), upload(platform, "0", "1")
    keys = {"stamp_key": private_key(), "stamp_verify_key": signer_of().public.pem}
    platform = replace(platform, settings=platform.settings.model_copy(update=keys))
    tick(platform)
    assert jobs(platform) == [trained]
    job = platform.cluster.get("Job", trained)
    complete = {"conditions": [{"type": "Complete", "status": "True"}]}
    platform.cluster.update({**job, "status": complete}, status=True)
    for _ in range(3):
        tick(platform)
    assert end_of(platform, waited).superseded
    (again,) = runs(platform) - {trained, waited}
    assert again in jobs(platform)
