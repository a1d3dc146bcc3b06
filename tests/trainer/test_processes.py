"""`knoll-trainer` as a Job runs it: real processes, a real S3 server, and every way to end."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.store_s3 import S3Store
from knoll.events import DATASET_LANDED
from knoll.laptop.ports import free_port
from knoll.names import run_id
from knoll.ports import Bucket
from knoll.records.checkpoint import checkpoint_uri, list_steps, load_checkpoint
from knoll.records.dataset import Dataset, DatasetObject, dataset_uri
from knoll.records.manifest import version_uri
from knoll.records.outcome import load_outcome, outcome_uri
from knoll.records.progress import load_progress, progress_uri
from knoll.records.run import Run, load_run, run_uri
from support.doors import listeners

pytestmark = pytest.mark.loop

Until = Callable[..., None]
CONFIG = {"epochs": 2, "batchSize": 32, "width": 4}
ENDLESS = 100_000  # epochs


@dataclass
class World:
    """A bucket of models, one with the data of a run, and the trainers that were started for it."""

    store: S3Store
    bucket: str
    environment: dict[str, str]
    folder: Path
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def root(self) -> str:
        return f"s3://{self.bucket}"

    def land(self, files: dict[str, bytes]) -> Dataset:
        """Put the files and their snapshot."""
        prefix = f"{self.root}-data/digits/"
        for key, body in files.items():
            self.store.put(prefix + key, body)
        dataset = Dataset(
            "digits",
            prefix,
            tuple(DatasetObject(one.uri, one.etag, one.size) for one in self.store.list(prefix)),
        )
        self.store.put(dataset_uri(self.root, "digits", dataset.digest), dataset.encode())
        return dataset

    def run(
        self,
        files: dict[str, bytes],
        config: dict[str, Any] | None = None,
        nodes: int = 1,
        processes: int = 1,
        sharding: str = "none",
    ) -> str:
        """Write the record of a run on these files; its id."""
        dataset = self.land(files)
        run = Run(
            id=run_id("digits", dataset.digest, "config"),
            model="digits",
            family="image-classifier",
            dataset_digest=dataset.digest,
            dataset_uri=dataset_uri(self.root, "digits", dataset.digest),
            config=config or CONFIG,
            created_at="2026-01-01T00:00:00+00:00",
            nodes=nodes,
            processes_per_node=processes,
            sharding=sharding,
        )
        self.store.put(run_uri(self.root, run.id), run.encode())
        return run.id

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start `knoll-trainer`; its log is the file log-N of the folder."""
        command = [sys.executable, "-m", "knoll.wiring.trainer", *arguments]
        with (self.folder / f"log-{len(self.started)}").open("wb") as log:
            self.started.append(
                subprocess.Popen(command, env={**self.environment, **environment}, stdout=log, stderr=log)
            )
        return self.started[-1]

    def log(self) -> str:
        """The logs of all processes."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("log-*")))

    def state(self, run: str) -> str:
        """The state in the run's progress; empty without a record."""
        listed = [one.uri for one in self.store.list(progress_uri(self.root, run))]
        return load_progress(self.store.get(listed[0])).state if listed else ""


@pytest.fixture
def world(s3: Any, tmp_path: Path) -> Iterator[World]:
    yield from open_world(s3, tmp_path)


def open_world(s3: Any, tmp_path: Path) -> Iterator[World]:
    """New buckets, and no trainers when they are left."""
    store, bucket = (
        S3Store(s3.endpoint, s3.access_key, s3.secret_key, "us-east-1"),
        f"ranks-{uuid.uuid4().hex[:8]}",
    )
    store.ensure_bucket(bucket)
    store.ensure_bucket(f"{bucket}-data")
    keys = {
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }
    keys |= {
        "KNOLL_MODEL_BUCKET": bucket,
        "KNOLL_HOME": str(tmp_path / "home"),
        "KNOLL_THREADS": "1",
        "KNOLL_DEVICE": "cpu",
    }
    ready = World(store, bucket, {**os.environ, **keys}, tmp_path)
    yield ready
    for one in ready.started:
        if one.poll() is None:
            one.kill()


