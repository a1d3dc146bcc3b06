"""Other kinds of training: several Pods that find each other, and the Job of Knative's JobSink."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from knoll.records.checkpoint import checkpoints_uri
from knoll.records.manifest import load_manifest, manifest_uri
from knoll.records.progress import progress_uri

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
Digits = Callable[..., Path]


def test_two_nodes_train_one_version_together(installation: Any, digits: Digits) -> None:
    """Indexed Pods behind the headless Service meet at torchrun's rendezvous. There is one manifest, and both
    Pods end well."""
    installation.declare("pair", training={"nodes": 2, "config": {"epochs": 4, "batchSize": 32}})
    installation.upload("pair", digits(start=0))
    installation.until(lambda: installation.versions("pair") == ["v000001"], 240)
    [run] = installation.runs("pair")
    installation.until(lambda: "Complete" in conditions(installation, run), 60)
    job = installation.cluster.get("Job", run)
    assert (job["spec"]["completions"], job["spec"]["completionMode"]) == (2, "Indexed")
    assert job["status"].get("failed", 0) == 0
    manifest = load_manifest(installation.store.get(manifest_uri(installation.root, "pair", "v000001")))
    assert (manifest.run, manifest.metrics["accuracy"] > 0.6) == (run, True)
    installation.forget("pair")


def test_a_training_whose_pod_is_deleted_goes_on_from_its_checkpoint(
    installation: Any, digits: Digits
) -> None:
    """The deleted Pod counts as no try. The next one resumes, and after the end no checkpoint is left."""
    installation.declare(
        "evicted",
        training={"config": {"epochs": 300, "batchSize": 32}, "checkpoint": {"every": "2s"}, "retries": 0},
        idle="hold",
    )
    installation.upload("evicted", digits(start=10))
    installation.until(lambda: installation.runs("evicted"), 120)
    [run] = installation.runs("evicted")
    place = checkpoints_uri(installation.root, run)
    installation.until(
        lambda: any("checkpoint.json" in one.uri for one in installation.store.list(place)), 240
    )
    pods = f"batch.kubernetes.io/job-name={run}"
    installation.kubectl("delete", "pod", "-l", pods, "-n", installation.namespace, "--wait=false")
    installation.until(lambda: installation.versions("evicted") == ["v000001"], 300)
    progress = installation.record(progress_uri(installation.root, run))
    assert (progress["attempt"], progress["resumed_step"] > 0) == (2, True)
    installation.until(lambda: "Complete" in conditions(installation, run), 60)
    assert installation.cluster.get("Job", run)["status"].get("failed", 0) == 0
    installation.until(lambda: not any(installation.store.list(place)), 90)
    installation.forget("evicted")


def test_the_trainer_takes_an_event_from_a_jobsink(installation: Any, digits: Digits) -> None:
    """The sample JobSink replaces the train function: data that lands becomes one Job, and that becomes a
    version."""
    installation.declare("sunk", idle="hold")
    sample = (ROOT / "deploy" / "samples" / "jobsink.yaml").read_text()
    own = (
        sample.replace("digits", "sunk")
        .replace("image: knoll-trainer", f"image: {installation.image('trainer')}")
        .replace('cpu: "1"', "cpu: 200m")
    )
    with installation.without_trigger("knoll-train"):
        for document in yaml.safe_load_all(own):
            installation.apply(document)
        installation.kubectl(
            "wait",
            "--for=condition=Ready",
            "trigger/knoll-job-sink",
            "-n",
            installation.namespace,
            "--timeout=60s",
        )
        installation.upload("sunk", digits(start=30))
        installation.until(lambda: installation.versions("sunk") == ["v000001"], 180)
        assert len(installation.jobs("sunk")) == 1
    assert installation.runs("sunk") != installation.jobs("sunk"), "the JobSink named the Job, not we"
    installation.kubectl(
        "delete", "trigger/knoll-job-sink", "jobsink/knoll-trainer", "-n", installation.namespace
    )
    installation.forget("sunk")


def conditions(installation: Any, run: str) -> list[str]:
    """Types of the Job's true conditions."""
    status = installation.cluster.get("Job", run).get("status") or {}
    return [one["type"] for one in status.get("conditions") or [] if one["status"] == "True"]
