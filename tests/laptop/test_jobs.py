import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.errors import NotFound, Rejected
from knoll.kube.jobs import job_failure
from knoll.laptop.containers import image_name
from knoll.laptop.jobs.attempts import (
    Action,
    Fail,
    JobAttempt,
    JobWait,
    Obstacle,
    Remove,
    Retry,
    Start,
    Succeed,
    Terminate,
    next_action,
)
from knoll.laptop.jobs.logs import job_logs
from knoll.laptop.jobs.runner import JobRunner
from knoll.laptop.resources import Resources, shortage
from knoll.ports import Document
from knoll.quantities import parse_quantity

Until = Callable[..., None]

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NO_GPU = Obstacle("NoRoom", "it asks for nvidia.com/gpu 1, this machine has 0")
RULES = [
    {"action": "FailJob", "onExitCodes": {"containerName": "trainer", "operator": "In", "values": [65]}},
    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    {"action": "FailJob", "onExitCodes": {"containerName": "trainer", "operator": "In", "values": [137]}},
]
TWO_GIGA: dict[str, Any] = {"container": {"resources": {"requests": {"memory": "2Gi"}}}}
WORKER = """
import json, os, pathlib, signal, sys, time
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
tries = folder / f"{name}.tries"
with tries.open("a") as file:
    print(json.dumps({"pid": os.getpid(), "environment": dict(os.environ)}), file=file, flush=True)
number = len(tries.read_text().splitlines())
print(f"try {number} of {name}", flush=True)
codes = (folder / f"{name}.codes").read_text().split()
code = codes[min(number, len(codes)) - 1]
if code == "slow":
    signal.signal(signal.SIGTERM, lambda *_: (time.sleep(3), sys.exit(143)))
while code in ("wait", "slow") and not (folder / f"{name}.go").exists():
    time.sleep(0.02)
sys.exit(int(code) if code.isdigit() else 0)
"""


PLATFORM = (
    "import pathlib, runpy, sys, time; "
    "it = runpy.run_path(sys.argv[1])['Laptop'](pathlib.Path(sys.argv[2])); time.sleep(600)"
)


def job(
    name: str = "digits-1", folder: Path = Path(), image: str = "ghcr.io/knoll/knoll-worker:0.1", **spec: Any
) -> Document:
    """A Job document as train builds it; `container` in `spec` is merged into its container."""
    container = {"name": "trainer", "image": image, "args": [name, str(folder)], **spec.pop("container", {})}
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, "containers": [container]}
    rules = {"podFailurePolicy": {"rules": RULES}, "backoffLimit": 2, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {**rules, **spec}}


def over(kind: str = "Complete") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T12:00:00Z"}]}


