"""A damaged file of documents: how it is told, and what a repair keeps and rebuilds."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.store_s3 import S3Store
from knoll.cli.render.doctor import repair_lines
from knoll.errors import ClusterUnavailable, NotFound
from knoll.models import parse_model
from knoll.names import run_id
from knoll.ports import Bucket
from knoll.records.claim import Claim, write_claim
from knoll.records.outcome import Outcome, write_outcome
from knoll.records.rollout import RolloutStep, write_step
from knoll.records.run import Run, write_run
from knoll.rollout.rest import slot_at_rest
from knoll.rollout.slot import slot_from_status
from knoll.settings import Settings
from knoll.wiring.platform import process_platform
from knoll.wiring.repair import Repaired, repair
from support.models import model_document


@pytest.fixture
def home(s3: Any, tmp_path: Path) -> Settings:
    """The settings of a home whose store is a server of the user's, with Models and one run in the bucket."""
    store = S3Store(s3.endpoint, s3.access_key, s3.secret_key, "us-east-1")
    store.ensure_bucket("repair")
    bucket = Bucket(store, "s3://repair")
    run = Run(
        run_id("lost", "d", ""),
        "lost",
        "image-classifier",
        "d",
        "s3://repair/d",
        {"epochs": 3},
        "2026-01-01",
        prefix="s3://data/lost/",
        nodes=2,
        retries=5,
    )
    write_run(run, bucket)
    write_outcome(run.id, Outcome("succeeded", "2026-01-01", "v000001"), bucket)
    write_claim("lost", "v000001", Claim(run.id), bucket)
    newer = replace(run, id=run_id("lost", "e", ""), dataset_digest="e")
    write_run(newer, bucket)
    write_outcome(newer.id, Outcome("succeeded", "2026-01-02", "v000002"), bucket)
    write_claim("lost", "v000002", Claim(newer.id), bucket)
    told = [("v000001", "Promote"), ("v000002", "Promote"), ("v000002", "Fallback")]
    for number, (version, action) in enumerate(told, 1):
        at = f"2026-01-0{number}T00:00:00+00:00"
        write_step(RolloutStep("lost", version, version, number, action, at, 100, "damaged"), bucket)
    return Settings(
        home=tmp_path / "home",
        s3_endpoint=s3.endpoint,
        s3_access_key=s3.access_key,
        s3_secret_key=s3.secret_key,
        model_bucket="repair",
    )


def documents(settings: Settings) -> LocalCluster:
    return LocalCluster(settings.home / "knoll.db", settings.namespace, SystemClock())


def damage(path: Path) -> None:
    """Overwrite the pages behind the first half of the file."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * (path.stat().st_size - file.tell()))


def destroy(path: Path) -> None:
    """Let nothing of the file be readable."""
    for side in ("-wal", "-shm"):
        path.with_name(path.name + side).unlink(missing_ok=True)
    path.write_bytes(b"\xff" * 8192)


def test_a_whole_file_is_left_alone(home: Settings) -> None:
    """Nothing is repaired, and nothing set aside."""
    documents(home).create(model_document("whole"))
    assert repair(home) == Repaired()


def test_a_repair_keeps_what_can_be_read_and_names_what_the_bucket_knows(home: Settings) -> None:
    """The error names the file and the command. Then what could be read is there again, and the damaged
    file lies aside."""
    cluster = documents(home)
    for number in range(200):
        cluster.create(model_document(f"model-{number:03d}", data="s3://data/" + "x" * 500))
    with closing(sqlite3.connect(home.home / "knoll.db")) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damage(home.home / "knoll.db")
    with pytest.raises(ClusterUnavailable, match=r"knoll\.db is damaged") as caught:
        documents(home).list("Model")
    assert "knoll doctor --repair" in caught.value.fix

    done = repair(home)
    assert done.damage
    assert Path(done.kept_at).exists()
    assert (done.rebuilt, done.lost[-1:]) == ((), ("lost",))
    mended = documents(home)
    names = {one["metadata"]["name"] for one in mended.list("Model")}
    assert names == {one.partition(" ")[2] for one in done.read}
    assert repair(home) == Repaired()


def test_a_model_that_may_have_been_deleted_comes_back_only_by_name(home: Settings) -> None:
    """The bucket has its runs for ever, so they say nothing about what somebody wants today."""
    documents(home).create(model_document("lost"))
    documents(home).delete("Model", "lost")
    destroy(home.home / "knoll.db")
    told = "\n".join(repair_lines(done := repair(home)))
    assert (done.rebuilt, done.lost) == ((), ("lost",))
    assert "not in the file: lost." in told
    assert documents(home).list("Model") == []

    documents(home).create(model_document("newer"))
    assert repair(home, ["lost"]).rebuilt == ("lost",)
    lost = documents(home).get("Model", "lost")
    model = parse_model(lost)
    assert (model.dataset.uri, model.training.nodes, model.training.retries) == ("s3://data/lost/", 2, 5)
    newer = documents(home).get("Model", "newer")["metadata"]["resourceVersion"]
    assert int(newer) < int(lost["metadata"]["resourceVersion"]) == documents(home).revision()
    changed = {**lost, "spec": {**lost["spec"], "gate": {"metric": "accuracy", "atLeast": 0.5}}}
    assert documents(home).update(changed)["metadata"]["generation"] == 2


def test_what_is_declared_is_never_rebuilt(home: Settings) -> None:
    """Nothing is changed if one of the names is in the file, or has no run."""
    documents(home).create(model_document("whole"))
    with pytest.raises(NotFound, match="Model unknown, whole cannot be rebuilt"):
        repair(home, ["lost", "unknown", "whole"])
    assert [one["metadata"]["name"] for one in documents(home).list("Model")] == ["whole"]


def test_a_rebuilt_model_serves_the_version_that_served_last(home: Settings) -> None:
    """A champion that had given way does not come back, whatever was promoted before."""
    documents(home).create(model_document("other"))
    destroy(home.home / "knoll.db")
    repair(home, ["lost"])
    lost, platform = documents(home).get("Model", "lost"), process_platform(home)
    slot, until = slot_from_status(lost.get("status") or {}), platform.clock.now() + timedelta(minutes=1)
    slot = slot_at_rest(lost, parse_model(lost), slot, None, None, until, platform)
    assert (slot.champion, [*slot.quarantine]) == ("v000001", ["v000002"])
