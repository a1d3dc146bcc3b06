"""What every adapter of `ports.Cluster` promises. Only documents that a real API server takes: an adapter is
one more parameter."""

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_kubernetes import KubernetesCluster
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.errors import AlreadyExists, Conflict, KnollError, NotFound, Rejected
from knoll.ports import Cluster, Document

_LABELS = {"app.kubernetes.io/managed-by": "knoll", "knoll.dev/model": "digits"}


@pytest.fixture(params=["memory", "local", pytest.param("kubernetes", marks=pytest.mark.cluster)])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Each adapter, empty."""
    if request.param == "kubernetes":
        return KubernetesCluster(request.getfixturevalue("namespace"))
    if request.param == "memory":
        return MemoryCluster("default", SystemClock())
    return LocalCluster(request.getfixturevalue("tmp_path") / "knoll.db", "default", SystemClock())


def model(name: str = "digits", **labels: str) -> Document:
    return {
        "apiVersion": "knoll.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": name, "labels": labels},
        "spec": {"family": "image-classifier", "dataset": {"uri": "s3://datasets/digits/"}},
    }


def job(name: str = "digits-1f0c", **labels: str) -> Document:
    pod = {
        "restartPolicy": "Never",
        "containers": [{"name": "trainer", "image": "knoll-trainer", "args": [name]}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {"suspend": True, "backoffLimit": 2, "template": {"spec": pod}},
    }


def inference_service(name: str = "digits", **labels: str) -> Document:
    containers = [{"name": "kserve-container", "image": "knoll-predictor", "args": ["--model", name]}]
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "labels": labels},
        "spec": {"predictor": {"minReplicas": 0, "containers": containers}},
    }


@pytest.mark.parametrize("build", [model, job, inference_service])
def test_an_object_comes_back_as_it_was_created_with_what_the_server_adds(
    cluster: Cluster, build: Callable[..., Document]
) -> None:
    """Create and get answer the same object: the given one, its identity, generation 1, and no status."""
    document = build() | {"status": {"phase": "forged"}}
    created = cluster.create(document)
    metadata = created["metadata"]
    assert metadata["uid"]
    assert metadata["resourceVersion"]
    assert metadata["creationTimestamp"].endswith("Z")
    assert metadata["generation"] == 1
    assert metadata["namespace"]
    assert created["spec"].keys() >= document["spec"].keys()
    assert "phase" not in created.get("status", {})
    found = cluster.get(document["kind"], document["metadata"]["name"])
    assert (found["metadata"]["uid"], found["spec"]) == (metadata["uid"], created["spec"])


def test_an_object_that_has_changed_is_not_deleted_by_who_has_read_it_before(cluster: Cluster) -> None:
    read = cluster.create(model("digits"))
    changed = cluster.update({**read, "status": {"phase": "Idle"}}, status=True)
    with pytest.raises(Conflict):
        cluster.delete("Model", "digits", version=read["metadata"]["resourceVersion"])
    cluster.delete("Model", "digits", version=changed["metadata"]["resourceVersion"])
    with pytest.raises(NotFound):
        cluster.delete("Model", "digits", version=changed["metadata"]["resourceVersion"])


def test_a_name_is_taken_until_its_object_is_deleted(cluster: Cluster) -> None:
    """A second create raises AlreadyExists; after the deletion the name is free, and another object has
    another uid."""
    first = cluster.create(model())
    with pytest.raises(AlreadyExists):
        cluster.create(model())
    assert cluster.create(inference_service())["metadata"]["name"] == "digits"
    cluster.delete("Model", "digits")
    assert cluster.create(model())["metadata"]["uid"] != first["metadata"]["uid"]


def test_what_is_not_there_is_not_found(cluster: Cluster) -> None:
    """Get, update and delete of a missing object raise NotFound."""
    gone = cluster.create(model())
    cluster.delete("Model", "digits")
    for act in (
        lambda: cluster.get("Model", "digits"),
        lambda: cluster.update(gone),
        lambda: cluster.delete("Model", "digits"),
    ):
        with pytest.raises(NotFound):
            act()


def test_a_list_has_the_objects_of_one_kind_that_carry_all_labels_by_name(cluster: Cluster) -> None:
    """Labels select; without labels all objects of the kind are listed, and those of other kinds never."""
    for name, labels in (("b", _LABELS), ("a", _LABELS), ("c", {"knoll.dev/model": "digits"})):
        cluster.create(job(name, **labels))
    cluster.create(model("d", **_LABELS))
    assert [one["metadata"]["name"] for one in cluster.list("Job", _LABELS)] == ["a", "b"]
    assert [one["metadata"]["name"] for one in cluster.list("Job")] == ["a", "b", "c"]
    assert cluster.list("Job", {"knoll.dev/model": "other"}) == []


def test_the_quotas_of_a_namespace_are_listed(cluster: Cluster) -> None:
    metadata, spec = {"name": "team"}, {"hard": {"requests.nvidia.com/gpu": "1"}}
    cluster.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec})
    assert [one["spec"]["hard"] for one in cluster.list("ResourceQuota")] == [spec["hard"]]


def test_a_spec_and_a_status_are_written_apart(cluster: Cluster) -> None:
    """An update keeps the stored status and counts the generation; a status update keeps everything else and
    does not count."""
    created = cluster.create(model())
    phase = {"conditions": [], "phase": "Canary"}
    forged_spec = {**created["spec"], "family": "dcgan"}
    after_status = cluster.update({**created, "spec": forged_spec, "status": phase}, status=True)
    assert after_status["status"] == phase
    assert after_status["spec"] == created["spec"]
    assert after_status["metadata"]["generation"] == 1
    after_spec = cluster.update({**after_status, "spec": forged_spec, "status": {"phase": "Baking"}})
    assert after_spec["status"] == phase
    assert after_spec["spec"] == forged_spec
    assert after_spec["metadata"]["generation"] == 2
    assert cluster.get("Model", "digits") == after_spec


def test_labels_change_without_a_new_generation(cluster: Cluster) -> None:
    """Metadata is no spec: a new label is a new resourceVersion and the same generation."""
    created = cluster.create(model())
    labelled = deepcopy(created)
    labelled["metadata"]["labels"] = {"team": "vision"}
    written = cluster.update(labelled)
    assert written["metadata"]["labels"] == {"team": "vision"}
    assert written["metadata"]["generation"] == 1
    assert written["metadata"]["resourceVersion"] != created["metadata"]["resourceVersion"]


@pytest.mark.parametrize("status", [False, True])
def test_a_write_that_changes_nothing_keeps_the_resource_version(cluster: Cluster, status: bool) -> None:
    """Writing back what was read wakes nobody."""
    created = cluster.create(model())
    current = cluster.update({**created, "status": {"phase": "Canary"}}, status=True)
    assert cluster.update(current, status=status) == current


@pytest.mark.parametrize("status", [False, True])
def test_an_update_on_an_old_reading_conflicts(cluster: Cluster, status: bool) -> None:
    """Only the resourceVersion that was read last may be written; the stored object stays as it is."""
    old = cluster.create(model())
    current = cluster.update({**old, "status": {"phase": "Canary"}}, status=True)
    with pytest.raises(Conflict):
        cluster.update(
            {**old, "status": {"phase": "Baking"}, "spec": {**old["spec"], "family": "dcgan"}}, status=status
        )
    assert cluster.get("Model", "digits") == current


def test_an_object_of_the_same_name_is_not_the_object_that_was_read(cluster: Cluster) -> None:
    """A reading from before a deletion cannot overwrite the object's successor."""
    old = cluster.create(model())
    cluster.delete("Model", "digits")
    successor = cluster.create(model())
    with pytest.raises(Conflict):
        cluster.update({**old, "spec": {**old["spec"], "family": "dcgan"}})
    assert cluster.get("Model", "digits") == successor


