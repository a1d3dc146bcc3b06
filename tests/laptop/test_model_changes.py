"""Changed Models become events, whoever wrote them."""

from pathlib import Path

import pytest

from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.events import MemoryEvents
from knoll.errors import Unavailable
from knoll.events import Event
from knoll.laptop.model_changes import ModelChanges
from support.models import model_document


@pytest.fixture
def cluster(tmp_path: Path) -> LocalCluster:
    return LocalCluster(tmp_path / "knoll.db", "default", MemoryClock())


def change(cluster: LocalCluster, name: str, text: str) -> None:
    document = cluster.get("Model", name)
    metadata = {**document["metadata"], "annotations": {"a": text}}
    cluster.update({**document, "metadata": metadata})


def test_each_change_of_a_model_is_told_once(cluster: LocalCluster) -> None:
    events = MemoryEvents()
    changes = ModelChanges(cluster, events, MemoryClock())
    for name in ("beans", "digits"):
        cluster.create(model_document(name))
    changes.work()
    assert events.taken == [], "a new Model is no changed one"
    change(cluster, "digits", "1")
    changes.work()
    changes.work()
    (told,) = events.taken
    assert (told.type, told.extensions["kind"]) == ("dev.knative.apiserver.resource.update", "Model")
    assert told.data["metadata"]["name"] == "digits"


def test_a_change_that_the_broker_did_not_take_is_told_again(cluster: LocalCluster) -> None:
    faults = [Unavailable("no")]

    def refuse_once(_: Event) -> None:
        if faults:
            raise faults.pop()

    events = MemoryEvents(before=refuse_once)
    changes = ModelChanges(cluster, events, MemoryClock())
    cluster.create(model_document("digits"))
    changes.work()
    change(cluster, "digits", "1")
    with pytest.raises(Unavailable):
        changes.work()
    changes.work()
    assert len(events.taken) == 1
