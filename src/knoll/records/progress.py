"""Progress: how far a run is. The trainer overwrites it, and so does train while the trainer cannot start."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pydantic import with_config

from knoll.data_files import Skipped
from knoll.names import join
from knoll.ports import Bucket, ObjectInfo
from knoll.records.record import LENIENT, Numbers, Record, find_hint, overwrite, reader

__all__ = [
    "BLOCKED",
    "WAITING",
    "DataRead",
    "Point",
    "Progress",
    "StepsTaken",
    "find_progress",
    "list_progress",
    "load_progress",
    "progress_of_all_uri",
    "progress_uri",
    "remove_progress",
    "write_progress",
]

BLOCKED, WAITING = "blocked", "waiting"  # the states that train writes


@with_config(LENIENT)
@dataclass(frozen=True)
class DataRead:
    """How many files and bytes of the dataset are read, and how many there are."""

    files: int
    of_files: int
    bytes: int
    of_bytes: int


@with_config(LENIENT)
@dataclass(frozen=True)
class Point:
    """The losses when so many percent of the run were done."""

    percent: int
    losses: Numbers


@with_config(LENIENT)
@dataclass(frozen=True)
class StepsTaken:
    """How far the steps of a training are, and how fast: `data_wait` is the share of their time in which they
    wait for their examples. Both are those of the last steps; None after the first one."""

    step: int
    of_steps: int
    epoch: int
    examples_per_second: float | None = None
    data_wait: float | None = None

    def document(self) -> dict[str, int | float | None]:
        """As events and `-o json` say it."""
        speed = {"examplesPerSecond": self.examples_per_second, "dataWaitShare": self.data_wait}
        return {"step": self.step, "ofSteps": self.of_steps, "epoch": self.epoch, **speed}


@with_config(LENIENT)
@dataclass(frozen=True)
class Progress(Record):
    """How far a run is; field names as in Kubeflow's trainerStatus.

    `state` says what the trainer does, such as reading, or compressing: int8. Before it starts, `state` is
    BLOCKED if the cluster admits no Job, or WAITING if the Job's Pod cannot start; `reason` says why.
    While the data is read, `reading` says how much of it; `curve` has some of the losses so far. `attempt`
    counts from 1; it is 0 before the first one. If it goes on from a checkpoint, `resumed_step` is the step
    of that, else 0. `left_out` are the bad files that it does without, by reason. While it trains, `steps`
    says how far it is, and `warnings` what may spoil the version. knoll 0.2 wrote none of these seven.
    """

    state: str
    progress_percentage: int
    estimated_remaining_seconds: int | None
    metrics: Numbers
    updated_at: str
    reason: str = ""
    reading: DataRead | None = None
    curve: tuple[Point, ...] = ()
    attempt: int = 0
    resumed_step: int = 0
    left_out: tuple[Skipped, ...] = ()
    steps: StepsTaken | None = None
    warnings: tuple[str, ...] = ()


_read = reader(Progress, "progress record")


def load_progress(body: bytes) -> Progress:
    """Read a progress record; knoll 0.1 wrote state and reason as one text, "blocked: all 2 Jobs are live".

    Raises Rejected for anything else.
    """
    found = _read(body)
    state, colon, reason = found.state.partition(": ")
    return replace(found, state=state, reason=reason) if colon and state in (BLOCKED, WAITING) else found


def progress_of_all_uri(root: str) -> str:
    """The folder of all progress records."""
    return join(root, "progress", "")


def progress_uri(root: str, run: str) -> str:
    """URI of the progress of a run."""
    return join(root, "progress", f"{run}.json")


def find_progress(run: str, bucket: Bucket) -> Progress | None:
    """How far the run is; None if it has no progress record, or one that cannot be read."""
    return find_hint(progress_uri(bucket.root, run), load_progress, bucket)


def write_progress(run: str, progress: Progress, bucket: Bucket) -> None:
    """Write the progress over what lies there."""
    overwrite(progress_uri(bucket.root, run), progress, bucket)


def list_progress(prefix: str, bucket: Bucket) -> Iterator[ObjectInfo]:
    """The progress records of the runs whose ids start with `prefix`."""
    yield from bucket.store.list(f"{progress_of_all_uri(bucket.root)}{prefix}")


def remove_progress(run: str, bucket: Bucket) -> None:
    """Remove the progress of a run, if there is any."""
    bucket.store.delete(progress_uri(bucket.root, run))
