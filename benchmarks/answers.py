"""Time from zero to the first answer, and for one answer of a warm server: a real version served by knoll,
beside its peers."""

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from place import Place, say, until

from knoll.ports import PredictRequest

__all__ = ["Server", "first_answer", "serve_go", "serve_ours", "serve_stock", "warm_answers"]

_EXAMPLE = Path(__file__).parents[1] / "examples" / "digits"
_EVERY_TEN_SECONDS, _ONCE_A_YEAR = "*/10 * * * * *", "0 0 0 1 1 *"
_RESOURCES = {"requests": {"cpu": "50m", "memory": "384Mi"}, "limits": {"memory": "384Mi"}}
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
# KServe's; its webhook (0.19) refuses to let it be added later where a mode is named
_FINALIZER = "inferenceservice.finalizers"
_WARM = 200


@dataclass(frozen=True)
class Server:
    """A model server that answers to `model`; `body` is a whole request."""

    model: str
    url: str
    body: bytes


def first_answer(server: Server, place: Place) -> float:
    """Seconds until a server at zero has answered."""
    return _answer(server, place)


def warm_answers(servers: Sequence[Server], place: Place) -> list[list[float]]:
    """Seconds of many answers of each server. The servers take turns."""
    for server in servers:
        for _ in range(_WARM // 10):
            _answer(server, place)
    rounds = [[_answer(server, place) for server in servers] for _ in range(_WARM)]
    return [list(one) for one in zip(*rounds, strict=True)]


def serve_ours(place: Place) -> Server:
    """Go through the loop once. Returns a version that was trained on real digits and is the champion."""
    picture = _upload_digits(place)
    place.apply(_model(place))
    place.tick(_EVERY_TEN_SECONDS)
    until(lambda: _is_champion(place), 900, "a version of digits is the champion")
    place.tick(_ONCE_A_YEAR)  # a sweep in between would be measured, too
    say(f"digits serves {_status(place)['champion']}")
    return Server("digits", place.url("digits-predictor"), _body(picture))


def serve_stock(place: Place, image: str, like: Server) -> Server:
    """A kserve model server that does nothing. It gets the same requests."""
    container = {
        "name": "kserve-container",
        "image": image,
        "resources": _RESOURCES,
        "securityContext": _RESTRICTED,
    }
    meta = {
        "name": "stock",
        "annotations": {"serving.kserve.io/deploymentMode": "Knative"},
        "finalizers": [_FINALIZER],
    }
    spec = {"predictor": {"minReplicas": 0, "automountServiceAccountToken": False, "containers": [container]}}
    place.apply(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": meta,
            "spec": spec,
        }
    )
    place.wait_ready("isvc", "stock")
    return Server("stock", place.url("stock-predictor"), like.body)


def serve_go(place: Place, image: str, like: Server) -> Server:
    """The smallest Knative Service."""
    container = {"image": image, "resources": _RESOURCES, "securityContext": _RESTRICTED}
    spec = {"template": {"spec": {"automountServiceAccountToken": False, "containers": [container]}}}
    place.apply(
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": "hello"},
            "spec": spec,
        }
    )
    place.wait_ready("ksvc", "hello")
    return Server("hello", place.url("hello"), like.body)


def _answer(server: Server, place: Place) -> float:
    answer = place.predictors.predict(PredictRequest(server.url, server.model, server.body))
    if answer.status != 200:
        sys.exit(f"Error: {server.model} answered {answer.status}: {answer.body[:500]!r}")
    return answer.seconds


def _model(place: Place) -> Mapping[str, Any]:
    document: dict[str, Any] = yaml.safe_load((_EXAMPLE / "model.yaml").read_text())
    spec = document["spec"]
    spec["dataset"]["uri"] = f"s3://{place.data}/digits/"
    spec["training"] |= {
        "config": {"epochs": 4, "batchSize": 64},
        "resources": {"cpu": "500m", "memory": "1Gi"},
    }
    spec["gate"] = {"metric": "accuracy", "atLeast": 0.5}
    spec["serving"] = {"minReplicas": 0, "maxReplicas": 1, "resources": _RESOURCES["requests"]}
    return document


def _upload_digits(place: Place) -> bytes:
    """Upload real pictures, the marker last. Returns one of them."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, str(_EXAMPLE / "data.py"), folder, "--part", "second"],
            stdout=sys.stderr,
            check=True,
        )
        pictures = sorted(Path(folder).rglob("*.png"))
        for path in pictures:
            place.store.put(f"s3://{place.data}/digits/{path.relative_to(folder)}", path.read_bytes())
        place.store.put(f"s3://{place.data}/digits/_SUCCESS", b"")
        return pictures[0].read_bytes()


def _body(picture: bytes) -> bytes:
    return json.dumps({"instances": [{"b64": base64.b64encode(picture).decode()}]}).encode()


def _status(place: Place) -> Mapping[str, Any]:
    status: Mapping[str, Any] = place.cluster.get("Model", "digits").get("status") or {}
    return status


def _is_champion(place: Place) -> bool:
    status = _status(place)
    return bool(status.get("champion")) and status.get("phase") == "Idle"
