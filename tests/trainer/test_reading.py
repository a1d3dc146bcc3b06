"""A run learns from one state of the data, or not at all; and from A to B and back to A every state that
stays is trained."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.predictors_http import HttpPredictors
from knoll.errors import Rejected, StoreUnavailable
from knoll.events import TICK, new_event
from knoll.ingest import handler as ingest
from knoll.ports import Platform
from knoll.records.dataset import Dataset, load_dataset
from knoll.records.inbox import inbox, inbox_entry
from knoll.records.outcome import Outcome, load_outcome, outcome_uri, superseded_uri
from knoll.records.run import Run, load_run, run_uri, runs_uri
from knoll.settings import Settings
from knoll.trainer.ending import end_run
from knoll.trainer.reading import DataChanged
from support.data import read_data

PREFIX = "s3://data/digits/"
ROOT = "s3://knoll-models"
UPLOADED = {"a": b"one", "sub/b": b"two"}


class MovingStore(MemoryStore):
    """A store in which something happens right before an object is read, by its URI."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.before: dict[str, Callable[[], object]] = {}

    def get(self, uri: str, **options: Any) -> bytes:
        self.before.pop(uri, lambda: None)()
        return super().get(uri, **options)


@dataclass
class World:
    platform: Platform
    store: MovingStore

    def upload(self, **bodies: bytes) -> None:
        """Objects with new bytes, then the marker."""
        for name, body in bodies.items():
            self.store.put(PREFIX + name.replace("__", "/"), body)
        self.store.put(f"{PREFIX}_SUCCESS", b"")

    def tick(self) -> Run | None:
        """The run that ingest opens at a tick; None if it opens none."""
        before = set(self.runs())
        ingest.sweep(new_event(TICK, source="/test", time=self.platform.clock.now()), self.platform)
        new = set(self.runs()) - before
        return load_run(self.store.get(run_uri(ROOT, new.pop()))) if new else None

    def opened(self) -> Run:
        run = self.tick()
        assert run is not None
        return run

    def runs(self) -> list[str]:
        return [
            one.uri.removeprefix(runs_uri(ROOT)).removesuffix(".json")
            for one in self.store.list(runs_uri(ROOT))
        ]

    def change(self, run: Run, change: Callable[[Dataset], Dataset]) -> None:
        """Overwrite the run's snapshot, which knoll never does."""
        self.store.put(run.dataset_uri, change(load_dataset(self.store.get(run.dataset_uri))).encode())


