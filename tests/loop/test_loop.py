"""The main job, for real: data lands in a bucket, a trained model answers. Server and processes are real."""

import base64
import io
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from knoll.installation import SIGN_FILE
from knoll.keys import read_signer
from knoll.names import join, run_id
from knoll.records.attestation import attest
from knoll.records.checkpoint import CHECKPOINT, list_checkpoints
from knoll.records.claim import Claim, write_claim
from knoll.records.manifest import (
    ATTESTATION,
    entry_of,
    load_manifest,
    manifest_uri,
    version_uri,
    versions_uri,
)
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.run import read_run, write_run
from support.doors import listeners, opened

pytestmark = [pytest.mark.loop, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
Digits = Callable[..., Path]
FAST: dict[str, Any] = {
    "training__config": {"epochs": 6, "batchSize": 16, "seed": 1},
    "gate": {"metric": "accuracy", "atLeast": 0.8},
}


def picture(folder: Path, label: str) -> dict[str, str]:
    """One real digit as an instance."""
    return {"b64": base64.b64encode(next((folder / label).iterdir()).read_bytes()).decode()}


@dataclass
class Client:
    """A client that asks ten times a second at most, and its answers."""

    url: str
    body: dict[str, object]
    versions: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> "Client":
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client(timeout=60) as http:
            while not self._is_over.wait(0.1):
                answer = http.post(self.url, json=self.body)
                self.versions.append(answer.headers.get("x-model-version", ""))
                if answer.status_code != 200:
                    self.failures.append(f"{answer.status_code} {answer.text}")


def test_data_becomes_a_champion_and_new_data_its_successor_by_canary(
    shared: Any, digits: Digits, tmp_path: Path
) -> None:
    """Upload → v1; the same data again → nothing; other data → a canary under traffic without a failed
    request → v2; rubbish → rejected."""
    shared.declare("digits", **FAST)
    data = digits(tmp_path / "data")
    shared.knoll("upload", "digits", str(data))
    shared.wait_for_champion("v000001")
    answer = shared.predict("digits", [picture(data, "7")])
    assert (answer.status_code, answer.headers["x-model-version"]) == (200, "v000001")
    assert answer.json()["predictions"][0]["label"] == "7"
    front = httpx.URL(shared.platform.settings.url).port or 0
    assert opened((one.port for one in listeners(shared.process.pid)), front) == []

    before = shared.model()["dataset"]
    shared.knoll("upload", "digits", str(data))
    shared.until(lambda: shared.model()["dataset"]["marked"] != before["marked"])
    assert shared.model()["dataset"] == {**before, "marked": shared.model()["dataset"]["marked"]}
    assert len(shared.runs()) == 1

    url = f"{shared.platform.settings.url}/v1/models/digits:predict"
    with Client(url, {"instances": [picture(data, "1")]}) as client:
        shared.knoll("upload", "digits", str(digits(tmp_path / "more", start=40)))
        shared.wait_for_champion("v000002")
        shared.until(lambda: client.versions[-1] == "v000002")
    assert client.failures == []
    assert {"v000001", "v000002"} == set(client.versions)
    shared.until(
        lambda: shared.steps("v000002") == ["Start 0", "Shift 20", "Shift 50", "Bake 100", "Promote 100"]
    )
    assert len(shared.runs()) == 2

    # another client than `knoll upload`, which would refuse the file
    shared.platform.store.put("s3://datasets/digits/7/broken.png", b"\x89PNG\r\n\x1a\nrubbish")
    shared.platform.store.put("s3://datasets/digits/_SUCCESS", b"again")
    shared.until(lambda: len(shared.outcomes()) == 3, 60)
    (rejected,) = [one for one in shared.outcomes() if one["state"] == "rejected"]
    assert "7/broken.png" in rejected["reason"]
    assert "broken.png" in shared.knoll("runs", "logs", "digits")
    assert shared.predict("digits", [picture(data, "1")]).headers["x-model-version"] == "v000002"
    assert shared.versions() == ["v000001", "v000002"]
    trail = shared.knoll("why", "digits", "v000002")
    for part in (
        "com.amazonaws.s3.ObjectCreated:Put",
        "240 objects",
        "Succeeded",
        "accuracy",
        "Promote 100 %",
    ):
        assert part in trail

    _tamper_with_a_third_version(shared)
    shared.until(
        lambda: "v000003" in shared.model().get("quarantine", {}) and shared.model()["phase"] == "Idle", 90
    )
    assert "model.onnx" in shared.model()["quarantine"]["v000003"]
    shared.until(lambda: shared.steps("v000003") == ["Start 0", "Rollback 0"])
    assert shared.predict("digits", [picture(data, "1")]).headers["x-model-version"] == "v000002"
    predictor = shared.platform.cluster.get("InferenceService", "digits")["spec"]["predictor"]
    assert "canaryTrafficPercent" not in predictor
    assert predictor["containers"][0]["args"][-1].endswith("/v000002/")


def _tamper_with_a_third_version(laptop: Any) -> None:
    """Publish v000003 for a run of its own, as a signed copy of v000002 with one bit of its graph flipped."""
    store, root = laptop.platform.store, "s3://knoll-models"
    manifest = load_manifest(store.get(manifest_uri(root, "digits", "v000002")))
    for name in manifest.files:
        body = bytearray(store.get(join(version_uri(root, "digits", "v000002"), name)))
        if name == "model.onnx":
            body[len(body) // 2] ^= 1
        store.put(join(version_uri(root, "digits", "v000003"), name), bytes(body))
    turned = replace(manifest, version="v000003", run=run_id("digits", "turned", ""))
    bucket = laptop.platform.bucket
    write_run(replace(read_run(manifest.run, bucket), id=turned.run), bucket)
    key = (laptop.home / "signing" / SIGN_FILE).read_text()
    write_claim("digits", "v000003", Claim(turned.run), replace(bucket, sign_key=key))
    signer = read_signer(key)
    attested = attest("digits", "v000003", entry_of(turned.encode()).sha256, signer)
    store.put(join(version_uri(root, "digits", "v000003"), ATTESTATION), attested.encode())
    store.put(manifest_uri(root, "digits", "v000003"), turned.encode(), if_absent=True)
    store.put(outcome_uri(root, turned.run), Outcome("succeeded", turned.created_at, "v000003").encode())


def test_a_platform_killed_during_training_finishes_the_run_after_a_restart(
    laptop: Any, digits: Digits, tmp_path: Path
) -> None:
    """The training goes on from its checkpoint, which is gone afterwards."""
    longer = {"training__config": {"epochs": 40, "batchSize": 16, "seed": 1}}
    laptop.declare("digits", **{**FAST, **longer, "training__checkpoint": {"every": "0.1s"}})
    laptop.knoll("upload", "digits", str(digits(tmp_path / "data")))
    laptop.until(lambda: len(_checkpoints(laptop)) > 1, 60)
    laptop.kill()
    laptop.until(lambda: not laptop.children("knoll.wiring.trainer") and not laptop.children("weed"), 30)
    laptop.up()
    laptop.wait_for_champion("v000001")
    assert len(laptop.runs()) == 1
    assert laptop.versions() == ["v000001"]
    assert [one["state"] for one in laptop.outcomes()] == ["succeeded"]
    assert "resumed after step" in laptop.knoll("runs", "logs", "digits")
    laptop.until(lambda: not list_checkpoints(laptop.platform.bucket), 30)


def _checkpoints(laptop: Any) -> list[str]:
    """Those that are whole."""
    found = [one.uri for files in list_checkpoints(laptop.platform.bucket).values() for one in files]
    return [uri for uri in found if uri.endswith(f"/{CHECKPOINT}")]


def test_without_any_notification_sweep_serves_from_the_users_own_s3_and_idle_models_cost_nothing(
    laptops: Any, s3: Any, digits: Digits, tmp_path: Path
) -> None:
    """The user's own S3 server posts nothing, and the data has no marker: looking finds everything. Then no
    request comes for a while, and then one."""
    access = {
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }
    laptop = laptops(KNOLL_MODEL_BUCKET="own-models", KNOLL_IDLE="3", **access)
    assert laptop.children("weed") == []
    laptop.declare(
        "digits", **FAST, dataset={"uri": "s3://own-data/digits/", "landed": {"when": "quiet", "quiet": "2s"}}
    )
    data = digits(tmp_path / "data")
    laptop.knoll("upload", "digits", str(data))
    laptop.wait_for_champion("v000001")

    laptop.until(lambda: laptop.children("knoll.wiring.predictor") == [], 60)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: laptop.predict("digits", [picture(data, "0")]), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len(laptop.children("knoll.wiring.predictor")) == 1

    laptop.down()
    assert laptop.children("knoll") == []


def test_a_dcgan_answers_with_pictures(shared: Any, tmp_path: Path) -> None:
    """A generator with a few steps of training draws badly, but is trained, gated, verified, warmed up and
    served like any other model. Its data is one object, an archive."""
    folder = tmp_path / "textures"
    script = str(ROOT / "examples" / "textures" / "data.py")
    subprocess.run(
        [sys.executable, script, str(folder), "--photographs", "brick", "--stride", "200"],
        check=True,
        capture_output=True,
    )
    config = {"epochs": 1, "batchSize": 2, "latent": 16, "scored": 2, "learningRate": 0.002, "seed": 1}
    shared.declare(
        "textures",
        training__config=config,
        training__resources={"cpu": 1},
        gate=None,
        rollout__minRequests=2,
        dataset__landed={"when": "object"},
    )
    shared.knoll("upload", "textures", shutil.make_archive(str(tmp_path / "textures"), "zip", folder))
    shared.wait_for_champion("v000001", "textures", 240)
    answer = shared.predict("textures", [{"seed": 7}], accept="image/png")
    assert answer.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as drawn:
        assert (drawn.size, drawn.mode) == ((56, 56), "RGB")
    assert any(name.startswith("v000001/samples/") for name in shared.names(versions_uri, "textures"))