def test_documents_are_copies(cluster: Cluster) -> None:
    """Changing what was given or got changes nothing in the cluster."""
    document = model()
    created = cluster.create(document)
    document["spec"]["family"] = created["spec"]["family"] = "changed"
    assert cluster.get("Model", "digits")["spec"]["family"] == "image-classifier"


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("kind", None),
        ("kind", "Modell"),
        ("apiVersion", "v1"),
        ("metadata", {}),
        ("metadata", {"name": "Digits_1"}),
        ("metadata", {"name": "digits", "labels": {"epoch": 1}}),
        ("metadata", {"name": "digits", "namespace": "elsewhere"}),
        ("metadata", {"name": "digits", "resourceVersion": "1"}),
    ],
)
def test_an_invalid_document_is_rejected(cluster: Cluster, part: str, value: object) -> None:
    """What an API server would never take raises Rejected, and nothing is stored."""
    with pytest.raises(Rejected):
        cluster.create({**model(), part: value})
    assert cluster.list("Model") == []


def test_of_many_creators_of_one_name_exactly_one_wins(cluster: Cluster) -> None:
    """Sixteen threads create the same Job: one object, fifteen AlreadyExists."""
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda _: _outcome(lambda: cluster.create(job())), range(16)))
    assert sorted(outcomes) == [*["AlreadyExists"] * 15, "won"]


