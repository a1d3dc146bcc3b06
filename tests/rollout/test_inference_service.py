"""The InferenceService that rollout builds, and what is read in its status."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from knoll.models import parse_model
from knoll.rollout.inference_service import Observed, desired, holds, inference_service, observe
from knoll.rollout.slot import Slot
from knoll.settings import Settings

ROOT = Path(__file__).parents[2]
MODEL = parse_model(yaml.safe_load((ROOT / "examples/digits/model.yaml").read_text()))
SETTINGS = Settings()
CANARY = Slot(champion="v000001", candidate="v000002", phase="Canary", percent=20)


def test_the_example_that_we_show_is_exactly_what_rollout_builds() -> None:
    assert yaml.safe_load((ROOT / "kserve/example.yaml").read_text()) == inference_service(MODEL, "v000002", 20, SETTINGS)


@pytest.mark.parametrize(
    ("slot", "version", "canary"),
    [
        (Slot(champion="v000001"), "v000001", None),
        (CANARY, "v000002", 20),
        (replace(CANARY, phase="Deploying"), "v000002", 20),
        (replace(CANARY, champion=""), "v000002", None),
        (replace(CANARY, phase="Baking"), "v000002", None),
        (replace(CANARY, phase="RollingBack"), "v000001", 0),
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
def test_defaults_of_the_server_are_no_difference_and_a_canary_field_is(live: Any, wanted: Any, same: bool) -> None:
    assert holds(live, wanted) is same


def service(**status: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "status": {"observedGeneration": 2, **status}}


def predictor(created: str, ready: str, *traffic: dict[str, Any]) -> dict[str, Any]:
    return {"predictor": {"latestCreatedRevision": created, "latestReadyRevision": ready, "traffic": list(traffic)}}


NEWEST = {"revisionName": "two", "percent": 20, "tag": "latest", "url": "http://latest"}
OLDER = {"revisionName": "one", "percent": 80, "tag": "prev", "url": "http://prev"}


def test_a_ready_candidate_is_seen_with_its_part_of_the_traffic_and_its_route() -> None:
    found = observe(service(components=predictor("two", "two", NEWEST, OLDER)))
    assert found == Observed(is_current=True, is_ready=True, percent=20, tagged_url="http://latest")


def test_a_status_of_an_older_generation_says_nothing_about_the_new_revision() -> None:
    stale = service(components=predictor("one", "one", {**NEWEST, "revisionName": "one", "percent": 100}))
    stale["status"]["observedGeneration"] = 1
    assert not observe(stale).is_ready


def test_the_reason_of_a_failed_load_is_kept_while_the_older_revision_serves() -> None:
    failed = {
        "transitionStatus": "BlockedByFailedLoad",
        "lastFailureInfo": {"reason": "ModelLoadFailed", "message": "model.onnx has another digest"},
    }
    found = observe(service(components=predictor("two", "one", OLDER), modelStatus=failed))
    assert (found.is_ready, found.percent) == (False, 0)
    assert found.failure == "ModelLoadFailed: model.onnx has another digest"