@pytest.fixture(scope="module")
def some(digits: dict[str, bytes]) -> dict[str, bytes]:
    return {key: body for key, body in digits.items() if key[0] in "01"}


def ranks_of(trainer: "subprocess.Popen[bytes]") -> list[int]:
    """Pids of the processes below torchrun, which is the child of the trainer."""
    table = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout.split()
    parents = dict(zip(map(int, table[::2]), map(int, table[1::2]), strict=True))
    return [pid for pid, parent in parents.items() if parents.get(parent) == trainer.pid]


@pytest.mark.stress
def test_two_nodes_make_one_version(world: World, some: dict[str, bytes]) -> None:
    """The variables of the Job tell each node where the first one is. The nodes wait for the last one."""
    run = world.run(some, nodes=2)
    common = {"PET_NNODES": "2", "PET_NPROC_PER_NODE": "1", "PET_RDZV_ID": run, "PET_RDZV_CONF": "timeout=60"}
    common |= {"PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": str(free_port())}
    nodes = [world.start(run, **common, PET_NODE_RANK=number) for number in ("1", "0")]
    assert [one.wait(120) for one in nodes] == [0, 0], world.log()
    assert world.log().count("published digits v000001") == 1


@pytest.mark.stress
def test_bad_data_rejects_the_run_of_several_processes(world: World, some: dict[str, bytes]) -> None:
    """All processes find the fault, and one writes it. The exit code is that of a single process."""
    run = world.run({**some, "1/broken.png": b"\x89PNG\r\n\x1a\n and then nothing"}, processes=2)
    assert world.start(run).wait(120) == 65, world.log()
    outcome = load_outcome(world.store.get(outcome_uri(world.root, run)))
    assert outcome.state == "rejected"
    assert "1/broken.png" in outcome.reason


@pytest.mark.parametrize("who", [pytest.param("trainer", marks=pytest.mark.stress), "rank"])
def test_a_run_of_several_processes_that_is_broken_off_leaves_no_process_and_no_outcome(
    world: World, some: dict[str, bytes], who: str, until: Until, is_gone: Callable[[int], bool]
) -> None:
    """After SIGTERM to the trainer, and after a killed rank, the run can be tried again, with no outcome."""
    run = world.run(some, {**CONFIG, "epochs": ENDLESS}, processes=2)
    trainer = world.start(run)
    until(lambda: world.state(run) == "training", 90)
    ranks = ranks_of(trainer)
    assert len(ranks) == 2
    os.kill(
        trainer.pid if who == "trainer" else ranks[1], signal.SIGTERM if who == "trainer" else signal.SIGKILL
    )
    assert trainer.wait(60) == (143 if who == "trainer" else 75), world.log()
    until(lambda: all(is_gone(pid) for pid in ranks))
    assert not list(world.store.list(outcome_uri(world.root, run)))


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.stress)])
def test_processes_that_are_terminated_keep_their_state_for_as_many_or_fewer(
    world: World, some: dict[str, bytes], processes: int, until: Until
) -> None:
    """All stop after the same step, and the first one keeps the state of all, which they share out."""
    run = world.run(some, {**CONFIG, "epochs": ENDLESS}, processes=2, sharding="optimizer")
    trainer = world.start(run)
    until(lambda: world.state(run) == "training", 90)
    trainer.terminate()
    assert trainer.wait(60) == 143, world.log()
    record = load_run(world.store.get(run_uri(world.root, run)))
    again = replace(record, processes_per_node=processes, config={**CONFIG, "epochs": _two_more(run, world)})
    world.store.put(run_uri(world.root, run), again.encode())
    assert world.start(run).wait(240) == 0, world.log()
    assert world.log().count("resumed after step") == 1
    told = "sharding is none: one process trains alone"
    assert world.log().count("each process keeps about 1/2 of the gradients") == processes
    assert world.log().count(told) == 2 - processes
    assert load_outcome(world.store.get(outcome_uri(world.root, run))).metrics["accuracy"] > 0.8


