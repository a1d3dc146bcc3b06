"""The outcome: how a run ended. It is written once; the first writer wins.

If an outcome is superseded, or lacked memory, a hint is written before it, so that these runs are found
without reading all outcomes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import with_config

from knoll.errors import NewerSchema, Rejected
from knoll.names import join
from knoll.ports import Bucket, ObjectInfo
from knoll.quoting import escaped
from knoll.records.record import LENIENT, Numbers, Record, is_there, overwrite, put_once
from knoll.records.run import is_opened
from knoll.records.stamp import Stamped, find_known, has_keys, stamped, stamped_reader

__all__ = [
    "Outcome",
    "ended_runs",
    "find_outcome",
    "has_outcome",
    "list_outcomes",
    "list_superseded",
    "load_outcome",
    "note_foretold",
    "note_spoilt",
    "outcome_uri",
    "outcomes_uri",
    "superseded_prefix",
    "superseded_uri",
    "write_outcome",
]


@with_config(LENIENT)
@dataclass(frozen=True)
class Outcome(Stamped):
    """How a run ended.

    rejected: its data or config is wrong and stays wrong. failed: all its tries failed, or it was cancelled.
    skipped: it was not trained, such as when the Model's concurrency gave its turn to another run. If
    `superseded`, its data was replaced before it was trained, or no Model asked for it any more; when it is
    asked for again, that is a new run. `lacked_memory` is not 0 if so many bytes were too few: if the Model
    asks for more, that is a new run, too. `manifest_sha256` pins the version: no other manifest counts. `run`
    is the run that ended so. `golden` has the metrics on the golden set, beside those on held-out examples;
    `golden_set` is its URI, and `golden_digest` its state then. knoll 0.2 wrote none of these five. An
    outcome without a stamp counts, unless it is of a newer schema.
    """

    by_trainers = True
    state: Literal["succeeded", "rejected", "failed", "skipped"]
    ended_at: str
    version: str = ""
    reason: str = ""
    metrics: Numbers = field(default_factory=dict)
    superseded: bool = False
    lacked_memory: int = 0
    manifest_sha256: str = ""
    run: str = ""
    golden: Numbers = field(default_factory=dict)
    golden_set: str = ""
    golden_digest: str = ""


load_outcome = stamped_reader(Outcome, "outcome")


def outcomes_uri(root: str) -> str:
    """The folder of all outcomes."""
    return join(root, "outcomes", "")


def outcome_uri(root: str, run: str) -> str:
    """URI of the outcome of a run."""
    return join(root, "outcomes", f"{run}.json")


def superseded_uri(root: str, run: str) -> str:
    """URI of the hint that a run may end so that the same data gets a new run."""
    return join(root, "superseded", f"{run}.json")


def superseded_prefix(root: str, model: str) -> str:
    """Prefix of the hints of a model. The prefix of `digits` also matches hints of `digits-big`."""
    return join(root, "superseded", f"{model}-")


def find_outcome(run: str, bucket: Bucket) -> Outcome | None:
    """How the run ended; None if it has not ended.

    A run whose outcome is spoilt, or is that of another run, has failed, and is superseded: what it was to
    train gets a new run.
    """
    try:
        return _find(run, bucket)
    except Rejected as error:
        return Outcome("failed", "", reason=f"its outcome cannot be read: {error}", superseded=True)


def has_outcome(run: str, bucket: Bucket) -> bool:
    """Whether the run has ended. Only a listing, so that an outcome that cannot be read counts, too."""
    return is_there(outcome_uri(bucket.root, run), bucket)


def write_outcome(run: str, outcome: Outcome, bucket: Bucket) -> bool:
    """Write the outcome if there is none. True if this call wrote it."""
    if outcome.superseded or outcome.lacked_memory:
        overwrite(superseded_uri(bucket.root, run), Record(), bucket)
    if put_once(outcome_uri(bucket.root, run), stamped(replace(outcome, run=run), bucket), bucket):
        return True
    note_spoilt(run, bucket)
    return False


def note_spoilt(run: str, bucket: Bucket) -> None:
    """Write the hint for a run whose outcome is spoilt, so that ingest finds it, and opens a new run."""
    try:
        _find(run, bucket)
    except Rejected:
        overwrite(superseded_uri(bucket.root, run), Record(), bucket)


def note_foretold(run: str, bucket: Bucket) -> bool:
    """Write the hint if the run has an outcome, but was never opened: then its data gets another run. True if
    that is so."""
    is_foretold = has_outcome(run, bucket) and not is_opened(run, bucket)  # in this order: it may be just now
    if is_foretold:
        overwrite(superseded_uri(bucket.root, run), Record(), bucket)
    return is_foretold


def _find(run: str, bucket: Bucket) -> Outcome | None:
    try:
        found = find_known(outcome_uri(bucket.root, run), load_outcome, Outcome, bucket)
    except NewerSchema as error:
        if has_keys(Outcome, bucket) or is_opened(run, bucket):
            raise
        raise Rejected(f"the run was never opened, and {error}") from error
    if found and found.run not in ("", run):
        raise Rejected(f"it is the outcome of another run: {escaped(found.run)[:80]}")
    return found


def list_outcomes(prefix: str, bucket: Bucket) -> Iterator[ObjectInfo]:
    """The outcomes of the runs whose ids start with `prefix`."""
    yield from bucket.store.list(f"{outcomes_uri(bucket.root)}{prefix}")


def ended_runs(prefix: str, bucket: Bucket) -> set[str]:
    """The runs whose ids start with `prefix` and that have an outcome, by a listing alone."""
    return {one.uri.rpartition("/")[2].removesuffix(".json") for one in list_outcomes(prefix, bucket)}


def list_superseded(model: str, bucket: Bucket) -> set[str]:
    """The runs of the model that have a hint. Some have no such outcome, because the writer was killed."""
    found = bucket.store.list(superseded_prefix(bucket.root, model))
    return {one.uri.rpartition("/")[2].removesuffix(".json") for one in found}
