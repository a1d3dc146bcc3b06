"""Looking at the bucket: what is read of it, how often, and what a look remembers of those before it."""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.platform import memory_platform
from knoll.adapters.memory.store import MemoryStore
from knoll.events import Event
from knoll.ingest.look import dataset_status, look, look_and_learn
from knoll.ingest.verdict import Landed, Waiting
from knoll.models import Model, parse_model
from knoll.ports import Platform
from knoll.records.checksums import checksums_uri
from knoll.records.dataset import dataset_uri

PREFIX = "s3://data/digits/"
ROOT = "s3://knoll-models"


def refuse(event: Event) -> None:
    """Look at the bucket without a word to others."""
    raise AssertionError(f"a look publishes nothing: {event}")


class CountingStore(MemoryStore):
    """A store that notes what is read of the users' objects, and which prefixes are listed."""

    def __init__(self, time: MemoryClock) -> None:
        super().__init__(lambda: time.present)
        self.read: list[str] = []
        self.listed: list[str] = []

    def get(self, uri: str, **options: Any) -> bytes:
        self.read += [uri.removeprefix(PREFIX)] if uri.startswith(PREFIX) else []
        return super().get(uri, **options)

    def list(self, prefix: str, **options: Any) -> Any:
        self.listed.append(prefix)
        return super().list(prefix, **options)


@dataclass
class World:
    """One model's data, and what its Model's status says of it: `look` does what ingest does with a
    verdict."""

    model: Model
    platform: Platform
    store: CountingStore
    time: MemoryClock
    status: dict[str, Any] = field(default_factory=dict)

    def upload(self, **bodies: str) -> None:
        for name, body in bodies.items():
            self.store.put(PREFIX + name, body.encode())

    def marked(self, **bodies: str) -> None:
        """Upload and write the marker, each in a second of its own."""
        self.time.move(1)
        self.upload(**bodies)
        self.time.move(1)
        self.store.put(f"{PREFIX}_SUCCESS", b"")

    def manifest(self, **bodies: str) -> None:
        """Write a manifest that lists these bodies."""
        entries = [
            {"path": name, "sha256": sha256(body.encode()).hexdigest()} for name, body in bodies.items()
        ]
        self.store.put(f"{PREFIX}manifest.json", json.dumps(entries).encode())

    def look(self, *, may_read: bool = True) -> Landed | Waiting:
        self.store.read.clear()
        self.store.listed.clear()
        see = look_and_learn if may_read else look
        verdict = see(self.model, self.platform, before=self.status)
        self.status = dataset_status(self.model, verdict, self.status)
        for one in verdict.datasets if isinstance(verdict, Landed) else ():
            if not list(MemoryStore.list(self.store, dataset_uri(ROOT, "digits", one.digest))):
                self.store.put(dataset_uri(ROOT, "digits", one.digest), one.encode())
        return verdict


def world(**landed: object) -> World:
    time = MemoryClock()
    store = CountingStore(time)
    platform = memory_platform(time, store=store, events=MemoryEvents(before=refuse))
    document = {
        "apiVersion": "knoll.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": "digits"},
        "spec": {"family": "image-classifier", "dataset": {"uri": PREFIX, "landed": landed}},
    }
    return World(parse_model(document), platform, store, time)


def names(verdict: Landed | Waiting) -> str:
    """The objects of the one dataset that has landed."""
    assert isinstance(verdict, Landed), verdict
    return "".join(one.uri.removeprefix(PREFIX) for one in verdict.datasets[0].objects)


def reason(verdict: Landed | Waiting) -> str:
    assert isinstance(verdict, Waiting), verdict
    return verdict.what


def test_each_object_of_a_manifest_is_read_once_and_again_only_when_it_is_another() -> None:
    """The sha256 that is wanted is that of the bytes; what nobody lists is not read at all."""
    here = world(when="manifest")
    here.upload(a="one", b="two", c="not listed")
    here.manifest(a="one", b="two")
    assert names(here.look()) == "ab"
    assert sorted(here.store.read) == ["a", "b", "manifest.json"]
    assert names(here.look()) == "ab"
    assert here.store.read == ["manifest.json"]
    here.upload(b="other")
    assert f"b has sha256 {sha256(b'other').hexdigest()}" in reason(here.look())
    assert here.store.read == ["manifest.json", "b"]
    assert "b has sha256" in reason(here.look())
    assert here.store.read == ["manifest.json"]
    here.manifest(a="one", b="other")
    assert names(here.look()) == "ab"
    assert here.store.read == ["manifest.json"]


