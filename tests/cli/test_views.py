import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.declared import Knoll, Records, model_yaml
from knoll.errors import NotFound
from knoll.ports import Platform
from knoll.records.golden import GoldenScore, GoldenSet, golden_uri
from knoll.records.manifest import find_manifest, manifest_uri
from knoll.records.outcome import Outcome, write_outcome
from knoll.records.run import read_run
from knoll.views.models import find_model
from knoll.views.versions import read_versions
from support.models import model_document


@pytest.fixture
def served(knoll: Knoll, platform: Platform, model_file: Path, records: Records) -> str:
    """A model with a champion, its run and the record of its rollout."""
    knoll("apply", "-f", model_file)
    run = records.run()
    records.outcome(run)
    records.version(run, picture=b"\x89PNG picture")
    records.step(1, "Start", 100, reason="the gate is passed")
    records.step(2, "Promote", 100, reason="50 requests, none failed")
    records.status(
        champion="v000001",
        phase="Idle",
        rollout={"step": 0, "percent": 100, "evidence": {"requests": 50, "errors": 0, "replayed": 20}},
    )
    traffic = [{"revisionName": "digits-00001", "percent": 100, "latestRevision": True}]
    isvc = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "digits"},
        "spec": {},
    }
    created = platform.cluster.create(isvc)
    status = {"url": "http://127.0.0.1:9", "components": {"predictor": {"traffic": traffic}}}
    platform.cluster.update({**created, "status": status}, status=True)
    return run


def test_models_show_who_serves_and_where(knoll: Knoll, served: str) -> None:
    """`knoll models` names champion, traffic and predict URL."""
    (one,) = json.loads(knoll("models", "-o", "json").stdout)["models"]
    assert (one["champion"], one["candidate"], one["phase"]) == ("v000001", "", "Idle")
    assert one["url"] == "http://127.0.0.1:9/v1/models/digits:predict"
    assert one["traffic"] == [{"revisionName": "digits-00001", "percent": 100, "tag": None}]
    assert "100 % digits-00001" in knoll("models").stdout


@pytest.mark.parametrize(
    ("status", "cell", "words"),
    [
        ({"damage": "model.onnx is missing"}, "v000001 (damaged)", "Damaged: model.onnx is missing"),
        (
            {"fallen": {"v000002": "none"}, "quarantine": {"v000002": "model.onnx is missing"}},
            "v000001 (v000002 damaged)",
            "FellBack: v000001 serves instead of v000002: model.onnx is missing",
        ),
    ],
)
def test_models_and_conditions_say_what_is_damaged(
    knoll: Knoll, records: Records, served: str, status: dict[str, Any], cell: str, words: str
) -> None:
    records.status(champion="v000001", **status)
    assert cell in knoll("models").stdout
    told = " ".join(knoll("describe", "digits").stdout.split())
    assert f"!! ChampionVerified {words}" in told
    (found,) = json.loads(knoll("models", "-o", "json").stdout)["models"]
    assert (bool(found["damage"]), list(found["fallen"])) == (
        "damage" in status,
        list(status.get("fallen", {})),
    )


def test_a_version_is_listed_with_its_data(knoll: Knoll, platform: Platform, records: Records) -> None:
    run = records.run()
    records.version(run)
    (one,) = json.loads(knoll("versions", "digits", "-o", "json").stdout)["versions"]
    assert one["datasetDigest"] == read_run(run, platform.bucket).dataset_digest
    assert run in knoll("versions", "digits").stdout


def test_versions_show_their_role_and_save_their_pictures(
    knoll: Knoll, records: Records, served: str, tmp_path: Path
) -> None:
    """Each version has a state; --pictures saves the PNGs of its folder."""
    records.version(served, "v000002")
    records.status(champion="v000001", phase="Idle", quarantine={"v000002": "5 of 50 requests failed"})
    found = json.loads(knoll("versions", "digits", "-o", "json").stdout)["versions"]
    assert [(one["version"], one["state"], one["reason"]) for one in found] == [
        ("v000002", "quarantined", "5 of 50 requests failed"),
        ("v000001", "champion", ""),
    ]
    assert knoll("versions", "digits", "v000001", "--pictures", tmp_path / "pictures").exit_code == 0
    assert (tmp_path / "pictures" / "v000001-confusion.png").read_bytes() == b"\x89PNG picture"
    assert knoll("versions", "digits", "v000009").exit_code == 4