@pytest.mark.parametrize(
    ("spec", "status", "attempt", "obstacle", "seconds", "expected"),
    [
        ({}, {}, JobAttempt(), None, 0, Start()),
        ({}, {"active": 1}, JobAttempt(), None, 0, Start()),
        ({}, {}, JobAttempt(), NO_GPU, 0, JobWait(obstacle=NO_GPU)),
        ({}, {}, JobAttempt(is_running=True), None, 0, JobWait(is_running=True)),
        ({}, {}, JobAttempt(exit_code=0), None, 0, Succeed()),
        ({}, {}, JobAttempt(exit_code=75), None, 0, Retry(is_counted=True)),
        ({}, {"failed": 1}, JobAttempt(exit_code=1), None, 0, Retry(is_counted=True)),
        ({}, {"failed": 2}, JobAttempt(exit_code=143), None, 0, Retry(is_counted=False)),
        (TWO_GIGA, {}, JobAttempt(exit_code=137, peak=2**29), None, 0, Retry(is_counted=True)),
        ({"podFailurePolicy": {}}, {"failed": 1}, JobAttempt(exit_code=143), None, 0, Retry(is_counted=True)),
        (
            {},
            {},
            JobAttempt(not_before=NOON + timedelta(seconds=2)),
            None,
            1,
            JobWait(NOON + timedelta(seconds=2)),
        ),
        ({}, {}, JobAttempt(not_before=NOON + timedelta(seconds=2)), None, 2, Start()),
        (
            {"activeDeadlineSeconds": 9},
            {},
            JobAttempt(is_running=True),
            None,
            8,
            JobWait(NOON + timedelta(seconds=9), is_running=True),
        ),
        ({"activeDeadlineSeconds": 9}, {}, JobAttempt(is_running=True), None, 9, Terminate()),
        ({"activeDeadlineSeconds": 9}, {}, JobAttempt(exit_code=0), None, 10, Succeed()),
        ({"suspend": True}, {}, JobAttempt(is_running=True), None, 0, Terminate()),
        ({"suspend": True}, {}, JobAttempt(exit_code=1), None, 0, Retry(is_counted=False)),
        ({}, over("Failed"), JobAttempt(is_running=True), None, 0, Terminate()),
        ({}, over("Failed"), JobAttempt(), None, 10**6, JobWait()),
        (
            {"ttlSecondsAfterFinished": 60},
            over(),
            JobAttempt(),
            None,
            59,
            JobWait(NOON + timedelta(seconds=60)),
        ),
        ({"ttlSecondsAfterFinished": 60}, over(), JobAttempt(), None, 60, Remove()),
    ],
)
def test_next_action(
    spec: dict[str, Any],
    status: dict[str, Any],
    attempt: JobAttempt,
    obstacle: Obstacle | None,
    seconds: int,
    expected: Action,
) -> None:
    """One step follows from the document, the attempt and the time alone."""
    document = {**job(**spec), "status": {"startTime": "2026-01-01T12:00:00Z", **status}}
    assert next_action(document, attempt, NOON + timedelta(seconds=seconds), obstacle) == expected


@pytest.mark.parametrize(
    ("status", "exit_code", "seconds", "reason"),
    [
        ({}, 65, 0, "PodFailurePolicy"),
        ({"failed": 2}, 75, 0, "BackoffLimitExceeded"),
        ({}, 143, 9, "DeadlineExceeded"),
    ],
)
def test_failure_for_good_says_why(status: dict[str, Any], exit_code: int, seconds: int, reason: str) -> None:
    """The reasons are those of Kubernetes, and the failed attempt is counted."""
    document = {**job(activeDeadlineSeconds=9), "status": {"startTime": "2026-01-01T12:00:00Z", **status}}
    action = next_action(document, JobAttempt(exit_code=exit_code), NOON + timedelta(seconds=seconds))
    assert isinstance(action, Fail)
    assert (action.reason, action.is_counted) == (reason, True)


@pytest.mark.parametrize(
    ("text", "amount"), [("500m", "0.5"), (2, "2"), ("1.5", "1.5"), ("2Gi", str(2**31)), ("1k", "1000")]
)
def test_quantities_are_read_as_kubernetes_reads_them(text: str | int, amount: str) -> None:
    """Suffixes are decimal or, with an i, binary."""
    assert parse_quantity(text) == Decimal(amount)


def test_a_wrong_quantity_is_rejected() -> None:
    """The error shows what a quantity looks like."""
    with pytest.raises(Rejected, match="4Gi"):
        parse_quantity("2 GB")


def test_shortage_names_all_that_is_lacking() -> None:
    """What fits exactly is admitted; what does not is named with its numbers."""
    capacity = Resources(Decimal(2), Decimal(100), 1)
    assert shortage(Resources(Decimal(1), Decimal(50), 1), Resources(Decimal(1), Decimal(50)), capacity) == ""
    lacking = shortage(Resources(Decimal(2), Decimal(50), 1), Resources(Decimal(1), Decimal(50), 1), capacity)
    assert lacking == (
        "it asks for cpu 2, this machine has 2, and 1 of that is taken; "
        "it asks for nvidia.com/gpu 1, this machine has 1, and 1 of that is taken"
    )


