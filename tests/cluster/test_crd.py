"""The API server refuses each Model that knoll could not read, when it is applied."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.test_crd import CASES

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.cluster


def kubectl(*arguments: str, document: Any = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["kubectl", *arguments], input=json.dumps(document), capture_output=True, text=True, timeout=60
    )


@pytest.fixture(scope="module", autouse=True)
def crd() -> None:
    """The CRD of this working tree, established without a warning of the API server."""
    applied = kubectl("apply", "-k", str(ROOT / "deploy/crd"))
    assert applied.returncode == 0, applied.stderr
    assert applied.stderr == ""
    established = kubectl("wait", "--for=condition=Established", "crd/models.knoll.dev", "--timeout=30s")
    assert established.returncode == 0, established.stderr


@pytest.mark.parametrize(
    "case",
    CASES,
    ids=lambda case: f"{case.get('good') or case['bad']} {case.get('name') or case.get('spec', '')}",
)
def test_the_server_judges_a_model_as_knoll_does(case: Mapping[str, Any]) -> None:
    """A good Model is stored as it was written, without defaults. A bad one is refused, and the message names
    the field."""
    base = {"family": "image-classifier", "dataset": {"uri": "s3://datasets/digits/"}}
    spec = {
        key: value
        for key, value in {**base, **case.get("spec", {})}.items()
        if value is not None or key == "gate"
    }
    document = {
        "apiVersion": "knoll.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": case.get("name", "digits")},
        "spec": spec,
    }
    answer = kubectl("create", "--dry-run=server", "--output=json", "--filename=-", document=document)
    if "good" in case:
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout)["spec"] == spec
        assert answer.stderr == ""
    else:
        assert answer.returncode != 0
        assert case["bad"] in answer.stderr


def test_fields_are_explained() -> None:
    """kubectl explain says what a field is for."""
    assert "never writes there" in kubectl("explain", "models.knoll.dev.spec.dataset.uri").stdout