def test_watching_a_rollout_ends_with_its_verdict(knoll: Knoll, records: Records, served: str) -> None:
    """-w returns 0 after a promotion, 1 after a rollback, and 3 while a newer version is still to be
    tried."""
    assert knoll("rollout", "status", "digits", "-w", "--timeout", "20").exit_code == 0
    records.version(served, "v000002")
    result = knoll("rollout", "status", "digits", "-w", "--timeout", "1")
    assert result.exit_code == 3
    assert "v000002 is next" in result.stdout
    records.step(1, "Start", 20, version="v000002")
    records.step(2, "Rollback", 0, version="v000002", reason="5 of 50 requests failed")
    records.status(champion="v000001", phase="Idle", quarantine={"v000002": "5 of 50 requests failed"})
    result = knoll("rollout", "status", "digits", "-w", "--timeout", "20")
    assert result.exit_code == 1
    assert "v000002 Rollback 0 % — 5 of 50 requests failed" in result.stdout


def test_a_refused_wish_changes_no_verdict(knoll: Knoll, records: Records, served: str) -> None:
    """It is recorded with the champion, whatever was decided last."""
    records.step(3, "Refuse", 100, reason="ann asked to pause; refused: no version is on trial")
    assert knoll("rollout", "status", "digits", "-w", "--timeout", "20").exit_code == 0
    records.version(served, "v000002")
    records.step(4, "Rollback", 0, version="v000002", reason="5 of 50 requests failed")
    records.step(5, "Refuse", 100, reason="ann asked to pause; refused: no version is on trial")
    records.status(champion="v000001", phase="Idle", quarantine={"v000002": "5 of 50 requests failed"})
    result = knoll("rollout", "status", "digits", "-w", "--timeout", "20")
    assert result.exit_code == 1
    assert "v000002 Rollback 0 % — 5 of 50 requests failed" in result.stdout


def test_a_run_whose_version_was_refused_has_not_simply_succeeded(
    knoll: Knoll, records: Records, served: str
) -> None:
    """The training succeeded and the gate refused its version: every view says both, programs get a
    verdict."""
    reason = "accuracy is 0.4, the gate asks for at least 0.9"
    run = records.run(2)
    records.outcome(run, version="v000002")
    records.version(run, "v000002")
    records.step(1, "Reject", 0, version="v000002", reason=reason)
    last = {"transition": {"action": "Reject", "version": "v000002", "reason": reason}}
    records.status(champion="v000001", phase="Idle", quarantine={"v000002": reason}, rollout=last)
    (line,) = (one for one in knoll("runs").stdout.splitlines() if one.startswith(run))
    assert "Refused" in line
    assert "Succeeded" not in line
    assert reason in line
    assert "Idle (v000002 Refused)" in knoll("models").stdout
    assert f"{run} Refused ({reason})" in knoll("describe", "digits").stdout
    trail = knoll("why", "digits", "v000002").stdout
    assert f"but v000002 was Refused: {reason}" in trail
    assert "(atLeast 0.9): Refused" in trail
    shown = {one["run"]: one for one in json.loads(knoll("runs", "-o", "json").stdout)["runs"]}
    assert [shown[one]["verdict"] for one in (run, served)] == ["Refused", "Promoted"]
    assert (shown[run]["state"], shown[run]["verdictReason"]) == ("Succeeded", reason)
    (model,) = json.loads(knoll("models", "-o", "json").stdout)["models"]
    assert model["verdict"] == {"version": "v000002", "verdict": "Refused", "reason": reason}


def test_when_the_newest_version_was_refused_the_one_before_it_is_next(
    knoll: Knoll, records: Records, served: str
) -> None:
    for version in ("v000002", "v000003"):
        records.version(served, version)
    records.status(champion="v000001", phase="Idle", quarantine={"v000003": "accuracy is too low"})
    assert "v000002 is next" in knoll("rollout", "status", "digits").stdout


