"""A user's own InferenceService serves a version that knoll trained, in both protocols."""

import base64
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
Digits = Callable[..., Path]


@pytest.fixture
def patched_initializer(kubectl: Callable[..., str]) -> Iterator[None]:
    """The storage initializer of KServe as `restricted` demands it, which an administrator would set.
    Afterwards it is as before."""
    name = ("clusterstoragecontainer", "default")
    before = json.loads(kubectl("get", *name, "-o", "json"))["spec"]["container"].get("securityContext")
    kubectl("patch", *name, "--type=merge", "--patch-file", str(ROOT / "deploy" / "storage-initializer.yaml"))
    yield
    kubectl(
        "patch", *name, "--type=merge", "-p", json.dumps({"spec": {"container": {"securityContext": before}}})
    )


def test_an_inference_service_of_a_users_own_serves_one_version(
    installation: Any, first: None, digits: Digits, patched_initializer: None
) -> None:
    """The sample has only modelFormat and storageUri. V1 and V2 answer, and name the version."""
    sample = yaml.safe_load((ROOT / "deploy" / "samples" / "inferenceservice.yaml").read_text())
    sample["spec"]["predictor"]["model"]["storageUri"] = f"{installation.root}/models/digits/v000001/"
    installation.apply(sample)
    installation.kubectl(
        "wait", "--for=condition=Ready", "isvc/digits-of-mine", "-n", installation.namespace, "--timeout=180s"
    )
    picture = next(iter(sorted((digits("7", count=1) / "7").iterdir()))).read_bytes()
    answer = installation.predict(
        "digits-of-mine", {"instances": [{"b64": base64.b64encode(picture).decode()}]}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0]["label"] == "7"
    assert answer.headers["x-model-version"] == "v000001"
    [asked] = installation.ask("digits-of-mine", "/v2/models/digits-of-mine").json()["inputs"]
    shape = [max(1, size) for size in asked["shape"]]
    tensor = {**asked, "shape": shape, "data": [0.5] * math.prod(shape)}
    answer = installation.ask("digits-of-mine", "/v2/models/digits-of-mine/infer", {"inputs": [tensor]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model_version"] == "v000001"
    assert sum(answer.json()["outputs"][0]["data"]) == pytest.approx(1, abs=1e-3)
    installation.kubectl("delete", "isvc", "digits-of-mine", "-n", installation.namespace)
