"""The outcome: how a run has ended; written once, by whoever ends it.

A hint is written before an outcome that is superseded, so that nobody reads all outcomes to find those.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pydantic import with_config

from knoll.names import join
from knoll.ports import Bucket, ObjectInfo
from knoll.records.record import LENIENT, Numbers, Record, find, overwrite, put_once, reader

__all__ = [
    "Outcome",
    "find_outcome",
    "has_outcome",
    "list_outcomes",
    "list_superseded",
    "load_outcome",
    "outcome_uri",
    "outcomes_uri",
    "superseded_prefix",
    "superseded_uri",
    "write_outcome",
]


@with_config(LENIENT)
@dataclass(frozen=True)
class Outcome(Record):
    """How a run ended. rejected: its data or config is wrong and stays wrong; failed: it was tried often
    enough, or cancelled; skipped: the Model's concurrency gave its turn to another.

    If `superseded`, its data was replaced before it was trained. When the same data lands again, it gets a
    new run.
    """

    state: Literal["succeeded", "rejected", "failed", "skipped"]
    ended_at: str
    version: str = ""
    reason: str = ""
    metrics: Numbers = field(default_factory=dict)
    superseded: bool = False


load_outcome = reader(Outcome, "outcome")


def outcomes_uri(root: str) -> str:
    """Where all outcomes lie."""
    return join(root, "outcomes", "")


def outcome_uri(root: str, run: str) -> str:
    """Where the outcome of a run lies."""
    return join(root, "outcomes", f"{run}.json")


def superseded_uri(root: str, run: str) -> str:
    """Where the hint lies that a run may end as superseded."""
    return join(root, "superseded", f"{run}.json")


def superseded_prefix(root: str, model: str) -> str:
    """How the hints of a model begin, and those of models whose names go on with a dash."""
    return join(root, "superseded", f"{model}-")


def find_outcome(run: str, bucket: Bucket) -> Outcome | None:
    """How the run has ended; None while it has not."""
    return find(outcome_uri(bucket.root, run), load_outcome, bucket)


def has_outcome(run: str, bucket: Bucket) -> bool:
    """Whether the run has ended, by a listing: also when the outcome cannot be read."""
    return any(bucket.store.list(outcome_uri(bucket.root, run)))


def write_outcome(run: str, outcome: Outcome, bucket: Bucket) -> bool:
    """Write how the run has ended; False when it had ended before, however."""
    if outcome.superseded:
        overwrite(superseded_uri(bucket.root, run), Record(), bucket)
    return put_once(outcome_uri(bucket.root, run), outcome, bucket)


def list_outcomes(prefix: str, bucket: Bucket) -> Iterator[ObjectInfo]:
    """The outcomes of the runs whose ids begin so."""
    yield from bucket.store.list(f"{outcomes_uri(bucket.root)}{prefix}")


def list_superseded(model: str, bucket: Bucket) -> set[str]:
    """The runs of the model that may have ended as superseded; who wrote a hint may have been killed then."""
    found = bucket.store.list(superseded_prefix(bucket.root, model))
    return {one.uri.rpartition("/")[2].removesuffix(".json") for one in found}