def test_an_idle_rollout_says_that_the_champion_has_the_traffic(
    knoll: Knoll, records: Records, served: str
) -> None:
    """After a rollback all of it is the champion's, whatever the slot last asked for; after that of a first
    version it is nobody's."""
    records.step(2, "Rollback", 100, version="v000002", reason="5 of 50 requests failed")
    records.status(
        champion="v000001",
        phase="Idle",
        rollout={"percent": 100},
        quarantine={"v000002": "5 of 50 requests failed"},
    )
    assert traffic_told(knoll) == ("100 % to v000001", 100, "v000001")
    records.status(phase="Idle", quarantine={"v000002": "5 of 50 requests failed"})
    assert traffic_told(knoll) == ("none", 0, "")


@pytest.mark.parametrize(
    ("phase", "seen"),
    [("Deploying", None), ("Deploying", 0), ("Canary", 50), ("RollingBack", 0), ("Baking", 100)],
)
def test_a_rollout_tells_the_traffic_that_is_seen(
    knoll: Knoll, platform: Platform, records: Records, served: str, phase: str, seen: int | None
) -> None:
    """What the InferenceService routes to the candidate's revision counts, not what is asked for; before
    there is a revision, nothing."""
    records.step(1, "Start", 50, version="v000002")
    records.status(champion="v000001", candidate="v000002", phase=phase, rollout={"percent": 50})
    shares = {"v000001": 100 - (seen or 0)} | ({"v000002": seen} if seen is not None else {})
    for version in shares:
        labels = {"serving.kserve.io/inferenceservice": "digits", "knoll.dev/version": version}
        metadata = {"name": f"digits-{version}", "labels": labels}
        platform.cluster.create(
            {"apiVersion": "serving.knative.dev/v1", "kind": "Revision", "metadata": metadata, "spec": {}}
        )
    traffic = [
        {"revisionName": f"digits-{version}", "percent": percent} for version, percent in shares.items()
    ]
    isvc = platform.cluster.get("InferenceService", "digits")
    platform.cluster.update(
        {**isvc, "status": {"components": {"predictor": {"traffic": traffic}}}}, status=True
    )
    assert traffic_told(knoll) == (f"{seen or 0} % to v000002", seen or 0, "v000002")


def traffic_told(knoll: Knoll) -> tuple[str, int, str]:
    """What people read of the traffic, and what programs do."""
    told = next(
        line
        for line in knoll("rollout", "status", "digits").stdout.splitlines()
        if line.startswith("Traffic")
    )
    document = json.loads(knoll("rollout", "status", "digits", "-o", "json").stdout)
    return told.removeprefix("Traffic").strip(), document["percent"], document["percentTo"]


def test_a_name_that_nothing_has_on_a_cluster_is_told_with_its_namespace(platform: Platform) -> None:
    """There the model may well be in another one."""
    there = replace(
        platform, settings=platform.settings.model_copy(update={"cluster": "kubernetes", "namespace": "ml"})
    )
    for look in (find_model, read_versions):
        with pytest.raises(
            NotFound, match=r"model digits: there is no Model of that name in the namespace ml$"
        ):
            look(there, "digits")
        with pytest.raises(NotFound, match=r"model digits: there is no Model of that name$"):
            look(platform, "digits")


def test_why_tells_the_whole_trail(knoll: Knoll, served: str) -> None:
    """Event, data, run, gate, version and rollout steps are all there, with their numbers."""
    trail = json.loads(knoll("why", "digits", "-o", "json").stdout)
    assert trail["event"]["id"] == "upload-1"
    assert (trail["data"]["objects"], trail["data"]["bytes"]) == (1, 1536)
    assert (trail["run"]["run"], trail["run"]["state"]) == (served, "Succeeded")
    assert trail["gate"] == {"metric": "accuracy", "atLeast": 0.9}
    assert trail["version"]["metrics"] == {"accuracy": 0.98}
    assert [one["action"] for one in trail["rollout"]] == ["Start", "Promote"]
    text = knoll("why", "digits", "v000001").stdout
    for part in (
        "upload-1",
        "1 object, 1.5 KiB",
        served,
        "accuracy 0.98 (atLeast 0.9)",
        "v000001, champion",
        "Promote 100 %",
    ):
        assert part in text


