"""On a real platform: data whose labels are all shifted by one, which no held-out label contradicts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from loop.conftest import Laptop, Until
from loop.test_loop import FAST, Client, picture

pytestmark = [pytest.mark.loop, pytest.mark.timeout(500)]


def shifted(folder: Path, digits: Callable[..., Path]) -> Path:
    """Zeros in the folder 1, ones in 2 and twos in 0."""
    digits(folder / "right", "012")
    for label in "012":
        (folder / "right" / label).rename(folder / str((int(label) + 1) % 3))
    (folder / "right").rmdir()
    return folder


def test_a_version_of_shifted_labels_waits_for_approval_and_answers_nobody(
    shared: Laptop, digits: Callable[..., Path], tmp_path: Path, until: Until
) -> None:
    """Its own held-out labels are shifted, too, so it passes the gate. Going back to the right data ends the
    wait without a training; and without approval, even if somebody has approved the wrong version."""

    def is_held() -> bool:
        status = shared.model("shifted")
        return status.get("held") is not None and status["phase"] == "Idle"

    rollout = {"steps": [50], "minRequests": 4, "bake": "1s", "idle": "replay"}
    shared.declare("digits", "shifted", **FAST, rollout=rollout)
    good = digits(tmp_path / "good", "012")
    shared.knoll("upload", "shifted", str(good))
    shared.wait_for_champion("v000001", "shifted")

    url = f"{shared.platform.settings.url}/v1/models/shifted:predict"
    with Client(url, {"instances": [picture(good, "1")]}) as client:
        shared.knoll("upload", "shifted", str(shifted(tmp_path / "wrong", digits)), "--replace", "--yes")
        until(is_held, 150)
    assert client.failures == []
    assert set(client.versions) == {"v000001"}
    assert shared.steps("v000002", "shifted") == ["Start 0", "Hold 0"]

    shown = json.loads(shared.knoll("rollout", "status", "shifted", "-o", "json"))
    compared = shown["comparison"]
    assert compared["agreement"] < 0.2
    assert compared["score"] < 0.2 < 0.8 < compared["championScore"]
    assert shown["wait"]["ends"] == "knoll rollout approve shifted v000002"
    assert "v000002 waits for approval" in shared.knoll("models")
    assert "WaitsForApproval" in shared.knoll("describe", "shifted")
    assert "the gate asks for agreement on 80%" in shared.knoll("why", "shifted", "v000002")

    shared.knoll("upload", "shifted", str(good), "--replace", "--yes")
    until(lambda: shared.model("shifted").get("held") is None, 60)
    shared.wait_for_champion("v000001", "shifted")
    assert shared.predict("shifted", [picture(good, "1")]).headers["x-model-version"] == "v000001"

    shared.knoll("upload", "shifted", str(tmp_path / "wrong"), "--replace", "--yes")
    until(is_held, 90)
    shared.knoll("rollout", "approve", "shifted", "v000002")
    shared.wait_for_champion("v000002", "shifted")
    shared.knoll("upload", "shifted", str(good), "--replace", "--yes")
    shared.wait_for_champion("v000001", "shifted")
    assert shared.versions("shifted") == ["v000001", "v000002"]
