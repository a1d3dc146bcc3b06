"""The InferenceService that rollout builds, and what is read in its status."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from knoll.models import parse_model
from knoll.models.serving import LoggerSpec
from knoll.rollout.inference_service import desired, holds, inference_service
from knoll.rollout.observed import Observed, observe
from knoll.rollout.slot import Slot
from knoll.settings import Settings

ROOT = Path(__file__).parents[2]
MODEL = parse_model(yaml.safe_load((ROOT / "examples/digits/model.yaml").read_text()))
SETTINGS = Settings(sink="http://broker-ingress.knative-eventing.svc.cluster.local/knoll/default")
CANARY = Slot(champion="v000001", candidate="v000002", phase="Canary", percent=20)


def test_the_example_that_we_show_is_exactly_what_rollout_builds() -> None:
    assert yaml.safe_load((ROOT / "kserve/example.yaml").read_text()) == inference_service(
        MODEL, "v000002", 20, SETTINGS
    )


@pytest.mark.parametrize(("grpc", "name"), [(True, "h2c"), (False, "http1")])
def test_the_port_has_the_name_by_which_knative_routes_it(grpc: bool, name: str) -> None:
    """And each change of it is a difference."""
    first, other = (
        inference_service(
            MODEL.model_copy(update={"serving": MODEL.serving.model_copy(update={"grpc": one})}),
            "v000002",
            20,
            SETTINGS,
        )
        for one in (grpc, not grpc)
    )
    (port,) = first["spec"]["predictor"]["containers"][0]["ports"]
    assert (port["name"], port["containerPort"]) == (name, 8080)
    assert not holds(other, first)


@pytest.mark.parametrize(
    ("slot", "version", "canary"),
    [
        (Slot(champion="v000001"), "v000001", None),
        (CANARY, "v000002", 20),
        (replace(CANARY, phase="Deploying"), "v000002", 20),
        (replace(CANARY, champion=""), "v000002", None),
        (replace(CANARY, phase="Baking"), "v000002", None),
        (replace(CANARY, phase="RollingBack"), "v000001", 0),
        (replace(CANARY, phase="RollingBack", steps_back=True), "v000002", 0),
        (replace(CANARY, phase="Baking", steps_back=True), "v000002", None),
    ],
)
def test_what_must_serve_follows_from_the_slot(slot: Slot, version: str, canary: int | None) -> None:
    document = desired(MODEL, slot, SETTINGS)
    assert document is not None
    predictor = document["spec"]["predictor"]
    assert predictor["containers"][0]["args"][-1].endswith(f"/{version}/")
    assert predictor.get("canaryTrafficPercent") == canary


@pytest.mark.parametrize("slot", [Slot(), replace(CANARY, champion="", phase="RollingBack")])
def test_without_a_champion_nothing_serves(slot: Slot) -> None:
    assert desired(MODEL, slot, SETTINGS) is None


@pytest.mark.parametrize(
    ("live", "wanted", "same"),
    [
        ({"a": 1, "defaulted": 2}, {"a": 1}, True),
        ({"a": 2}, {"a": 1}, False),
        ({}, {"a": 1}, False),
        ({"list": [{"a": 1, "defaulted": 2}]}, {"list": [{"a": 1}]}, True),
        ({"list": [{"a": 1}, {"a": 2}]}, {"list": [{"a": 1}]}, False),
        ({"canaryTrafficPercent": 20, "a": 1}, {"a": 1}, False),
        ({"canaryTrafficPercent": 0}, {"canaryTrafficPercent": 0}, True),
    ],
)
def test_defaults_of_the_server_are_no_difference_and_a_canary_field_is(
    live: Any, wanted: Any, same: bool
) -> None:
    assert holds(live, wanted) is same


def service(ready: str, *traffic: dict[str, Any], address: str = "") -> dict[str, Any]:
    predictor: dict[str, Any] = {
        "latestCreatedRevision": "two",
        "latestReadyRevision": ready,
        "traffic": list(traffic),
    }
    if address:
        predictor["address"] = {"url": address}
    return {"metadata": {"generation": 2}, "status": {"components": {"predictor": predictor}}}


def revision(
    version: str = "v000002", status: str = "True", reason: str = "", message: str = ""
) -> dict[str, Any]:
    ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
    return {"metadata": {"labels": {"knoll.dev/version": version}}, "status": {"conditions": [ready]}}


NEWEST = {"revisionName": "two", "percent": 20, "tag": "latest", "url": "http://latest.gateway"}
OLDER = {"revisionName": "one", "percent": 80, "tag": "prev", "url": "http://prev.gateway"}


def test_a_ready_candidate_is_seen_with_its_part_of_the_traffic_and_its_route() -> None:
    found = observe(service("two", NEWEST, OLDER), revision(), "v000002")
    assert found == Observed(
        is_ready=True,
        percent=20,
        tagged_url="http://latest.gateway",
        champion_url="http://prev.gateway",
    )


def test_on_a_cluster_the_tagged_route_is_the_one_that_resolves_there() -> None:
    found = observe(
        service("two", NEWEST, OLDER, address="http://digits-predictor.knoll.svc.cluster.local"),
        revision(),
        "v000002",
    )
    assert found.tagged_url == "http://latest-digits-predictor.knoll.svc.cluster.local"


def test_what_is_seen_of_another_version_says_nothing_about_the_wanted_one() -> None:
    assert observe(service("two", NEWEST), revision("v000001"), "v000002") == Observed()
    assert observe(service("two", NEWEST), None, "v000002") == Observed()


@pytest.mark.parametrize(
    ("reason", "is_final"),
    [
        ("ExitCode65", True),
        ("ExitCode137", True),
        ("ProgressDeadlineExceeded", True),
        ("ExitCode75", False),
        ("Unschedulable", False),
    ],
)
def test_only_a_failure_that_stays_ends_the_trial_at_once(reason: str, is_final: bool) -> None:
    """A store that was away for a moment, or a node that is full, must not cost a good version its future."""
    found = observe(service("one", OLDER), revision(status="False", reason=reason, message="why"), "v000002")
    assert (found.is_ready, found.percent) == (False, 0)
    assert (found.failure, found.trouble) == (f"{reason}: why" if is_final else "", f"{reason}: why")


def test_a_server_that_crashes_is_heard_of_before_its_revision_says_so() -> None:
    """Knative calls a Revision failed only when its progress deadline is over; the Pod knows at once."""
    ended = {"exitCode": 65, "message": "model.onnx is not what was trained"}
    pod = {
        "status": {
            "containerStatuses": [
                {"name": "kserve-container", "state": {"waiting": {}}, "lastState": {"terminated": ended}}
            ]
        }
    }
    found = observe(service("one", OLDER), revision(status="Unknown", reason="Deploying"), "v000002", [pod])
    assert found.failure == "ExitCode65: model.onnx is not what was trained"


def test_predictors_are_told_what_to_log_and_where_they_are() -> None:
    """A Model without a log has the InferenceService that it had."""

    def told(logger: LoggerSpec | None) -> dict[str, str]:
        serving = MODEL.serving.model_copy(update={"logger": logger})
        document = inference_service(
            MODEL.model_copy(update={"serving": serving}), "v000001", None, Settings(namespace="shop")
        )
        (container,) = document["spec"]["predictor"]["containers"]
        return {one["name"]: one["value"] for one in container.get("env", [])}

    assert told(None) == {}
    assert told(LoggerSpec(mode="response")) == {
        "KNOLL_LOG_SHARE": "100",
        "KNOLL_LOG_MODE": "response",
        "KNOLL_NAMESPACE": "shop",
    }
