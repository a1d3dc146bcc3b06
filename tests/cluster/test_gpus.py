"""Rollouts on a cluster with a single GPU: one version at a time, and never a deadlock.

Setup        an installation in a namespace of its own; the nodes say that one of them has a GPU
Requirement  the champion sleeps when nobody asks
Must         with `resource` the next version takes over; with `availability` it waits, says why, and the
             champion answers
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

GPU = "nvidia.com/gpu"
NEXT = ["Start 0", "Shift 100", "Bake 100", "Promote 100"]


@pytest.fixture
def one_gpu(installation: Any) -> Iterator[None]:
    """A node tells of a GPU; nothing in this test computes with it. A quota lets the namespace have one."""
    node = json.loads(installation.kubectl("get", "nodes", "-o", "json"))["items"][0]["metadata"]["name"]
    quota = ("resourcequota", "gpus", "-n", installation.namespace)

    def patch(operation: str, **value: str) -> None:
        place = [{"op": operation, "path": f"/status/capacity/{GPU.replace('/', '~1')}", **value}]
        installation.kubectl(
            "patch", "node", node, "--subresource=status", "--type=json", "-p", json.dumps(place)
        )

    patch("add", value="1")
    installation.kubectl("create", "quota", *quota[1:], f"--hard=requests.{GPU}=1")
    try:
        yield
    finally:
        installation.kubectl("delete", *quota)
        patch("remove")


@pytest.mark.usefixtures("one_gpu", "first")
def test_with_one_gpu_a_version_waits_or_takes_over(installation: Any, seven: dict[str, Any]) -> None:
    def serves(version: str) -> bool:
        answer = installation.predict("single", seven)
        return bool(answer.status_code == 200 and installation.status("single").get("champion") == version)

    one = {GPU: "1"}
    installation.declare("single", resources=one, idle="replay")
    first = installation.try_candidate("good", "single")
    installation.until(lambda: installation.status("single").get("rollout", {}).get("seen"), 120)
    installation.until(lambda: serves(first), 240)
    installation.wait_for_champion("single", first)
    second = installation.try_candidate("good", "single")
    installation.until(lambda: installation.status("single").get("noRoom"), 120)
    assert GPU in json.dumps(installation.status("single")["noRoom"])
    assert serves(first)
    assert installation.steps("single", second) == []
    installation.declare("single", resources=one, idle="replay", strategy="resource")
    installation.wait_for_champion("single", second, 600)
    assert installation.steps("single", second) == NEXT
    assert serves(second)
    installation.forget("single")
