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

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
Digits = Callable[..., Path]
Kn = Callable[..., str]


@pytest.fixture
def kn(installation: Any) -> Kn:
    """A function that runs kn, with our plugin on the PATH, in the installation's namespace."""
    if shutil.which("kn") is None:
        pytest.skip("kn is not on the PATH")

    def run(*arguments: str, code: int = 0) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**installation.environment, "PATH": path, "NO_COLOR": "1"}
        ended = subprocess.run(
            ["kn", *arguments], env=environment, capture_output=True, text=True, timeout=240
        )
        assert ended.returncode == code, f"kn {arguments}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
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