def test_why_explains_a_model_without_a_version(
    knoll: Knoll, platform: Platform, model_file: Path, records: Records
) -> None:
    """When the data was rejected, the trail ends with the run and its reason."""
    knoll("apply", "-f", model_file)
    assert knoll("why", "digits").exit_code == 4
    records.outcome(records.run(), "rejected", reason="3/x.png is no picture")
    assert "Rejected after 59s: 3/x.png is no picture" in knoll("why", "digits").stdout


def test_reasons_are_printed_as_they_are(
    knoll: Knoll, platform: Platform, model_file: Path, records: Records
) -> None:
    """Square brackets in a reason, which come from file names and users, are no markup."""
    knoll("apply", "-f", model_file)
    reason = "3/[bold]x[/nonsense].png is no picture"
    records.outcome(records.run(), "rejected", reason=reason)
    for command in (["runs"], ["why", "digits"]):
        assert reason in knoll(*command).stdout


def test_the_score_on_the_golden_set_stands_beside_the_held_out_one(
    knoll: Knoll, platform: Platform, records: Records, tmp_path: Path
) -> None:
    """In `versions`, `why`, `runs` and `describe`; `verify` compares it with the pin."""
    place = "s3://exams/digits/"
    path = tmp_path / "model.yaml"
    path.write_text(model_yaml("cli-data", gate=f"{{metric: accuracy, atLeast: 0.9, goldenSet: {place}}}"))
    knoll("apply", "-f", path)
    run = records.run()
    records.version(run)
    made = find_manifest("digits", "v000001", platform.bucket)
    assert made is not None
    exam = GoldenScore(place, "d" * 64, 60, {"accuracy": 0.1875})
    uri = manifest_uri(platform.bucket.root, "digits", "v000001")
    platform.store.put(uri, replace(made, golden=exam).encode())
    at, golden = "2026-01-01T00:01:00+00:00", exam.metrics
    ended = Outcome("succeeded", at, "v000001", metrics={"accuracy": 0.98}, golden=golden)
    write_outcome(run, ended, platform.bucket)
    for command in ("versions", "runs", "describe"):
        assert "accuracy 0.98; golden set: accuracy 0.1875" in knoll(command, "digits").stdout, command
    told = knoll("why", "digits").stdout
    assert "gate     accuracy 0.98 held out, 0.1875 on the golden set (atLeast 0.9, goldenSet" in told
    assert json.loads(knoll("versions", "digits", "-o", "json").stdout)["versions"][0]["golden"] == vars(exam)
    for pinned, what in (("", "is not pinned"), ("e" * 64, "and eeeeeeeeeeee is pinned"), ("d" * 64, "")):
        if pinned:
            pin = GoldenSet("digits", place, pinned, 60, 60, run, at)
            platform.store.put(golden_uri(platform.bucket.root, "digits", place), pin.encode())
        links = json.loads(knoll("verify", "digits", "v000001", "-o", "json").stdout)["links"]
        (found,) = [one["what"] for one in links if one["link"] == "golden set"]
        assert what in found
        assert bool(what) == bool(found)
        state = f"pinned with 60 files, digest {pinned[:12]}" if pinned else "not pinned yet"
        assert f"{place}, {state}" in knoll("describe", "digits").stdout
    platform.store.put(golden_uri(platform.bucket.root, "digits", place), b"spoilt")
    assert "is not a pin of a golden set" in knoll("describe", "digits").stdout
    verified = knoll("verify", "digits", "v000001", "-o", "json")
    assert verified.exit_code == 1
    assert "its pin does not count: this is not a pin" in verified.stdout


def test_the_table_of_models_shows_what_is_wrong_with_a_declaration(knoll: Knoll, platform: Platform) -> None:
    platform.cluster.create(model_document("apples", training={"retries": 99}))
    platform.cluster.create(model_document("beans"))
    shown = knoll("models").stdout
    assert "Faulty (spec.training.retries: must be at least 0 and at most 10, not 99" in shown
    assert "beans" in shown
    assert "DeclarationReadable" in knoll("describe", "apples").stdout
