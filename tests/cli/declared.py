"""Models and records as the stages would write them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from typer.testing import Result

from knoll.names import run_id
from knoll.ports import Platform
from knoll.records.claim import Claim, write_claim
from knoll.records.dataset import Dataset, DatasetObject, write_dataset
from knoll.records.inbox import write_entry
from knoll.records.manifest import FileEntry, Manifest, write_file, write_manifest
from knoll.records.outcome import Outcome, write_outcome
from knoll.records.progress import Progress, write_progress
from knoll.records.rollout import RolloutStep, write_step
from knoll.records.run import Run, read_run, write_run

__all__ = ["Knoll", "Kubeconfig", "Records", "model_yaml"]

Knoll = Callable[..., Result]
Kubeconfig = Callable[[int], Path]


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
        self.bucket = platform.bucket

    def run(self, number: int = 1, model: str = "digits", id: str = "") -> str:
        created_at = f"2026-01-01T00:00:{number:02d}+00:00"
        one = DatasetObject(f"s3://data/{model}/{number}.png", f"e{number}", 1536)
        data = Dataset(model, f"s3://data/{model}/", (one,), created_at)
        id = id or run_id(model, data.digest, "config")
        cause = {
            "id": f"upload-{number}",
            "type": "com.amazonaws.s3.ObjectCreated:Put",
            "subject": f"{model}/_SUCCESS",
            "time": created_at,
        }
        uri = write_dataset(data, self.bucket)
        run = Run(
            id, model, "image-classifier", data.digest, uri, {}, created_at, cause=cause, data_at=created_at
        )
        write_run(run, self.bucket)
        return id

    def entry(self, run: str) -> None:
        """Put the run into the inbox: it is not settled."""
        write_entry(read_run(run, self.bucket), self.bucket)

    def progress(self, run: str, percent: int, eta: int, state: str = "training", reason: str = "") -> None:
        at = "2026-01-01T00:00:10+00:00"
        write_progress(run, Progress(state, percent, eta, {"loss": 0.25}, at, reason), self.bucket)

    def outcome(self, run: str, state: Any = "succeeded", version: str = "v000001", reason: str = "") -> None:
        is_good = state == "succeeded"
        metrics = {"accuracy": 0.98} if is_good else {}
        outcome = Outcome(state, "2026-01-01T00:01:00+00:00", version if is_good else "", reason, metrics)
        write_outcome(run, outcome, self.bucket)

    def claim(self, run: str, version: str = "v000001", model: str = "digits") -> None:
        write_claim(model, version, Claim(run), self.bucket)

    def version(
        self, run: str, version: str = "v000001", model: str = "digits", picture: bytes = b""
    ) -> None:
        made_of = read_run(run, self.bucket)
        files = {"model.onnx": FileEntry(2048, "0" * 64)}
        if picture:
            files["confusion.png"] = FileEntry(len(picture), "1" * 64)
            write_file(model, version, "confusion.png", picture, self.bucket)
        at, digest, metrics = "2026-01-01T00:01:00+00:00", made_of.dataset_digest, {"accuracy": 0.98}
        manifest = Manifest(model, version, "image-classifier", run, digest, {}, metrics, at, "abc", files)
        write_claim(model, version, Claim(run), self.bucket)
        write_manifest(manifest, self.bucket)

    def step(
        self,
        number: int,
        action: str,
        percent: int,
        version: str = "v000001",
        reason: str = "",
        **more: Any,
    ) -> None:
        counts = {"requests": 50, "errors": 0, "replayed": 20, "inStep": 50}
        at = f"2026-01-01T00:02:{number:02d}+00:00"
        step = RolloutStep("digits", version, version, number, action, at, percent, reason, evidence=counts)
        write_step(replace(step, **more), self.bucket)

    def status(self, model: str = "digits", **status: Any) -> None:
        document = self.platform.cluster.get("Model", model)
        self.platform.cluster.update({**document, "status": status}, status=True)