@pytest.mark.parametrize(
    "image",
    [
        "knoll-worker",
        "knoll-worker:0.1",
        "localhost:5000/a/knoll-worker@sha256:00",
        "ghcr.io/a/knoll-worker:1@sha256:0",
    ],
)
def test_registry_tag_and_digest_do_not_matter(image: str) -> None:
    """An image is known by the last part of its name."""
    assert image_name(image) == "knoll-worker"


class Laptop:
    """A document store and a runner of Jobs, whose image `knoll-worker` ends with the exit codes that a test
    lays down."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.logs = folder, folder / "logs"
        self.events = MemoryEvents()
        self.cluster = LocalCluster(folder / "knoll.db", "default", SystemClock())
        self.runner = self.new_runner()

    def new_runner(self) -> JobRunner:
        """A runner with one GPU, started."""
        entry_points: Mapping[str, list[str]] = {"knoll-worker": [sys.executable, "-c", WORKER]}
        secrets = {"knoll-s3": {"AWS_ACCESS_KEY_ID": "access"}}
        capacity = Resources(Decimal(64), Decimal(2**40), gpus=1)
        options: Any = {"capacity": capacity, "changed": self.cluster.revision, "backoff": 0.05}
        given = (entry_points, {"K_SINK": "sink"}, secrets, self.logs, SystemClock())
        runner = JobRunner(self.cluster, self.events, *given, **options)
        runner.start()
        return runner

    def create(self, codes: str, name: str = "digits-1", **spec: Any) -> None:
        """Create a Job whose attempts end with `codes` in turn; "wait" goes on until `go`, and so does
        "slow", which resists SIGTERM."""
        (self.folder / f"{name}.codes").write_text(codes)
        self.cluster.create(job(name, self.folder, **spec))

    def go(self, name: str = "digits-1") -> None:
        """Let the attempts of a Job that wait end well."""
        (self.folder / f"{name}.go").touch()

    def tries(self, name: str = "digits-1") -> list[dict[str, Any]]:
        """Pid and environment of each attempt that has begun."""
        path = self.folder / f"{name}.tries"
        return (
            [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
            if path.exists()
            else []
        )

    def status(self, name: str = "digits-1") -> dict[str, Any]:
        """The Job's status."""
        return self.cluster.get("Job", name).get("status") or {}

    def condition(self, name: str = "digits-1") -> dict[str, str]:
        """The Job's condition, or nothing."""
        return next(iter(self.status(name).get("conditions") or []), {})


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    platform = Laptop(tmp_path)
    yield platform
    platform.runner.stop()


def test_a_job_runs_to_completion(laptop: Laptop, until: Until) -> None:
    """It gets its arguments, variables, secrets and limits; its status goes as on a cluster, and each change
    of it is published."""
    limits = {"cpu": "1500m", "memory": "64Mi", "nvidia.com/gpu": 1}
    variables = [
        {"name": "PLAIN", "value": "text"},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "knoll-s3", "key": "AWS_ACCESS_KEY_ID"}}},
    ]
    container = {
        "env": variables,
        "envFrom": [{"secretRef": {"name": "knoll-s3"}}],
        "resources": {"limits": limits},
    }
    laptop.create("wait", container=container)
    until(lambda: laptop.status().get("ready") == 1 and laptop.tries())
    laptop.go()
    until(lambda: laptop.condition().get("type") == "Complete")

    environment = laptop.tries()[0]["environment"]
    expected = {
        "PLAIN": "text",
        "KEY": "access",
        "AWS_ACCESS_KEY_ID": "access",
        "K_SINK": "sink",
        "CUDA_VISIBLE_DEVICES": "0",
        "KNOLL_MEMORY": str(64 * 2**20),
    }
    assert environment.items() >= {**expected, "OMP_NUM_THREADS": "2", "KNOLL_THREADS": "2"}.items()
    status = laptop.status()
    assert (status["active"], status["ready"], status["succeeded"], status["failed"]) == (0, 0, 1, 0)
    assert status["startTime"] <= status["completionTime"]
    assert [event.data["status"]["succeeded"] for event in laptop.events.taken] == [0, 1]
    assert laptop.events.taken[-1].extensions["kind"] == "Job"
    assert [path.read_text() for path in job_logs(laptop.logs, "digits-1")] == ["try 1 of digits-1\n"]


