"""Why a Pod does not start, and how it ended, in the words of the kubelet and the scheduler."""

from typing import Any

import pytest

from knoll.kube.jobs import TrainerEnd
from knoll.train.pods import last_end, obstacle

KILLED = "killed, probably out of memory: asked for 2Gi"


def pod(phase: str, *, state: Any = None, conditions: Any = (), **status: Any) -> dict[str, Any]:
    containers = [{"name": "trainer", "state": state}] if state else []
    asked = {"name": "trainer", "resources": {"requests": {"memory": "2Gi"}}}
    return {
        "metadata": {},
        "spec": {"containers": [asked]},
        "status": {"phase": phase, "containerStatuses": containers, "conditions": list(conditions), **status},
    }


def scheduled(status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": "PodScheduled", "status": status, "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (
            pod("Pending", conditions=[scheduled("False", "Unschedulable", "0/3 nodes")]),
            "the scheduler finds no node for its Pod: 0/3 nodes",
        ),
        (
            pod(
                "Pending", state={"waiting": {"reason": "ImagePullBackOff", "message": "back-off\n pulling"}}
            ),
            "its image cannot be pulled (ImagePullBackOff): back-off pulling",
        ),
        (
            pod(
                "Pending", state={"waiting": {"reason": "ContainerCreating"}}, conditions=[scheduled("True")]
            ),
            "",
        ),
        (pod("Pending", conditions=[scheduled("False", "SchedulingGated")]), ""),
        (pod("Running", state={"running": {}}, conditions=[scheduled("True")]), ""),
        (pod("Failed", state={"terminated": {"exitCode": 1}}), ""),
        ({}, ""),
    ],
)
def test_why_a_pod_does_not_start(found: dict[str, Any], why: str) -> None:
    """A Pod that is being created will start, so nothing is said about it."""
    assert obstacle(found) == why


def test_an_obstacle_fits_into_a_table() -> None:
    """A long message of the scheduler is cut."""
    assert (
        len(obstacle(pod("Pending", conditions=[scheduled("False", "Unschedulable", "taint " * 100)]))) == 200
    )


@pytest.mark.parametrize(
    ("found", "end"),
    [
        (
            pod("Failed", state={"terminated": {"reason": "OOMKilled", "exitCode": 137}}),
            TrainerEnd(f"{KILLED}, used all of it: OOMKilled, exit code 137", 137, lacked_memory=True),
        ),
        (
            pod("Failed", state={"terminated": {"reason": "Error", "exitCode": 137}}),
            TrainerEnd(f"{KILLED}, used an unknown amount: Error, exit code 137", 137, lacked_memory=True),
        ),
        (
            pod(
                "Failed",
                state={"terminated": {"reason": "Error", "exitCode": 137}},
                conditions=[{"type": "DisruptionTarget", "status": "True"}],
            ),
            TrainerEnd("Error, exit code 137", 137),
        ),
        (
            pod("Failed", state={"terminated": {"reason": "Error", "exitCode": 1, "message": "last line"}}),
            TrainerEnd("Error, exit code 1: last line", 1),
        ),
        (pod("Failed", reason="Evicted", message="low on memory"), TrainerEnd("Evicted: low on memory")),
        (pod("Failed", reason="DeadlineExceeded"), TrainerEnd("DeadlineExceeded")),
        (pod("Failed"), TrainerEnd("nothing says why it failed")),
        (pod("Succeeded", state={"terminated": {"reason": "Completed", "exitCode": 0}}), None),
    ],
)
def test_how_a_pod_ended(found: dict[str, Any], end: TrainerEnd | None) -> None:
    """The Pod's own reason, then its container's."""
    assert last_end([found]) == end
