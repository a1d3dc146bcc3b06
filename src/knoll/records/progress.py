"""Progress: how far a run is; overwritten by its trainer, and by train while the trainer cannot start."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import with_config

from knoll.names import join
from knoll.ports import Bucket, ObjectInfo
from knoll.records.record import LENIENT, Numbers, Record, find, overwrite, reader

__all__ = [
    "Progress",
    "find_progress",
    "list_progress",
    "load_progress",
    "progress_of_all_uri",
    "progress_uri",
    "write_progress",
]


@with_config(LENIENT)
@dataclass(frozen=True)
class Progress(Record):
    """How far a run is; field names as in Kubeflow's trainerStatus. `state` is what the trainer is doing, in
    a word or two."""

    state: str
    progress_percentage: int
    estimated_remaining_seconds: int | None
    metrics: Numbers
    updated_at: str


load_progress = reader(Progress, "progress record")


def progress_of_all_uri(root: str) -> str:
    """Where the progress of all runs lies."""
    return join(root, "progress", "")


def progress_uri(root: str, run: str) -> str:
    """Where the progress of a run lies."""
    return join(root, "progress", f"{run}.json")


def find_progress(run: str, bucket: Bucket) -> Progress | None:
    """How far the run is; None while nobody has said so."""
    return find(progress_uri(bucket.root, run), load_progress, bucket)


def write_progress(run: str, progress: Progress, bucket: Bucket) -> None:
    """Say how far the run is."""
    overwrite(progress_uri(bucket.root, run), progress, bucket)


def list_progress(prefix: str, bucket: Bucket) -> Iterator[ObjectInfo]:
    """The progress of the runs whose ids begin so."""
    yield from bucket.store.list(f"{progress_of_all_uri(bucket.root)}{prefix}")