def test_a_failing_job_is_tried_again_until_its_limit(laptop: Laptop, until: Until) -> None:
    """backoffLimit 2 means three attempts, each with a log of its own; an evicted attempt is not counted."""
    laptop.create("1 143 75 1")
    until(lambda: laptop.condition().get("type") == "Failed")
    assert laptop.condition()["reason"] == "BackoffLimitExceeded"
    assert laptop.status()["failed"] == 3
    assert [path.read_text()[:5] for path in job_logs(laptop.logs, "digits-1")] == [
        "try 1",
        "try 2",
        "try 3",
        "try 4",
    ]


def test_a_rejected_job_is_not_tried_again(laptop: Laptop, until: Until) -> None:
    """Exit code 65 fails the Job at once, by its podFailurePolicy."""
    laptop.create("65")
    until(lambda: laptop.condition().get("type") == "Failed")
    assert laptop.condition()["reason"] == "PodFailurePolicy"
    assert len(laptop.tries()) == laptop.status()["failed"] == 1


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        ({"image": "ghcr.io/other/image:1"}, "ErrImagePull", "knoll-worker"),
        (
            {"container": {"resources": {"limits": {"nvidia.com/gpu": 2}}}},
            "NoRoom",
            "it asks for nvidia.com/gpu 2, this machine has 1",
        ),
        (
            {"container": {"envFrom": [{"secretRef": {"name": "other"}}]}},
            "CreateContainerConfigError",
            'secret "other" not found',
        ),
        (
            {"container": {"env": [{"name": "A", "valueFrom": {"fieldRef": {}}}]}},
            "CreateContainerConfigError",
            "secretKeyRef",
        ),
        ({"parallelism": 2}, "Unsupported", "it asks for 2 nodes, and a laptop is one"),
    ],
)
def test_what_cannot_start_waits_and_says_why(
    laptop: Laptop, spec: dict[str, Any], reason: str, message: str, until: Until
) -> None:
    """The Job stays active; its condition Waiting has the reason that a Pod would show."""
    laptop.create("0", **spec)
    until(lambda: laptop.condition().get("reason") == reason)
    assert message in laptop.condition()["message"]
    assert (laptop.status()["active"], laptop.status()["ready"], laptop.tries()) == (1, 0, [])


def test_jobs_take_turns_on_one_gpu(laptop: Laptop, until: Until) -> None:
    """The second waits for the first, then runs on the same device."""
    container = {"resources": {"limits": {"nvidia.com/gpu": 1}}}
    laptop.create("wait", name="first", container=container)
    until(lambda: laptop.tries("first"))
    laptop.create("0", name="second", container=container)
    until(lambda: laptop.condition("second").get("reason") == "NoRoom")
    laptop.go("first")
    until(lambda: laptop.condition("second").get("type") == "Complete")
    assert {laptop.tries(name)[0]["environment"]["CUDA_VISIBLE_DEVICES"] for name in ("first", "second")} == {
        "0"
    }


def test_deleting_a_job_ends_its_attempt(
    laptop: Laptop, until: Until, is_gone: Callable[[int], bool]
) -> None:
    """The child is gone soon after the document."""
    laptop.create("wait")
    until(laptop.tries)
    laptop.cluster.delete("Job", "digits-1")
    until(lambda: is_gone(laptop.tries()[0]["pid"]))


def test_deadline_ends_a_job(laptop: Laptop, until: Until, is_gone: Callable[[int], bool]) -> None:
    """A Job that is active for longer than activeDeadlineSeconds fails, and its attempt is ended."""
    laptop.create("wait", activeDeadlineSeconds=3)
    until(laptop.tries)
    until(lambda: laptop.condition().get("reason") == "DeadlineExceeded")
    assert is_gone(laptop.tries()[0]["pid"])


