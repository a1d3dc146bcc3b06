"""A minute without API server and etcd: data from before, during and after it is trained once each.

The trainings are real. No version gets traffic, because no digits are recognised as well as the gate demands.
"""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from knoll.errors import StoreUnavailable
from knoll.records.outcome import outcome_uri
from knoll.records.progress import progress_uri

pytestmark = [pytest.mark.cluster, pytest.mark.outage, pytest.mark.timeout(600)]

Digits = Callable[..., Path]
Process = Callable[..., None]
Kubectl = Callable[..., str]
MINUTE = 60
STOPPED = ("kube-apiserver", "etcd")
TRAINING, UPLOADED, DURING, AFTER = MODELS = ("ongoing", "fresh", "meanwhile", "after")


@pytest.fixture
def process() -> Process:
    """A function that stops a process of the cluster, or starts the missing ones. The test is skipped if
    there is no such command."""
    command = os.environ.get("PROCESS_COMMAND")
    if not command:
        pytest.skip(
            "nothing here takes the API server away: PROCESS_COMMAND is not set; docs/cluster.md says what "
            "it means"
        )

    def call(*arguments: str) -> None:
        subprocess.run([*shlex.split(command), *arguments], check=True, capture_output=True, timeout=120)

    return call


@contextmanager
def outage(process: Process, kubectl: Kubectl) -> Iterator[float]:
    """API server and etcd are away while the block runs. Returns when that began."""
    try:
        with ThreadPoolExecutor(len(STOPPED)) as pool:
            list(pool.map(lambda name: process("stop", name), STOPPED))
        began = time.monotonic()
        assert "refused" in kubectl("get", "namespaces", "--request-timeout=2s", check=False)
        yield began
    finally:
        process("start")


def test_what_lands_around_an_outage_of_the_api_server_is_trained_once_each(
    installation: Any, digits: Digits, process: Process
) -> None:
    """One training goes on through the outage. One dataset lands just before it, one during it, and one after
    it."""
    for name in MODELS:
        declare(installation, name)
    folder = digits(count=8)
    installation.upload(TRAINING, folder)
    installation.until(lambda: is_training(installation, TRAINING), 120)
    installation.upload(UPLOADED, folder)
    with outage(process, installation.kubectl) as began:
        installation.upload(DURING, folder)
        installation.until(lambda: time.monotonic() > began + MINUTE, 2 * MINUTE)
    installation.until(lambda: done(lambda: installation.upload(AFTER, folder) or True), 60)
    installation.until(lambda: done(lambda: all(outcome(installation, name) for name in MODELS)), 240)
    installation.until(lambda: is_well(installation.kubectl, installation.folder), 180)
    for name in MODELS:
        assert (len(installation.runs(name)), len(installation.jobs(name))) == (1, 1), name
        assert (installation.versions(name), outcome(installation, name)) == (["v000001"], "succeeded"), name
        installation.forget(name)


def done(act: Callable[[], bool]) -> bool:
    """The answer of `act`; False while the store is away. A store in the same cluster is cut off while its
    node counts as lost."""
    try:
        return act()
    except StoreUnavailable:
        return False


def declare(installation: Any, name: str) -> None:
    """A Model whose versions never pass the gate."""
    installation.declare(name, training={"config": {"epochs": 1, "batchSize": 32}})
    gate = json.dumps({"spec": {"gate": {"atLeast": 1.1}}})
    installation.kubectl("patch", "model", name, "-n", installation.namespace, "--type=merge", "-p", gate)


def is_training(installation: Any, name: str) -> bool:
    """Whether the trainer of the model's run has reported progress."""
    return any(installation.record(progress_uri(installation.root, run)) for run in installation.runs(name))


def outcome(installation: Any, name: str) -> str:
    """How the model's runs ended; "" if none has."""
    return ", ".join(
        state
        for run in installation.runs(name)
        if (state := installation.record(outcome_uri(installation.root, run)).get("state"))
    )


def is_well(kubectl: Kubectl, ours: Path) -> bool:
    """Whether node, controllers and webhooks are as before: all Deployments are available, and all objects of
    knoll are admitted."""
    ready = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
    available = "jsonpath={range .items[*]}{.spec.replicas} {.status.availableReplicas}{'\\n'}{end}"
    if set(kubectl("get", "nodes", "-o", ready, check=False).split()) != {"True"}:
        return False
    counts = [
        line.split()
        for line in kubectl("get", "deployments", "-A", "-o", available, check=False).splitlines()
    ]
    admitted = kubectl("apply", "-k", str(ours), "--dry-run=server", check=False)
    return all(wanted in ("0", *there) for wanted, *there in counts) and "rror" not in admitted
