"""A family's training from its files to its answers, without a platform: what the fixture `trained` gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from knoll.codecs import decode, encode
from knoll.exits import REJECTED, SUCCEEDED
from knoll.families.base import Family
from knoll.ports import Platform
from knoll.predict.graph import Graph, warm_up
from knoll.predict.loading import Version, fetch_version
from knoll.records.dataset import Dataset, DatasetObject, write_dataset
from knoll.records.manifest import version_uri
from knoll.records.outcome import Outcome, find_outcome
from knoll.records.run import Run, write_run
from knoll.trainer.run import train

__all__ = ["Trained", "Training", "train_once"]

MODEL, PREFIX = "toy", "s3://datasets/toy/"


@dataclass(frozen=True)
class Training:
    """How a training ended: its outcome has the state, the metrics, and the reason of a rejection."""

    outcome: Outcome
    platform: Platform

    @property
    def version(self) -> Version:
        """The version that it published, verified as a predictor does it."""
        folder = version_uri(self.platform.bucket.root, MODEL, self.outcome.version)
        return fetch_version(self.platform.store, folder, MODEL)

    def predict(self, instances: list[Any]) -> list[Any]:
        """What a predictor answers to `{"instances": instances}`, after it has warmed up."""
        graph = Graph(self.version, threads=1)
        warm_up(graph, self.version)
        return encode(graph.run(decode(instances, self.version.signature)), self.version.signature)


Trained = Callable[[type[Family[Any]], Mapping[str, Any], Mapping[str, bytes]], Training]


def train_once(
    family: str, config: Mapping[str, Any], files: Mapping[str, bytes], platform: Platform, **asked: Any
) -> Training:
    """Upload the files, and train the family on them as a Job does. `asked` are more fields of the run."""
    for key, body in files.items():
        platform.store.put(PREFIX + key, body)
    objects = tuple(DatasetObject(one.uri, one.etag, one.size) for one in platform.store.list(PREFIX))
    dataset = Dataset(MODEL, PREFIX, objects)
    uri, present = write_dataset(dataset, platform.bucket), platform.clock.now().isoformat()
    run = Run(f"{MODEL}-0123456789", MODEL, family, dataset.digest, uri, dict(config), present, **asked)
    write_run(run, platform.bucket)
    code = train(run.id, platform)
    outcome = find_outcome(run.id, platform.bucket)
    assert outcome is not None
    assert code == {"succeeded": SUCCEEDED, "rejected": REJECTED}[outcome.state]
    return Training(outcome, platform)
