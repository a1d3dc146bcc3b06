"""The run: one training of one dataset with one config.

Its record is written once, before the Job is created, and outlives it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import with_config

from knoll.names import join
from knoll.ports import Bucket, ObjectInfo
from knoll.records.record import LENIENT, Fields, Record, Texts, find, put_once, reader

__all__ = ["Run", "find_run", "list_runs", "load_run", "opened_at", "run_uri", "runs_uri", "write_run"]


@with_config(LENIENT)
@dataclass(frozen=True)
class Run(Record):
    """What is to be trained, and on what: `resources` are those of one node, which trains in
    `processes_per_node` processes.

    `cause` names the event that brought the data: id, type, subject, time, correlationid. `data_at` is when
    the data came to be. `deadline` is in seconds.
    """

    id: str
    model: str
    family: str
    dataset_digest: str
    dataset_uri: str
    config: Fields
    created_at: str
    resources: Fields = field(default_factory=dict)
    deadline: float = 7200.0
    retries: int = 2
    cause: Texts = field(default_factory=dict)
    nodes: int = 1
    processes_per_node: int = 1
    data_at: str = ""

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return self.nodes * self.processes_per_node


load_run = reader(Run, "run record")


def runs_uri(root: str) -> str:
    """Where all run records lie."""
    return join(root, "runs", "")


def run_uri(root: str, run: str) -> str:
    """Where the record of a run lies."""
    return join(root, "runs", f"{run}.json")


def find_run(run: str, bucket: Bucket) -> Run | None:
    """The record of a run; None when nobody has opened it."""
    return find(run_uri(bucket.root, run), load_run, bucket)


def write_run(run: Run, bucket: Bucket) -> bool:
    """Write the record, unless it is there; whether this call wrote it."""
    return put_once(run_uri(bucket.root, run.id), run, bucket)


def opened_at(run: str, bucket: Bucket) -> datetime | None:
    """When the record was written, by the store's clock; None when there is none."""
    return next((one.modified for one in bucket.store.list(run_uri(bucket.root, run))), None)


def list_runs(prefix: str, bucket: Bucket) -> Iterator[tuple[str, ObjectInfo]]:
    """The runs whose ids begin so, with their objects, by a listing alone. What else lies there is shown,
    too: an id may be none."""
    place = runs_uri(bucket.root)
    for one in bucket.store.list(f"{place}{prefix}"):
        yield one.uri.removeprefix(place).removesuffix(".json"), one