def world(home: Path, *, keeps_versions: bool = False) -> World:
    """A platform with one Model, and data that has landed under its marker."""
    time = MemoryClock(step=1)
    store = MovingStore(time.now, keeps_versions=keeps_versions)
    cluster = MemoryCluster("default", time)
    spec = {"family": "image-classifier", "dataset": {"uri": PREFIX}}
    cluster.create(
        {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": "digits"}, "spec": spec}
    )
    here = World(Platform(store, cluster, MemoryEvents(), HttpPredictors(), time, Settings(home=home)), store)
    here.upload(a=b"one", sub__b=b"two")
    return here


def test_a_run_reads_the_state_in_its_snapshot(tmp_path: Path) -> None:
    here = world(tmp_path)
    assert read_data(here.opened(), here.platform) == UPLOADED


@pytest.mark.parametrize("name", UPLOADED)
@pytest.mark.parametrize("is_deleted", [False, True])
def test_data_that_is_replaced_while_it_is_read_ends_the_run_and_no_bytes_mix(
    tmp_path: Path, name: str, is_deleted: bool
) -> None:
    """Each object in turn is replaced, while the others stay; the reason names it."""
    here = world(tmp_path)
    run, uri = here.opened(), PREFIX + name
    here.store.before[uri] = lambda: here.store.delete(uri) if is_deleted else here.store.put(uri, b"new")
    with pytest.raises(DataChanged, match=f"the data changed after it had landed: {uri}"):
        read_data(run, here.platform)


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_bucket_that_keeps_versions_gives_the_run_its_data_in_every_attempt(
    tmp_path: Path, is_deleted: bool
) -> None:
    """An overwrite or a deletion after the run was opened changes nothing in it, and leads to the next
    run."""
    here = world(tmp_path, keeps_versions=True)
    run = here.opened()
    if is_deleted:
        here.store.delete(f"{PREFIX}a")
        here.upload()
    else:
        here.upload(a=b"new")
    newer = here.opened()
    assert read_data(run, here.platform) == read_data(run, here.platform) == UPLOADED
    assert read_data(newer, here.platform) == {**({} if is_deleted else {"a": b"new"}), "sub/b": b"two"}


def test_a_run_that_was_opened_too_late_does_not_go_back_to_old_data(tmp_path: Path) -> None:
    """Ingest listed the data, was held up while newer data landed, and then opened the run. That run would be
    newer than the run of the newer data."""
    here = world(tmp_path, keeps_versions=True)
    run = here.opened()
    here.upload(a=b"new")
    here.opened()
    here.store.put(run_uri(ROOT, run.id), run.encode())
    with pytest.raises(DataChanged):
        read_data(run, here.platform)


def test_data_that_comes_back_while_it_is_read_is_read_again_later(tmp_path: Path) -> None:
    """The listing has not changed, so the attempt fails, but the run does not."""
    here = world(tmp_path)
    run = here.opened()

    class Flickering(MovingStore):
        """It has other bytes for as long as one read takes."""

        def get(self, uri: str, **options: Any) -> bytes:
            if uri != f"{PREFIX}a":
                return here.store.get(uri, **options)
            here.store.put(uri, b"new")
            try:
                return here.store.get(uri, **options)
            finally:
                here.store.put(uri, b"one")

        def list(self, prefix: str, **options: Any) -> Any:
            return here.store.list(prefix, **options)

    with pytest.raises(StoreUnavailable, match="is listed with etag"):
        read_data(run, replace(here.platform, store=Flickering()))
    assert read_data(run, here.platform) == UPLOADED


def test_bytes_with_another_sha256_than_in_the_manifest_are_not_learnt(tmp_path: Path) -> None:
    """The trainer does not trust the etag alone."""
    here = world(tmp_path)
    run = here.opened()
    right, wrong = (sha256(body).hexdigest() for body in (b"one", b"other"))
    set_sha256(here, run, right)
    assert read_data(run, here.platform) == UPLOADED
    set_sha256(here, run, wrong)
    with pytest.raises(StoreUnavailable, match=f"came with sha256 {right}, and had {wrong}"):
        read_data(run, here.platform)


def set_sha256(here: World, run: Run, sha: str) -> None:
    """Give the first object of the run's snapshot that sha256."""
    here.change(
        run,
        lambda dataset: replace(
            dataset, objects=(replace(dataset.objects[0], sha256=sha), *dataset.objects[1:])
        ),
    )


def test_a_snapshot_of_other_data_is_refused(tmp_path: Path) -> None:
    here = world(tmp_path)
    run = here.opened()
    here.change(run, lambda dataset: replace(dataset, objects=dataset.objects[:1]))
    with pytest.raises(Rejected, match="is of other data than run"):
        read_data(run, here.platform)


def end(here: World, run: Run) -> str:
    """End the run as the trainer would; the state of its outcome."""
    try:
        read_data(run, here.platform)
        outcome = Outcome("succeeded", "", version="v000001")
    except DataChanged as error:
        outcome = Outcome("failed", "", reason=str(error), superseded=True)
    end_run(run, outcome, here.platform)
    return load_outcome(here.store.get(outcome_uri(ROOT, run.id))).state


def test_from_a_to_b_and_back_to_a_the_data_that_stays_is_trained(tmp_path: Path) -> None:
    """If a run of A finds B, and A lands again, A gets a new run. That holds each time it happens."""
    here = world(tmp_path)
    first = here.opened()
    for body in (b"new", b"newer"):
        here.upload(a=body)
        assert end(here, first) == "failed"
        assert end(here, here.opened()) == "succeeded"
        assert here.tick() is None
        here.upload(a=b"one")
        again = here.opened()
        assert again.dataset_digest == first.dataset_digest
        assert here.tick() is None
        first = again
    assert end(here, first) == "succeeded"
    assert here.tick() is None
    here.upload(a=b"new")
    assert here.tick() is None  # it has been trained
    assert len(here.runs()) == len(set(here.runs())) == 5
    assert {inbox_entry(one.uri)[0] for one in here.store.list(inbox(ROOT))} == set(here.runs())


@pytest.mark.parametrize(
    "outcome", [None, Outcome("succeeded", "", version="v000001"), Outcome("failed", "", reason="killed")]
)
def test_a_hint_alone_makes_no_second_run(tmp_path: Path, outcome: Outcome | None) -> None:
    """An attempt found other data, and was killed before it wrote the outcome. The run goes on, or has ended
    in another way."""
    here = world(tmp_path)
    run = here.opened()
    here.store.put(superseded_uri(ROOT, run.id), b"{}")
    if outcome:
        here.store.put(outcome_uri(ROOT, run.id), outcome.encode())
    assert here.tick() is None
