"""A real S3 server and document store, found as a running platform is found: the commands cannot tell the
difference."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from knoll.cli import app, plugin
from knoll.names import run_id
from knoll.ports import Platform
from knoll.records.dataset import Dataset, DatasetObject, dataset_uri
from knoll.records.manifest import FileEntry, Manifest, manifest_uri
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.progress import Progress, progress_uri
from knoll.records.rollout import rollout_step_uri
from knoll.records.run import Run, load_run, run_uri
from knoll.settings import read_settings
from knoll.wiring.platform import user_platform
from knoll.wiring.running import Running, keep, only_one

MODELS, DATA = "cli-models", "cli-data"
Knoll = Callable[..., Result]


@pytest.fixture
def knoll(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Knoll:
    """Run a command in a home of its own."""
    for name in [
        name for name in os.environ if name.startswith(("KNOLL_", "AWS_", "K_", "KUBECONFIG", "GATEWAY_URL"))
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KNOLL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "240")

    def run(*words: str | Path, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], input=stdin, prog_name="knoll")

    return run


@pytest.fixture
def kn_model(knoll: Knoll) -> Knoll:
    """Run a command of kn's plugin in the same home."""

    def run(*words: str | Path) -> Result:
        return CliRunner().invoke(plugin.app, [str(word) for word in words], prog_name="kn model")

    return run


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Callable[[int], Path]:
    """Write a kubeconfig whose API server is to listen on that port of this machine."""

    def write(port: int) -> Path:
        named = {
            "cluster": {"server": f"http://127.0.0.1:{port}"},
            "user": {},
            "context": {"cluster": "it", "user": "it"},
        }
        lists = {f"{key}s": [{"name": "it", key: value}] for key, value in named.items()}
        path = tmp_path / "kubeconfig.yaml"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "it", **lists}))
        return path

    return write


@pytest.fixture
def platform(knoll: Knoll, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """The platform that this home names: the session's S3 server with empty buckets, and a document store."""
    monkeypatch.setenv("KNOLL_MODEL_BUCKET", MODELS)
    home = tmp_path / "home"
    with only_one(home):
        keep(
            home,
            Running(
                pid=os.getpid(),
                port=9,
                url="http://127.0.0.1:9",
                s3_endpoint=s3.endpoint,
                s3_access_key=s3.access_key,
                s3_secret_key=s3.secret_key,
                s3_region="us-east-1",
                model_bucket=MODELS,
                own_s3=s3.endpoint,
            ),
        )
        platform = user_platform(read_settings())
        for name in (MODELS, DATA):
            platform.store.ensure_bucket(name)  # type: ignore[attr-defined]
            for one in list(platform.store.list(f"s3://{name}/")):
                platform.store.delete(one.uri)
        yield platform


@pytest.fixture
def bucket() -> str:
    """Where the test's data lies; a few buckets serve all tests, because SeaweedFS gives each of them volumes
    of its own."""
    return DATA


@pytest.fixture
def model_file(tmp_path: Path, bucket: str) -> Path:
    path = tmp_path / "model.yaml"
    path.write_text(model_yaml(bucket))
    return path


def model_yaml(bucket: str, name: str = "digits", **changes: str) -> str:
    spec = {
        "family": "image-classifier",
        "dataset": f"{{uri: s3://{bucket}/{name}/}}",
        "gate": "{metric: accuracy, atLeast: 0.9}",
        **changes,
    }
    lines = "\n".join(f"  {key}: {value}" for key, value in spec.items())
    return f"apiVersion: knoll.dev/v1alpha1\nkind: Model\nmetadata: {{name: {name}}}\nspec:\n{lines}\n"


class Records:
    """Writes the records that trainer and rollout would write."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.root = platform.settings.model_root

    def run(self, number: int = 1, model: str = "digits", id: str = "") -> str:
        created_at = f"2026-01-01T00:00:{number:02d}+00:00"
        data = Dataset(
            model,
            f"s3://data/{model}/",
            (DatasetObject(f"s3://data/{model}/{number}.png", f"e{number}", 1536),),
            created_at,
        )
        id = id or run_id(model, data.digest, "config")
        cause = {
            "id": f"upload-{number}",
            "type": "com.amazonaws.s3.ObjectCreated:Put",
            "subject": f"{model}/_SUCCESS",
            "time": created_at,
        }
        uri = dataset_uri(self.root, model, data.digest)
        self._put(uri, data.encode())
        self._put(
            run_uri(self.root, id),
            Run(id, model, "image-classifier", data.digest, uri, {}, created_at, cause=cause).encode(),
        )
        return id

    def progress(self, run: str, percent: int, eta: int, state: str = "training", reason: str = "") -> None:
        progress = Progress(state, percent, eta, {"loss": 0.25}, "2026-01-01T00:00:10+00:00", reason)
        self._put(progress_uri(self.root, run), progress.encode())

    def outcome(self, run: str, state: Any = "succeeded", version: str = "v000001", reason: str = "") -> None:
        metrics = {"accuracy": 0.98} if state == "succeeded" else {}
        outcome = Outcome(
            state, "2026-01-01T00:01:00+00:00", version if state == "succeeded" else "", reason, metrics
        )
        self._put(outcome_uri(self.root, run), outcome.encode())

    def version(
        self, run: str, version: str = "v000001", model: str = "digits", picture: bytes = b""
    ) -> None:
        made_of = load_run(self.platform.store.get(run_uri(self.root, run))).dataset_digest
        files = {"model.onnx": FileEntry(2048, "0" * 64)}
        if picture:
            files["confusion.png"] = FileEntry(len(picture), "1" * 64)
            self._put(f"{self.root}/models/{model}/{version}/confusion.png", picture)
        at = "2026-01-01T00:01:00+00:00"
        manifest = Manifest(
            model, version, "image-classifier", run, made_of, {}, {"accuracy": 0.98}, at, "abc", files
        )
        self._put(manifest_uri(self.root, model, version), manifest.encode())

    def step(
        self,
        number: int,
        action: str,
        percent: int,
        version: str = "v000001",
        reason: str = "",
        model: str = "digits",
    ) -> None:
        evidence = {"requests": 50, "errors": 0, "replayed": 20, "inStep": 50}
        record = {
            "model": model,
            "rollout": version,
            "version": version,
            "step": 0,
            "number": number,
            "percent": percent,
        }
        record |= {
            "action": action,
            "at": f"2026-01-01T00:02:{number:02d}+00:00",
            "reason": reason,
            "evidence": evidence,
        }
        self._put(rollout_step_uri(self.root, model, version, number), json.dumps(record).encode())

    def status(self, model: str = "digits", **status: Any) -> None:
        document = self.platform.cluster.get("Model", model)
        self.platform.cluster.update({**document, "status": status}, status=True)

    def _put(self, uri: str, body: bytes) -> None:
        self.platform.store.put(uri, body)


@pytest.fixture
def records(platform: Platform) -> Records:
    return Records(platform)