def test_a_finished_job_is_removed_after_its_time(laptop: Laptop, until: Until) -> None:
    """ttlSecondsAfterFinished removes the document; the log stays."""

    def is_removed() -> bool:
        try:
            laptop.cluster.get("Job", "digits-1")
        except NotFound:
            return True
        return False

    laptop.create("0", ttlSecondsAfterFinished=1)
    until(is_removed)
    assert len(job_logs(laptop.logs, "digits-1")) == 1


def test_a_restarted_platform_takes_its_jobs_up_again(
    laptop: Laptop, until: Until, is_gone: Callable[[int], bool]
) -> None:
    """A Job that was active when the platform stopped runs again, and nothing is counted as a failure."""
    laptop.create("wait")
    until(lambda: laptop.status().get("ready") == 1 and laptop.tries())
    laptop.runner.stop()
    assert is_gone(laptop.tries()[0]["pid"])
    assert laptop.status()["active"] == 1
    laptop.go()
    laptop.runner = laptop.new_runner()
    until(lambda: laptop.condition().get("type") == "Complete")
    assert (laptop.status()["failed"], len(job_logs(laptop.logs, "digits-1"))) == (0, 2)


@pytest.mark.parametrize(("peak", "used"), [(3 * 2**29, "1.5Gi"), (0, "an unknown amount")])
def test_a_training_that_was_killed_for_want_of_memory_is_not_tried_again(peak: int, used: str) -> None:
    """It had taken half of its memory or more, or nobody knows. The message says what it asked for, and what
    it took."""
    document = {**job(**TWO_GIGA), "status": {"startTime": "2026-01-01T12:00:00Z"}}
    action = next_action(document, JobAttempt(exit_code=137, peak=peak), NOON)
    assert isinstance(action, Fail)
    words = f"killed, probably out of memory: asked for 2Gi, used {used}; Container trainer"
    assert action.message.startswith(words)


def test_a_process_that_was_killed_with_much_memory_ends_its_job_with_the_amounts(
    laptop: Laptop, until: Until
) -> None:
    """A real process, which has taken more than half of the little that it asked for."""
    laptop.create("wait", container={"resources": {"requests": {"memory": "16Mi"}}})
    until(laptop.tries)
    os.kill(laptop.tries()[0]["pid"], signal.SIGKILL)
    until(lambda: laptop.condition().get("type") == "Failed")
    told = job_failure(laptop.cluster.get("Job", "digits-1"))
    words = r"PodFailurePolicy: killed, probably out of memory: asked for 16Mi, used [\d.]+[MG]i; .*code 137 "
    assert told
    assert re.match(words, told.words), told
    assert (told.exit_code, told.lacked_memory) == (137, True)
    assert len(laptop.tries()) == 1


def test_a_killed_attempt_is_counted(laptop: Laptop, until: Until) -> None:
    """When the process is killed from outside, and not for want of memory, the attempt has failed and is made
    again."""
    laptop.create("wait 0")
    until(laptop.tries)
    os.kill(laptop.tries()[0]["pid"], signal.SIGKILL)
    until(lambda: laptop.condition().get("type") == "Complete")
    assert laptop.status()["failed"] == 1


def test_after_kill_9_no_attempt_runs_twice_at_a_time(
    laptop: Laptop, until: Until, is_gone: Callable[[int], bool]
) -> None:
    """The next platform waits until the attempt that the killed one has left is gone, then makes it again
    without counting it."""
    laptop.runner.stop()
    with subprocess.Popen([sys.executable, "-c", PLATFORM, __file__, str(laptop.folder)]) as platform:
        laptop.create("slow")
        until(lambda: laptop.status().get("ready") == 1 and laptop.tries())
        platform.kill()
    laptop.runner = laptop.new_runner()
    until(lambda: len(laptop.tries()) == 2)
    assert is_gone(laptop.tries()[0]["pid"])
    laptop.go()
    until(lambda: laptop.condition().get("type") == "Complete")
    assert laptop.status()["failed"] == 0
