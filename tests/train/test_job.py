"""The Job of a run, as a document."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from knoll.ports import Document
from knoll.records.run import Run
from knoll.settings import Settings
from knoll.train.job import job_document

GOLDEN = Path(__file__).parent / "job.yaml"
RUN = Run(
    "digits-0123456789abcdef0123",
    "digits",
    "image-classifier",
    "0" * 64,
    "s3://knoll-models/datasets/digits/0.json",
    {},
    "",
)
TWO_NODES = replace(
    RUN, nodes=2, processes_per_node=4, resources={"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "4"}
)


def document(run: Run, **settings: Any) -> Document:
    return job_document(run, Settings(**settings))


def pod(job: Document) -> Document:
    return dict(job["spec"]["template"]["spec"])


def test_the_golden_file_is_what_train_builds_for_two_nodes_with_gpus() -> None:
    """People read the file, and an API server checks it."""
    sink = "http://broker-ingress.knative-eventing.svc.cluster.local/knoll/default"
    assert yaml.safe_load(GOLDEN.read_text()) == document(
        TWO_NODES, sink=sink, trainer_node_selector={"knoll.dev/pool": "trainers"}
    )


def test_one_node_with_one_process_needs_no_group() -> None:
    """One Pod, tried again as often as the run says; nothing in it of other nodes, shared memory, GPUs or
    queues."""
    job = document(RUN)
    assert (job["spec"]["completions"], job["spec"]["parallelism"], job["spec"]["backoffLimit"]) == (1, 1, 2)
    assert "successPolicy" not in job["spec"]
    assert pod(job)["containers"][0]["env"] == []
    assert [one["name"] for one in pod(job)["volumes"]] == ["scratch"]
    assert not {"subdomain", "nodeSelector", "tolerations"} & pod(job).keys()
    assert not any(name.startswith("kueue") for name in job["metadata"]["labels"])


def test_when_one_node_fails_all_fail_and_that_is_one_try() -> None:
    """Three tries of a group of four are up to twelve failed Pods."""
    assert document(replace(RUN, nodes=4, retries=2))["spec"]["backoffLimit"] == 11


def test_processes_of_one_node_share_memory() -> None:
    """Without a folder of its own, /dev/shm has 64 MiB in a container."""
    job = document(replace(RUN, processes_per_node=2))
    assert {"name": "shared", "emptyDir": {"medium": "Memory"}} in pod(job)["volumes"]
    assert {"name": "shared", "mountPath": "/dev/shm"} in pod(job)["containers"][0]["volumeMounts"]
    assert pod(job)["containers"][0]["env"] == []


def test_a_queue_is_named_on_the_job_alone() -> None:
    """Kueue admits Jobs; Pods with its label would be admitted a second time."""
    job = document(RUN, queue_name="training", priority_class="low")
    queue = {"kueue.x-k8s.io/queue-name": "training", "kueue.x-k8s.io/priority-class": "low"}
    assert queue.items() <= job["metadata"]["labels"].items()
    assert not queue.keys() & job["spec"]["template"]["metadata"]["labels"].keys()


def test_host_names_fit_into_a_label_at_the_longest() -> None:
    """The name of a Pod of an Indexed Job is the host name of its container: 63 characters at most."""
    longest = replace(RUN, id="a" * 39 + "-" + "0" * 20, nodes=64)
    job = document(longest)
    assert len(f"{job['metadata']['name']}-{job['spec']['completions'] - 1}") == 63


def test_the_trainer_is_told_of_a_bucket_that_is_not_the_usual_one() -> None:
    """It reads everything else from there."""
    assert {"name": "KNOLL_MODEL_BUCKET", "value": "ours"} in pod(document(RUN, model_bucket="ours"))[
        "containers"
    ][0]["env"]


def test_only_a_training_of_a_platform_that_verifies_gets_the_key_to_sign() -> None:
    """The Secret must be there: a Pod without it waits, and says so. Keys that are accepted come from the
    ConfigMap at each start."""
    (container,) = pod(document(RUN, verify_key="a public key"))["containers"]
    assert container["env"] == [
        {
            "name": "KNOLL_SIGN_KEY",
            "valueFrom": {"secretKeyRef": {"name": "knoll-signing", "key": "private.pem"}},
        },
        {
            "name": "KNOLL_VERIFY_KEY",
            "valueFrom": {"configMapKeyRef": {"name": "knoll", "key": "KNOLL_VERIFY_KEY", "optional": True}},
        },
    ]
    assert "knoll-signing" not in str(document(RUN))
