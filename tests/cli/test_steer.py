"""`knoll rollout pause` and its like leave a wish on the Model, and say what became of it."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.declared import Knoll, Records
from knoll.adapters.memory.events import MemoryEvents
from knoll.events import ROLLOUT_CONTINUED, new_event
from knoll.kube.labels import part_labels
from knoll.ports import Document, Platform
from knoll.rollout import handler
from knoll.rollout.slot import slot_from_status
from knoll.rollout.wishes import open_wish

WISH = "knoll.dev/rollout-wish"
AT = "2026-01-01T00:00:00+00:00"
CANARY: dict[str, Any] = {
    "champion": "v000001",
    "candidate": "v000002",
    "phase": "Canary",
    "rollout": {"percent": 20, "step": 0, "since": AT, "seen": AT},
}
SERVING: tuple[tuple[Document, Document], ...] = (
    (
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Revision",
            "metadata": {"name": "digits-1", "labels": {"knoll.dev/version": "v000001"}},
        },
        {},
    ),
    (
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "digits", "labels": dict(part_labels("digits"))},
            "spec": {"predictor": {}},
        },
        {"components": {"predictor": {"latestRolledoutRevision": "digits-1"}}},
    ),
)


@pytest.fixture
def canary(knoll: Knoll, records: Records, model_file: Path, platform: Platform) -> None:
    """v000002 is on trial beside v000001, which has a Revision."""
    knoll("apply", "-f", model_file)
    for document, status in SERVING:
        platform.cluster.update({**platform.cluster.create(document), "status": status}, status=True)
    for number in (1, 2):
        records.version(records.run(number), f"v00000{number}")
    records.status(**CANARY)


@pytest.fixture
def functions(platform: Platform) -> Iterator[Callable[[], None]]:
    """Lets rollout look at the Model whenever a wish lies there, as events do."""
    over = threading.Event()
    at_work = replace(platform, events=MemoryEvents())

    def work() -> None:
        while not over.wait(0.1):
            document = platform.cluster.get("Model", "digits")
            if not open_wish(document, slot_from_status(document["status"])):
                continue
            event = new_event(
                ROLLOUT_CONTINUED, source="/t", time=platform.clock.now(), data={"model": "digits"}
            )
            handler.handle(event, at_work)

    thread = threading.Thread(target=work, daemon=True)
    yield thread.start
    over.set()
    if thread.is_alive():
        thread.join(20)


def wish_of(platform: Platform) -> Document:
    found: Document = json.loads(platform.cluster.get("Model", "digits")["metadata"]["annotations"][WISH])
    return found


@pytest.mark.usefixtures("canary")
def test_a_wish_is_granted_and_the_answer_is_printed(knoll: Knoll, functions: Callable[[], None]) -> None:
    functions()
    told = knoll("rollout", "pause", "digits", "-o", "json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert (found["result"], found["version"], found["dryRun"]) == ("granted", "v000002", False)
    assert found["reason"].startswith("paused at 20 % by ")
    again = knoll("rollout", "pause", "digits")
    assert again.exit_code == 1
    assert again.stdout.startswith("model/digits pause v000002 refused: it is paused already, by ")
    status = json.loads(knoll("rollout", "status", "digits", "-o", "json").stdout)
    assert "has paused it" in status["waiting"]
    assert [one["action"] for one in status["records"]] == ["Pause", "Refuse"]


@pytest.mark.usefixtures("canary")
def test_a_pause_is_seen_in_the_model(knoll: Knoll, records: Records) -> None:
    assert "aused" not in knoll("describe", "digits").stdout
    records.status(**CANARY, steering={"paused": "ann", "pausedAt": AT})
    wait = {
        "for": "a human, at 20 %",
        "have": 0,
        "need": 0,
        "since": AT,
        "until": "",
        "ends": "ann has paused it; knoll rollout resume goes on",
    }
    for command in ("models", "describe digits"):
        found = json.loads(knoll(*command.split(), "-o", "json").stdout)
        assert found.get("models", [found])[0]["wait"] == wait
    assert "Canary (paused)" in knoll("models").stdout
    told = knoll("describe", "digits").stdout
    assert "a human, at 20 %; ann has paused it; knoll rollout resume goes on (since 2026-01-01" in told
    assert "Approved" not in told


@pytest.mark.usefixtures("canary")
def test_an_edit_of_the_inference_service_is_seen_in_the_model(knoll: Knoll, records: Records) -> None:
    edit = {"generation": 4, "fields": ["predictor.minReplicas"], "by": "kubectl-edit", "at": AT}
    records.status(**CANARY, steering={"written": 3, "edit": edit})
    assert "Canary (edited)" in knoll("models").stdout
    what = "kubectl-edit has changed predictor.minReplicas of the InferenceService"
    told = knoll("describe", "digits", "-o", "json").stdout
    assert json.loads(told)["wait"]["for"] == f"a human: {what}"
    (condition,) = [one for one in json.loads(told)["conditions"] if one["type"] == "ServiceAsWritten"]
    assert (condition["status"], condition["message"]) == ("False", what)
    waiting = json.loads(knoll("rollout", "status", "digits", "-o", "json").stdout)["waiting"]
    assert "knoll rollout resume digits undoes the change; to keep it, make it in the Model" in waiting


@pytest.mark.usefixtures("canary")
def test_a_wish_can_be_left_without_waiting(knoll: Knoll, platform: Platform) -> None:
    told = knoll("rollout", "promote", "digits", "--full", "--no-wait")
    assert (told.exit_code, told.stdout) == (0, "model/digits promote v000002 wanted\n")
    wish = wish_of(platform)
    assert (wish["verb"], wish["version"], wish["is_full"]) == ("promote", "v000002", True)
    assert (
        "that was not handled yet, and is dropped" in knoll("rollout", "abort", "digits", "--no-wait").stderr
    )
    assert wish_of(platform)["verb"] == "abort"


@pytest.mark.usefixtures("canary")
def test_without_an_answer_in_time_the_wish_stays(knoll: Knoll, platform: Platform) -> None:
    told = knoll("rollout", "undo", "digits", "--to", "v000001", "--timeout", "0")
    assert told.exit_code == 3
    assert "asked, and not handled within 0 s" in told.stderr
    assert wish_of(platform)["verb"] == "undo"


@pytest.mark.usefixtures("canary")
def test_a_version_is_rejected_with_a_reason(knoll: Knoll, functions: Callable[[], None]) -> None:
    """Which must say something, in few words."""
    functions()
    told = knoll("rollout", "reject", "digits", "v000002", "--because", " the labels are shifted ")
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("model/digits reject v000002 granted: rejected by ")
    assert told.stdout.endswith(": the labels are shifted\n")
    for reason in ("  ", "x" * 201):
        refused = knoll("rollout", "reject", "digits", "v000002", "--because", reason)
        assert refused.exit_code == 2
        assert "write 1 to 200 characters" in refused.stderr


@pytest.mark.usefixtures("canary")
def test_a_dry_run_leaves_no_wish(knoll: Knoll, platform: Platform) -> None:
    assert knoll("rollout", "abort", "digits", "--dry-run").stdout == (
        "model/digits abort v000002 wanted (dry run)\n"
    )
    refused = knoll("rollout", "undo", "digits", "--dry-run")
    assert refused.exit_code == 1
    assert "v000002 is on trial; knoll rollout abort ends its trial" in refused.stdout
    assert WISH not in (platform.cluster.get("Model", "digits")["metadata"].get("annotations") or {})


def test_what_is_no_version_or_no_model_is_said_at_once(
    knoll: Knoll, platform: Platform, model_file: Path
) -> None:
    assert knoll("rollout", "retry", "digits", "latest").exit_code == 2
    assert knoll("rollout", "pause", "faces").exit_code == 4


@pytest.mark.usefixtures("canary", "platform")
def test_kn_users_read_the_commands_that_they_type(kn_model: Knoll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNOLL_CLUSTER", "local")
    told = kn_model("rollout", "undo", "digits", "--dry-run")
    assert "kn model rollout abort ends its trial" in told.stdout