def test_what_only_a_newer_knoll_says_of_the_data_stays_until_other_data_landed() -> None:
    here = world(when="marker")
    here.marked(a="one")
    here.look()
    here.status["addedLater"] = 1
    for bodies in ({"a": "one"}, {}):
        here.upload(**bodies)
        here.look()
        assert here.status["addedLater"] == 1
    here.marked(b="two")
    here.look()
    assert here.status["state"] == "Landed"
    assert "addedLater" not in here.status


def test_a_large_object_is_read_in_parts_and_an_empty_one_not_at_all() -> None:
    here = world(when="manifest")
    bodies = {"large": "x" * (20 * 2**20), "empty": ""}
    here.upload(**bodies)
    here.manifest(**bodies)
    assert names(here.look()) == "emptylarge"
    assert here.store.read == ["manifest.json", "large", "large", "large"]


def test_a_look_reads_for_some_seconds_and_the_next_one_goes_on() -> None:
    """However much there is to read, a look ends, some of it is done, and it says how much is left."""
    here = world(when="manifest")
    bodies = {f"{number:02d}": str(number) for number in range(20)}
    here.upload(**bodies)
    here.manifest(**bodies)
    here.time.step = 3.0
    left = [20]
    while isinstance(verdict := here.look(), Waiting):
        assert f"the sha256 of {len(verdict.unread)} of 20 is still to be read" in here.status["reason"]
        assert len(verdict.unread) < left[-1]
        left.append(len(verdict.unread))
    assert len(left) > 3
    assert len(verdict.datasets[0].objects) == 20


@pytest.mark.parametrize("record", [b"", b"{}", b"[1, 2]", b'[["a"]]', b"null"])
def test_a_record_of_sha256_that_nobody_understands_is_made_again(record: bytes) -> None:
    here = world(when="manifest")
    here.upload(a="one")
    here.manifest(a="one")
    here.store.put(checksums_uri(ROOT, "digits"), record)
    assert names(here.look()) == "a"


def test_who_only_watches_reads_no_data() -> None:
    """What is not known yet is said to be unread, and nothing is written."""
    here = world(when="manifest")
    here.upload(a="one")
    here.manifest(a="one")
    before = list(here.store.list(f"{ROOT}/"))
    assert "still to be read" in reason(here.look(may_read=False))
    assert here.store.read == ["manifest.json"]
    assert list(here.store.list(f"{ROOT}/")) == before


def test_deleting_objects_under_a_marker_is_no_new_dataset_until_it_is_written_again() -> None:
    """Whatever has landed before: the same data twice, with other data between, included."""
    here = world()
    here.marked(a="1", b="2", c="3")
    assert names(here.look()) == "abc"
    here.marked(a="other")
    assert names(here.look()) == "abc"
    here.marked(a="1")
    assert names(here.look()) == "abc"
    for name in "ab":
        here.store.delete(PREFIX + name)
        assert reason(here.look()) == (
            "objects were deleted after the data landed. To train on what is left, write _SUCCESS again"
        )
    here.marked()
    assert names(here.look()) == "c"


@pytest.mark.parametrize("keeps_status", [True, False])
def test_a_status_that_is_lost_is_made_up_for_by_the_newest_snapshot(keeps_status: bool) -> None:
    here = world()
    here.marked(a="1", b="2")
    assert names(here.look()) == "ab"
    here.status = here.status if keeps_status else {}
    here.store.delete(f"{PREFIX}a")
    assert reason(here.look()).startswith("objects were deleted")


def test_data_that_landed_and_stays_costs_one_listing() -> None:
    """However often data has landed before: a tick asks for the prefix, and for nothing else."""
    for when in ("marker", "quiet"):
        here = world(when=when)
        here.marked(a="1")
        here.time.move(60)
        here.look()
        assert isinstance(here.look(), Landed)
        assert here.store.listed == [PREFIX]


def test_quiet_counts_what_has_changed_since_the_last_landing_even_if_that_landed_before() -> None:
    """A, B, A, and one more object: of the two that are there one has changed, so two are not enough yet."""
    here = world(when="quiet", quiet="30s", maxObjects=2)
    for body in ("1", "2", "1"):
        here.upload(a=body)
        here.time.move(60)
        assert names(here.look()) == "a"
    here.upload(b="new")
    here.time.move(1)
    assert "2 objects are there, 1 changed" in reason(here.look())
    here.upload(c="new")
    assert names(here.look()) == "abc"


def test_the_status_stays_while_one_object_after_the_other_lands() -> None:
    """Where each object is a dataset, ten thousand of them must not be ten thousand writes of the Model."""
    here = world(when="object")
    shown = []
    for name in "ab":
        here.upload(**{name: name})
        shown.append(dataset_status(here.model, look(here.model, here.platform, PREFIX + name), {}))
    assert shown[0] == shown[1] == {"state": "Landed", "reason": "1 object"}
