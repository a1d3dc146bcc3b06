"""The same with `kn`: functions, triggers and broker are plain Knative objects, and `kn model` is a plugin
for everything else."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knoll.records.manifest import load_manifest, manifest_uri
from support.verbs import READING

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SERVED = ["Start 0", "Shift 20", "Pause 20", "Resume 20", "Shift 50", "Bake 100", "Promote 100"]
Digits = Callable[..., Path]
Kn = Callable[..., str]


@pytest.fixture
def kn(installation: Any) -> Kn:
    """A function that runs kn, with our plugin on the PATH, in the installation's namespace."""
    if shutil.which("kn") is None:
        pytest.skip("kn is not on the PATH")

    def run(*arguments: str, code: int = 0, or_else: int = 0) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**installation.environment, "PATH": path, "NO_COLOR": "1"}
        ended = subprocess.run(
            ["kn", *arguments], env=environment, capture_output=True, text=True, timeout=240
        )
        assert ended.returncode in (code, or_else or code), (
            f"kn {arguments}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        )
        return ended.stdout + ended.stderr

    return run


def test_functions_triggers_and_broker_read_well_with_kn(installation: Any, kn: Kn) -> None:
    space = ("-n", installation.namespace)
    services = kn("service", "list", *space)
    assert all(
        f"knoll-{name}" in services
        for name in ("notifications", "ingest", "train", "rollout", "sweep", "dead-letters")
    )
    triggers = kn("trigger", "list", *space)
    assert all(
        f"ksvc:knoll-{name}" in triggers for name in ("notifications", "ingest", "train", "rollout", "sweep")
    )
    assert "True" in kn("broker", "describe", "default", *space) or "++" in kn(
        "broker", "describe", "default", *space
    )


def test_kn_model_lists_describes_and_asks(installation: Any, kn: Kn, first: None, digits: Digits) -> None:
    """Flags of the cluster may stand before and after the verb, as kn's own may."""
    listed = json.loads(kn("model", "list", "-n", installation.namespace, "-o", "json"))
    assert "digits" in [one["name"] for one in listed["models"]]
    assert "digits" in kn("-n", installation.namespace, "model", "list")
    told = json.loads(kn("model", "describe", "digits", "-n", installation.namespace, "-o", "json"))
    assert told["champion"] == installation.status("digits")["champion"]
    versions = json.loads(kn("model", "versions", "digits", "-n", installation.namespace, "-o", "json"))[
        "versions"
    ]
    assert "v000001" in [one["version"] for one in versions]
    runs = json.loads(kn("model", "runs", "digits", "-n", installation.namespace, "-o", "json"))["runs"]
    assert runs[-1]["state"] == "Succeeded"
    picture = next(iter(sorted((digits("7", count=1) / "7").iterdir())))
    answer = json.loads(
        kn(
            "model", "predict", "digits", str(picture), "-n", installation.namespace, "-o", "json"
        ).splitlines()[0]
    )
    assert answer["predictions"][0]["label"] == "7"
    assert "Promote" in kn("model", "why", "digits", "v000001", "-n", installation.namespace)
    assert "succeeded" in kn("model", "runs", "logs", runs[-1]["run"], "-n", installation.namespace)
    rollout = json.loads(
        kn("model", "rollout", "status", "digits", "-n", installation.namespace, "-o", "json")
    )
    assert (rollout["model"], rollout["champion"]) == ("digits", told["champion"])
    assert rollout["records"][0]["action"] == "Start"


@pytest.mark.parametrize("verb", READING)
def test_each_verb_that_reads_answers_for_people_and_programs(
    installation: Any, kn: Kn, first: None, verb: str
) -> None:
    words, found = READING[verb]
    manifest = load_manifest(installation.store.get(manifest_uri(installation.root, "digits", "v000001")))
    names = {"run": manifest.run, "champion": installation.status("digits")["champion"]}
    asked = [word.format(**names) for word in words]
    command = ("model", *verb.split(), *asked, "-n", installation.namespace)
    finds = int(verb == "doctor")  # it ends with 1 if it finds what another test has left
    assert found.format(**names) in kn(*command, or_else=finds)
    lines = kn(*command, "-o", "json", or_else=finds).splitlines()
    lines = [line for line in lines if not line.startswith("Error: exit status")]  # kn says that itself
    assert json.loads(lines[-1])


def test_an_upload_and_a_true_label_reach_the_cluster(
    installation: Any, kn: Kn, first: None, digits: Digits
) -> None:
    folder, space = digits(start=0), ("-n", installation.namespace, "-o", "json")
    told = json.loads(kn("model", "upload", "digits", str(folder), "--dry-run", *space).splitlines()[-1])
    assert (told["dryRun"], told["objects"]) == (True, 90)
    picture = next(iter(sorted((digits("7", count=1) / "7").iterdir())))
    answer = json.loads(kn("model", "predict", "digits", str(picture), *space).splitlines()[0])
    label = ("--id", answer["id"], "--label", "7")
    assert json.loads(kn("model", "feedback", "digits", *label, *space).splitlines()[-1])["counted"] == 1


def test_each_wish_about_a_rollout_is_granted(
    installation: Any, kn: Kn, first: None, seven: dict[str, Any], tmp_path: Path
) -> None:
    """A version is paused, led on by hand and undone; one that answers otherwise is approved, aborted, tried
    again and aborted again."""

    def steer(verb: str, *words: str) -> None:
        place = ("-n", installation.namespace, "-o", "json")
        told = kn("model", "rollout", verb, "steered", *words, *place)
        assert json.loads(told.splitlines()[-1])["result"] == "granted", told

    def steps_begin(version: str, *steps: str) -> None:
        installation.until(lambda: installation.steps("steered", version)[: len(steps)] == [*steps], 180)

    installation.declare("steered", idle="hold", minRequests=1000)
    one = installation.try_candidate("good", "steered")
    steps_begin(one, "Start 100", "Shift 100")
    steer("promote", "--full")
    installation.wait_for_champion("steered", one)
    two = installation.try_candidate("good", "steered")
    steps_begin(two, "Start 0", "Shift 20")
    for verb in ("pause", "resume", "promote"):
        steer(verb)
    steps_begin(two, *SERVED[:5])
    steer("promote", "--full")
    installation.wait_for_champion("steered", two)
    assert installation.steps("steered", two) == SERVED
    wrong = installation.try_candidate("wrong", "steered")
    steps_begin(wrong, "Start 0", "Hold 0")
    steer("approve", wrong)
    installation.until(lambda: "Shift 20" in installation.steps("steered", wrong), 180)
    steer("abort")
    installation.until(lambda: wrong in installation.status("steered").get("quarantine", {}), 180)
    installation.wait_for_champion("steered", two)
    steer("retry", wrong)
    installation.until(lambda: installation.status("steered").get("candidate") == wrong, 180)
    steer("abort")
    installation.wait_for_champion("steered", two)
    steer("undo")
    installation.until(lambda: installation.status("steered").get("candidate") == one, 180)
    installation.until(lambda: "Shift 20" in installation.steps("steered", one), 180)
    steer("promote", "--full")
    installation.until(lambda: installation.status("steered").get("champion") == one, 180)

    def answers() -> bool:
        return bool(installation.predict("steered", seven).headers.get("x-model-version") == one)

    installation.until(answers, 60)
    policy = tmp_path / "policy.yaml"
    policy.write_text("rollout: {steps: [20], minRequests: 100}")
    replayed = kn(
        "model", "rollout", "replay", "steered", "--policy", str(policy), "-n", installation.namespace
    )
    assert two in replayed
    installation.forget("steered")


def test_a_version_gets_traffic_when_a_human_approves_of_it_and_none_when_it_is_rejected(
    installation: Any, kn: Kn, first: None, seven: dict[str, Any]
) -> None:
    def steer(verb: str, version: str, *words: str) -> None:
        place = ("-n", installation.namespace, "-o", "json")
        told = kn("model", "rollout", verb, "asked", version, *words, *place)
        assert json.loads(told.splitlines()[-1])["result"] == "granted", told

    def waits_for_approval(version: str) -> None:
        def waits() -> bool:
            held = installation.status("asked").get("held") or {}
            return bool(held.get("version") == version and "asks for approval" in held["reason"])

        installation.until(waits, 180)

    gate = {"metric": "accuracy", "atLeast": 0.5, "approval": "manual"}
    installation.declare("asked", gate=gate, idle="promote")
    one = installation.try_candidate("good", "asked")
    waits_for_approval(one)
    assert not installation.exists("InferenceService", "asked")
    steer("approve", one)
    installation.wait_for_champion("asked", one)
    two = installation.try_candidate("good", "asked")
    waits_for_approval(two)
    steer("reject", two, "--because", "its data is old")
    installation.until(lambda: two in installation.status("asked").get("quarantine", {}), 60)
    assert "its data is old" in installation.status("asked")["quarantine"][two]
    assert installation.predict("asked", seven).headers["x-model-version"] == one
    assert "Shift 20" not in installation.steps("asked", two)
    installation.forget("asked")


def test_kn_model_applies_twice_and_deletes(installation: Any, kn: Kn, tmp_path: Path) -> None:
    text = (ROOT / "examples" / "digits" / "model.yaml").read_text()
    file = tmp_path / "model.yaml"
    file.write_text(
        text.replace("name: digits", "name: applied").replace(
            "s3://datasets/digits/", f"s3://{installation.datasets}/applied/"
        )
    )
    assert "applied created" in kn("model", "apply", "-f", str(file), "-n", installation.namespace)
    assert "applied unchanged" in kn("model", "apply", "-f", str(file), "-n", installation.namespace)
    assert "applied deleted" in kn("model", "delete", "applied", "-y", "-n", installation.namespace)
    assert not installation.exists("Model", "applied")


def test_what_a_cluster_does_not_have_is_said_with_a_remedy(installation: Any, kn: Kn) -> None:
    told = kn("model", "events", "-n", installation.namespace, code=1)
    assert "keeps no history" in told
    assert "Fix:" in told
    assert "Fix:" in kn("model", "why", "nothing", "-n", installation.namespace, code=1)