def test_of_many_updates_of_one_reading_exactly_one_wins(cluster: Cluster) -> None:
    """Sixteen threads write on the same resourceVersion: one generation more, fifteen Conflicts."""
    read = cluster.create(model())
    specs = [{**read["spec"], "family": f"family-{number}"} for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(
            pool.map(lambda spec: _outcome(lambda: cluster.update({**read, "spec": spec})), specs)
        )
    assert sorted(outcomes) == [*["Conflict"] * 15, "won"]
    assert cluster.get("Model", "digits")["metadata"]["generation"] == 2


def test_whoever_opens_a_file_that_somebody_is_just_making_waits_for_it(tmp_path: Path) -> None:
    """As the nodes of one run do, when they start at once."""
    many = 8
    at_once = threading.Barrier(many)

    def open_at_once(path: Path) -> list[Document]:
        at_once.wait()
        return LocalCluster(path, "default", SystemClock()).list("Job")

    with ThreadPoolExecutor(many) as pool:
        for number in range(30):
            assert list(pool.map(open_at_once, [tmp_path / f"{number}.db"] * many)) == [[]] * many


def test_two_processes_on_one_file_never_both_win(tmp_path: Path) -> None:
    """Two processes create the same 50 names and count up one object: every name has one creator, and no
    increment is lost."""
    path = tmp_path / "knoll.db"
    local = LocalCluster(path, "default", SystemClock())
    local.create(job("counter"))
    before = local.revision()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        wins = pool.map(_race, [path, path], chunksize=1)
    assert sum(wins) == 50
    assert len(local.list("Model")) == 50
    assert local.get("Job", "counter")["spec"]["backoffLimit"] == 2 + 2 * 25
    assert local.revision() == before + 50 + 2 * 25


def _race(path: Path) -> int:
    local = LocalCluster(path, "default", SystemClock())
    wins = [_outcome(partial(local.create, model(f"m{number}"))) for number in range(50)]
    for _ in range(25):
        while _outcome(lambda: _increment(local)) != "won":
            pass
    return wins.count("won")


def _increment(local: LocalCluster) -> None:
    counter = local.get("Job", "counter")
    local.update(
        {**counter, "spec": {**counter["spec"], "backoffLimit": counter["spec"]["backoffLimit"] + 1}}
    )


def _outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except KnollError as error:
        return type(error).__name__
    return "won"
