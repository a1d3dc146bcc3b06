import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.declared import Knoll, Records
from knoll.ports import Platform


def revision(number: int, version: str, ready: str) -> dict[str, Any]:
    labels = {
        "serving.kserve.io/inferenceservice": "digits",
        "serving.knative.dev/configurationGeneration": str(number),
        "knoll.dev/version": version,
    }
    metadata = {"name": f"digits-predictor-{number:05d}", "labels": labels}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": metadata,
        "spec": {},
        "ready": ready,
    }


@pytest.fixture
def on_trial(knoll: Knoll, platform: Platform, model_file: Path, records: Records) -> str:
    """A model whose second version gets a fifth of the traffic, by its second of three revisions; the newest
    is not ready."""
    knoll("apply", "-f", model_file)
    run = records.run()
    records.outcome(run)
    for number, version, ready in (
        (1, "v000001", "True"),
        (2, "v000002", "True"),
        (10, "v000003", "False"),
        (3, "v000001", "True"),
    ):
        made = platform.cluster.create(revision(number, version, ready))
        condition = {
            "type": "Ready",
            "status": ready,
            "reason": "" if ready == "True" else "ExitCode65",
            "message": "",
        }
        platform.cluster.update({**made, "status": {"conditions": [condition]}}, status=True)
    traffic = [
        {"revisionName": "digits-predictor-00001", "percent": 80, "tag": "prev"},
        {"revisionName": "digits-predictor-00002", "percent": 20},
        {"revisionName": "digits-predictor-00002", "percent": 0, "tag": "latest"},
    ]
    metadata = {"name": "digits"}
    isvc = platform.cluster.create(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": metadata,
            "spec": {},
        }
    )
    conditions = [
        {"type": "Ready", "status": "True"},
        {"type": "RoutesReady", "status": "Unknown", "reason": "Later", "message": "soon"},
    ]
    conditions += [{"type": "Stopped", "status": "False"}]
    status = {
        "url": "http://digits.example.com",
        "conditions": conditions,
        "components": {"predictor": {"traffic": traffic}},
    }
    platform.cluster.update({**isvc, "status": status}, status=True)
    records.status(
        champion="v000001",
        candidate="v000002",
        phase="Canary",
        dataset={"state": "Landed", "reason": "3 objects"},
    )
    return run


def test_tells_who_gets_which_part_of_the_traffic(knoll: Knoll, on_trial: str) -> None:
    """Revisions newest first: the newest one, and those that are routed to, with their versions' roles."""
    shown = json.loads(knoll("describe", "digits", "-o", "json").stdout)
    keys = ("generation", "version", "role", "percent", "tags", "ready", "reason")
    assert [tuple(one[key] for key in keys) for one in shown["revisions"]] == [
        ("10", "v000003", "", 0, [], "False", "ExitCode65"),
        ("2", "v000002", "candidate", 20, ["latest"], "True", ""),
        ("1", "v000001", "champion", 80, ["prev"], "True", ""),
    ]
    assert shown["url"] == "http://digits.example.com/v1/models/digits:predict"
    assert (shown["run"]["run"], shown["run"]["state"]) == (on_trial, "Succeeded")
    assert [one["status"] for one in shown["conditions"]] == ["True", "Unknown"]


def test_people_read_it_as_kn_shows_things(knoll: Knoll, on_trial: str) -> None:
    """Facts with their names in front, generation and age behind a revision, and marks before conditions."""
    lines = [" ".join(line.split()) for line in knoll("describe", "digits").stdout.splitlines()]
    assert "Champion: v000001 80 %" in lines
    assert "Candidate: v000002 20 %" in lines
    assert "Data: Landed (3 objects)" in lines
    assert any(
        line.startswith("digits-predictor-00002 [2] (")
        and line.endswith(") 20 % v000002 candidate #latest True")
        for line in lines
    )
    assert any(line.startswith("++ Ready") for line in lines)
    assert not any("Stopped" in line for line in lines)
    assert "OK TYPE REASON" in lines, "no condition has a time"
    assert any(line.startswith("?? RoutesReady") and line.endswith("Later: soon") for line in lines)


def test_conditions_have_the_age_that_their_objects_tell(
    knoll: Knoll, platform: Platform, on_trial: str
) -> None:
    isvc = platform.cluster.get("InferenceService", "digits")
    [ready, *others] = isvc["status"]["conditions"]
    since = (platform.clock.now() - timedelta(hours=3, seconds=1)).isoformat()
    conditions = [{**ready, "lastTransitionTime": since}, *others]
    status = {**isvc["status"], "conditions": conditions}
    platform.cluster.update({**isvc, "status": status}, status=True)
    lines = [line.split() for line in knoll("describe", "digits").stdout.splitlines()]
    assert ["OK", "TYPE", "AGE", "REASON"] in lines
    assert ["++", "Ready", "3h"] in lines


def test_a_model_that_nothing_has_happened_to_is_described(
    knoll: Knoll, platform: Platform, model_file: Path
) -> None:
    """No run, nothing that serves, and what is waited for; a name that nothing has is an error."""
    knoll("apply", "-f", model_file)
    *_, family, waits = knoll("describe", "digits").stdout.splitlines()
    assert family.split() == ["Family:", "image-classifier"]
    assert "knoll upload digits PATH ends the wait" in waits
    assert json.loads(knoll("describe", "digits", "-o", "json").stdout)["run"] is None
    assert knoll("describe", "nothing").exit_code == 4
