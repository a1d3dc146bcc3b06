"""A stranger has the keys of the bucket, but neither those that sign and stamp, nor the cluster. Whatever he
writes: nothing unasked is trained or served, the platform goes on, and what he wrote is named."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from knoll.keys import make_key, read_signer
from knoll.names import join
from knoll.ports import Bucket, Document
from knoll.records.attestation import attest
from knoll.records.claim import claim_uri
from knoll.records.dataset import Dataset, DatasetObject, dataset_uri, find_dataset, write_dataset
from knoll.records.evidence import Report, report_uri
from knoll.records.inbox import write_entry
from knoll.records.manifest import ATTESTATION, find_manifest, find_sealed, version_uri
from knoll.records.outcome import Outcome, find_outcome, outcome_uri, superseded_uri
from knoll.records.progress import progress_uri
from knoll.records.rollout import RolloutStep, rollout_step_uri
from knoll.records.run import Run, list_runs, read_run, write_run
from loop.conftest import Laptop, Until
from loop.test_loop import FAST, picture

pytestmark = [pytest.mark.attack, pytest.mark.loop, pytest.mark.timeout(300)]

LATE = "2036-01-01T00:00:00+00:00"
QUICK = {"steps": [50], "minRequests": 4, "bake": "1s"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, digits: Callable[..., Path]) -> Path:
    """The digits of the first version."""
    return digits(tmp_path_factory.mktemp("data"), count=20)


@pytest.fixture(scope="module")
def laptop(
    tmp_path_factory: pytest.TempPathFactory, data: Path, digits: Callable[..., Path], until: Until
) -> Iterator[Laptop]:
    """A platform whose champion is v000002, after v000001."""
    one = Laptop(tmp_path_factory.mktemp("home"), until, {"KNOLL_SURVEY": "2"})
    one.up()
    try:
        declare(one)
        one.knoll("upload", "digits", str(data))
        one.wait_for_champion("v000001")
        one.knoll("upload", "digits", str(digits(tmp_path_factory.mktemp("more"), start=40, count=20)))
        one.wait_for_champion("v000002")
        yield one
    finally:
        one.down()


def declare(laptop: Laptop) -> None:
    laptop.declare("digits", **FAST, rollout=QUICK)


def put(laptop: Laptop, uri: str, body: bytes) -> str:
    """Write with the keys of the bucket; the key."""
    laptop.platform.store.put(uri, body)
    return uri.removeprefix(f"{laptop.root}/")


def forger(laptop: Laptop) -> Bucket:
    """The bucket of one who has no key for stamps."""
    return Bucket(laptop.platform.store, laptop.root)


def serves(laptop: Laptop, data: Path, version: str) -> None:
    """Wait until that version answers."""

    def answers() -> bool:
        answer = laptop.predict("digits", [picture(data, "7")])
        return (answer.status_code, answer.headers.get("x-model-version")) == (200, version)

    laptop.until(answers, 30)


def findings(laptop: Laptop) -> list[str]:
    """What `knoll doctor` finds."""
    found = json.loads(laptop.knoll("doctor", "-o", "json", code=1))["findings"]
    return [json.dumps(one) for one in found]


def runs(laptop: Laptop) -> set[str]:
    return {run for run, _ in list_runs("digits-", laptop.platform.bucket)}


def forged_run(laptop: Laptop, name: str, dataset: Dataset) -> Run:
    """A run of that data, open and next in the inbox, as ingest would write it but for the stamp."""
    bucket = forger(laptop)
    manifest = find_manifest("digits", "v000002", bucket)
    assert manifest is not None
    true = read_run(manifest.run, bucket)
    write_dataset(dataset, bucket)
    uri = dataset_uri(laptop.root, "digits", dataset.digest)
    id = f"digits-{name * 20}"
    run = replace(
        true, id=id, dataset_digest=dataset.digest, dataset_uri=uri, prefix=dataset.prefix, data_at=LATE
    )
    write_run(run, bucket)
    write_entry(run, bucket)
    return run


def test_runs_that_nothing_has_landed_for_are_never_trained(laptop: Laptop, data: Path, until: Until) -> None:
    """One is of the stranger's own pictures, one of some of the Model's, and one has a stamp of another."""
    elsewhere = f"{laptop.root}/elsewhere/"
    own = [put(laptop, f"{elsewhere}{name}/1.png", b"forged") for name in "07"]
    objects = laptop.platform.store.list(elsewhere)
    outside = Dataset(
        "digits", elsewhere, tuple(DatasetObject(one.uri, one.etag, one.size) for one in objects)
    )
    manifest = find_manifest("digits", "v000002", laptop.platform.bucket)
    assert manifest is not None
    true = read_run(manifest.run, laptop.platform.bucket)
    landed = find_dataset(true.dataset_uri, laptop.platform.bucket)
    assert landed is not None
    inside = [replace(landed, objects=landed.objects[part::2]) for part in (0, 1)]
    forged = [forged_run(laptop, "a", outside), forged_run(laptop, "b", inside[0])]
    stolen = replace(forged_run(laptop, "c", inside[1]), stamp=true.stamp)
    put(laptop, f"{laptop.root}/runs/{stolen.id}.json", stolen.encode())
    forged.append(stolen)
    bucket = laptop.platform.bucket
    until(lambda: all(find_outcome(run.id, bucket) for run in forged), 30)
    ends = [find_outcome(run.id, bucket) for run in forged]
    assert all(end and end.superseded for end in ends)
    assert "stamped its record" in str(ends[1])
    assert "stamped its record" in str(ends[2])
    assert laptop.versions() == ["v000001", "v000002"]
    assert not laptop.children("knoll.wiring.trainer")
    assert own[0] in " ".join(findings(laptop))
    serves(laptop, data, "v000002")


def leave_records(laptop: Laptop) -> list[str]:
    """Records of each other kind that say what is not true; the keys of those that are to be named."""
    root, ghost = laptop.root, f"digits-{'d' * 20}"
    manifest = find_manifest("digits", "v000001", laptop.platform.bucket)
    assert manifest is not None
    outcome = Outcome("succeeded", LATE, "v000001", manifest_sha256="0" * 64, run=ghost)
    entry = replace(read_run(manifest.run, laptop.platform.bucket), id=ghost, data_at=LATE)
    put(laptop, superseded_uri(root, manifest.run), b"{}")
    put(laptop, progress_uri(root, manifest.run), b"garbage")
    write_entry(replace(entry, stamp=""), forger(laptop))
    return [
        put(laptop, claim_uri(root, "digits", "v000900"), b'{"run": "%s"}' % ghost.encode()),
        put(laptop, outcome_uri(root, ghost), outcome.encode()),
    ]


def forge_history(laptop: Laptop, slot: Document, number: int) -> list[str]:
    """Steps that would make another champion or another quarantine, and reports that would decide the next
    rollout; the keys of those that are to be named."""
    left = []
    for version, action in (
        ("v000001", "Promote"),
        ("v000002", "Fallback"),
        ("v000002", "Rollback"),
        ("v000003", "Promote"),
    ):
        number += 1
        step = RolloutStep("digits", version, version, number, action, LATE, 100, "forged")
        step = replace(
            step,
            manifest_sha256=slot.get("manifestSha256", {}).get(version, ""),
            signed_by=slot.get("signedBy", {}).get(version, ""),
        )
        left.append(put(laptop, rollout_step_uri(laptop.root, "digits", version, number), step.encode()))
    for instance in ("one", "another"):
        report = Report("digits", "v000003", instance, 1000, 1000, reported_at=LATE)
        put(laptop, report_uri(laptop.root, report), report.encode())
    return left[:3]


def test_forged_records_decide_nothing_before_and_after_the_model_is_applied_again(
    laptop: Laptop, data: Path, digits: Callable[..., Path], tmp_path: Path, until: Until
) -> None:
    slot = laptop.model()
    named = leave_records(laptop) + forge_history(laptop, slot, 100)
    until(lambda: "BucketClean" in json.dumps(laptop.model().get("conditions")), 30)
    found = findings(laptop)
    assert [key for key in named if key not in " ".join(found)] == []
    assert any(named[-1] in one and "no function of this platform has stamped it" in one for one in found)
    serves(laptop, data, "v000002")
    laptop.knoll("delete", "digits", "--yes")
    forge_history(laptop, slot, 200)
    declare(laptop)
    laptop.wait_for_champion("v000002")
    assert laptop.model()["quarantine"] == {}
    serves(laptop, data, "v000002")
    before = runs(laptop)
    laptop.knoll("upload", "digits", str(digits(tmp_path / "new", start=80, count=20)))
    until(lambda: runs(laptop) - before, 30)
    (run,) = runs(laptop) - before
    forged = Outcome("failed", LATE, reason="forged", run=run)
    put(laptop, outcome_uri(laptop.root, run), forged.encode())
    laptop.wait_for_champion("v000003")
    serves(laptop, data, "v000003")
    ended = find_outcome(run, laptop.platform.bucket)
    assert ended
    assert (ended.state, ended.version) == ("succeeded", "v000003")


def test_a_champion_with_another_signature_or_other_files_gives_way_until_it_is_whole(
    laptop: Laptop, data: Path, until: Until
) -> None:
    """An older version has a good signature, and so has a version of another Model: each for itself only."""
    store, bucket = laptop.platform.store, laptop.platform.bucket
    places = [version_uri(laptop.root, "digits", f"v00000{number}") for number in (1, 3)]
    old, whole = (
        {one.uri.removeprefix(place): store.get(one.uri) for one in store.list(place)} for place in places
    )
    place = places[1]
    for name, body in old.items():
        store.put(join(place, name), body)
    until(lambda: laptop.model().get("champion") == "v000002", 60)
    until(lambda: laptop.model()["phase"] == "Idle", 60)
    assert "v000003" in laptop.model()["quarantine"]
    serves(laptop, data, "v000002")
    for name, body in whole.items():
        store.put(join(place, name), body)
    laptop.wait_for_champion("v000003", seconds=60)
    sealed = find_sealed("digits", "v000003", bucket)
    assert sealed is not None
    stranger = read_signer(make_key())
    forged = attest("digits", "v000003", sealed.sha256, stranger).encode()
    store.put(join(place, ATTESTATION), forged)
    until(lambda: laptop.model().get("champion") == "v000002", 60)
    assert "KNOLL_VERIFY_KEY has no such key" in laptop.model()["quarantine"]["v000003"]
    assert "has no such key" in laptop.knoll("verify", "digits", "v000003", code=1)
    serves(laptop, data, "v000002")
