"""What humans do to an InferenceService: an edit is told and stays; what KServe changes in it is no edit."""

import json
from contextlib import suppress
from typing import Any

import pytest

from knoll.errors import KnollError
from knoll.kube.annotations import ROLLOUT_WISH
from knoll.rollout.wishes import new_wish

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

STARTED = ["Start 0", "Shift 20"]
ENDED = ["Shift 50", "Bake 100", "Promote 100"]


def test_an_edit_holds_a_canary_until_somebody_resumes_it(
    installation: Any, seven: dict[str, Any], first: None
) -> None:
    def ask() -> int:
        return int(installation.predict("edited", seven).status_code)

    def champion_after_requests(version: str) -> None:
        installation.until(
            lambda: ask() == 200 and installation.status("edited").get("champion") == version, 240
        )
        installation.wait_for_champion("edited", version)

    def patch(**fields: int) -> None:
        body = json.dumps({"spec": {"predictor": fields}})
        place = ("inferenceservice", "edited", "-n", installation.namespace)
        installation.kubectl("patch", *place, "--type=merge", "-p", body)

    def predictor() -> dict[str, Any]:
        found: dict[str, Any] = installation.isvc("edited")["spec"]["predictor"]
        return found

    def steering() -> dict[str, Any]:
        found: dict[str, Any] = installation.status("edited")["steering"]
        return found

    installation.declare("edited", idle="hold", minRequests=10)
    installation.give_version(("digits", "v000001"), ("edited", "v000001"))
    installation.until(lambda: installation.status("edited").get("rollout", {}).get("seen"), 120)
    champion_after_requests("v000001")
    assert steering()["edit"] is None
    assert steering()["written"] == installation.isvc("edited")["metadata"]["generation"]
    patch(timeout=90)
    installation.give_version(("digits", "v000001"), ("edited", "v000002"))
    installation.until(lambda: installation.steps("edited", "v000002") == STARTED, 120)
    patch(maxReplicas=3)
    installation.until(lambda: steering()["edit"], 60)
    assert steering()["edit"]["fields"] == ["predictor.maxReplicas"]
    assert steering()["edit"]["by"].startswith("kubectl")
    for _ in range(30):
        ask()
    installation.tick()
    installation.tick()
    assert (predictor()["maxReplicas"], predictor()["canaryTrafficPercent"]) == (3, 20)
    wish = new_wish("resume", "v000002", "ann", "")
    place = ("model", "edited", "-n", installation.namespace)
    installation.kubectl("annotate", *place, f"{ROLLOUT_WISH}={wish.encode()}")
    installation.until(lambda: predictor()["maxReplicas"] == 2, 60)
    champion_after_requests("v000002")
    assert installation.steps("edited", "v000002") == [*STARTED, "Edit 20", "Unedit 20", *ENDED]
    assert predictor()["timeout"] == 90
    installation.forget("edited")


def test_a_deleted_inference_service_comes_back_with_the_champion_alone(
    installation: Any, seven: dict[str, Any], first: None
) -> None:
    """KServe gives a version all traffic if it finds no other one, whatever percentage is asked for."""
    found: list[int] = []

    def has_begun_again() -> bool:
        with suppress(KnollError):
            found.append(installation.share_of("bereft", "v000002"))
        return bool(installation.steps("bereft", "v000002") == [*STARTED, "Withdraw 0", *STARTED])

    installation.declare("bereft", idle="hold", minRequests=10)
    installation.give_version(("digits", "v000001"), ("bereft", "v000001"))
    installation.until(lambda: installation.status("bereft").get("rollout", {}).get("seen"), 120)
    installation.until(
        lambda: (
            installation.predict("bereft", seven).status_code == 200
            and installation.status("bereft").get("champion") == "v000001"
        ),
        240,
    )
    installation.give_version(("digits", "v000001"), ("bereft", "v000002"))
    installation.until(lambda: installation.steps("bereft", "v000002") == STARTED, 120)
    installation.kubectl("delete", "inferenceservice", "bereft", "-n", installation.namespace, "--wait")
    installation.until(has_begun_again, 240)
    installation.until(lambda: installation.status("bereft").get("rollout", {}).get("seen"), 60)
    assert has_begun_again()
    assert max(found) <= 20
    installation.forget("bereft")