def _two_more(run: str, world: World) -> int:
    """Epochs with which a run of endless ones ends soon after its newest checkpoint."""
    newest = list_steps(run, Bucket(world.store, world.root))[0]
    kept = load_checkpoint(world.store.get(checkpoint_uri(world.root, run, newest)))
    return newest * ENDLESS // kept.of_steps + 2


@pytest.mark.stress
@pytest.mark.parametrize("rank", [0, 1])
def test_processes_do_not_wait_for_one_that_hangs(
    world: World, some: dict[str, bytes], until: Until, rank: int
) -> None:
    """The attempt ends, and the next one goes on from the checkpoint."""
    run = world.run(some, {**CONFIG, "epochs": 40}, processes=2)
    record = load_run(world.store.get(run_uri(world.root, run)))
    quick = replace(record, checkpoint_every=0.3, rank_timeout=5)
    world.store.put(run_uri(world.root, run), quick.encode())
    trainer = world.start(run)
    until(lambda: list_steps(run, Bucket(world.store, world.root)), 120)
    os.kill(sorted(ranks_of(trainer))[rank], signal.SIGSTOP)
    assert trainer.wait(90) == 75, world.log()
    assert world.start(run).wait(120) == 0, world.log()
    assert "resumed after step" in world.log()


@pytest.mark.stress
def test_no_process_outlives_a_trainer_that_is_killed(
    world: World, some: dict[str, bytes], until: Until, is_gone: Callable[[int], bool]
) -> None:
    """No process can pass kill -9 on: the kernel ends the others. Until then, no other machine can reach
    them."""
    run = world.run(some, {**CONFIG, "epochs": ENDLESS}, processes=2)
    trainer = world.start(run)
    until(lambda: world.state(run) == "training", 90)
    ranks = ranks_of(trainer)
    assert {one.ip for one in listeners(trainer.pid)} <= {"127.0.0.1", "::1"}
    trainer.kill()
    until(lambda: all(is_gone(pid) for pid in ranks))


def event(path: Path, kind: str, data: Any) -> Path:
    path.write_text(
        json.dumps({"specversion": "1.0", "id": "1", "source": "/test", "type": kind, "data": data})
    )
    return path


def test_the_event_of_a_job_sink_has_two_processes_make_one_version(
    world: World, some: dict[str, bytes]
) -> None:
    """A JobSink mounts a folder. One process scores, exports and publishes. Another event for the run starts
    nothing."""
    run = world.run(some, processes=2)
    (world.folder / "jobsink").mkdir()
    landed = event(world.folder / "jobsink" / "event", DATASET_LANDED, {"model": "digits", "runId": run})
    assert world.start(K_EVENT_PATH=str(landed.parent), K_EXECUTION_MODE="batch").wait(120) == 0, world.log()
    outcome = load_outcome(world.store.get(outcome_uri(world.root, run)))
    assert (outcome.state, outcome.version) == ("succeeded", "v000001")
    assert outcome.metrics["accuracy"] > 0.8
    assert list(world.store.list(version_uri(world.root, "digits", "v000001") + "manifest.json"))
    again = event(world.folder / "again", "any.type", {"runId": run})
    assert world.start(K_EVENT_PATH=str(again)).wait(60) == 0
    assert "2 processes" in world.log()
    assert world.log().count("published digits v000001") == 1


def test_an_event_that_asks_for_no_run_is_refused_for_good(world: World) -> None:
    """A file without an event, and a missing file, are refused, too; the log says how to mend it."""
    wrong = event(world.folder / "wrong", "any.type", {"name": "digits"})
    torn = world.folder / "torn"
    torn.write_text("{")
    for path in (wrong, torn, world.folder / "missing"):
        assert world.start(K_EVENT_PATH=str(path)).wait(60) == 65
    assert "names no run" in world.log()
    assert "no event can be read" in world.log()
