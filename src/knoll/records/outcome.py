"""The outcome: how a run ended. It is written once; the first writer wins.

With keys set, only a signed outcome ends a run that functions have opened. An unsigned one is a stray: knoll
ignores it, and overwrites it when the run ends.

If an outcome is superseded, or lacked memory, a hint is written before it, so that these runs are found
without reading all outcomes.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import with_config

from knoll.data_files import Skipped
from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.names import join
from knoll.ports import Bucket, ObjectInfo
from knoll.quoting import escaped
from knoll.records.curves import CurvePoint
from knoll.records.record import (
    LENIENT,
    Numbers,
    Record,
    is_there,
    newer_at,
    overwrite,
    put_once,
    read_some,
)
from knoll.records.run import is_from_before_keys, is_opened
from knoll.records.stamp import (
    Stamped,
    are_all_stamped,
    has_keys,
    is_body_stamped,
    is_stamped,
    known_reader,
    stamped,
    stamped_reader,
    why_unstamped,
)

__all__ = [
    "Outcome",
    "ended_runs",
    "find_outcome",
    "has_outcome",
    "is_signed",
    "list_outcomes",
    "list_superseded",
    "load_outcome",
    "note_foretold",
    "outcome_uri",
    "outcomes_uri",
    "settle_outcome",
    "superseded_prefix",
    "superseded_uri",
    "why_stray",
    "without_strays",
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
    `golden_set` is its URI, and `golden_digest` its state then. `left_out` are the bad files that the
    training did without, by reason. If `diverged_step` is not 0, a number was not finite by that step, and
    `curve` has the losses before. `seed` is that of its random numbers. knoll 0.2 wrote none of these nine.
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
    left_out: tuple[Skipped, ...] = ()
    diverged_step: int = 0
    curve: tuple[CurvePoint, ...] = ()
    seed: int | None = None


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
    """How the run ended; None if it has not ended. A run whose outcome is spoilt, or is that of another run,
    has failed, and is superseded: what it was to train gets a new run."""
    try:
        return _find(run, bucket)
    except Rejected as error:
        why = f"{error}: {error.fix}" if error.fix else str(error)
        return Outcome("failed", "", reason=f"its outcome cannot be read: {why}", superseded=True)


def has_outcome(run: str, bucket: Bucket) -> bool:
    """Whether the run has ended. An outcome that cannot be read counts, too, unless it is a stray."""
    uri = outcome_uri(bucket.root, run)
    if not are_all_stamped(Outcome, bucket):
        return is_there(uri, bucket)
    with suppress(NotFound):
        return not _is_stray(run, read_some(uri, bucket), bucket)
    return False


def without_strays(ended: Iterable[str], bucket: Bucket) -> set[str]:
    """The runs that have ended, among those whose outcomes a listing shows. With keys each is read."""
    are_read = are_all_stamped(Outcome, bucket)
    return {run for run in ended if not are_read or has_outcome(run, bucket)}


def write_outcome(run: str, outcome: Outcome, bucket: Bucket) -> bool:
    """Write the outcome if there is none, over a stray if there is one. True if this call wrote it."""
    if outcome.superseded or outcome.lacked_memory:
        _write_hint(run, bucket)
    uri, ended = outcome_uri(bucket.root, run), stamped(replace(outcome, run=run), bucket)
    if put_once(uri, ended, bucket):
        return True
    is_free = not has_outcome(run, bucket)
    if is_free:
        overwrite(uri, ended, bucket)
    return is_free


def settle_outcome(run: str, bucket: Bucket) -> bool:
    """Make the outcome last; False if the run has none.

    Functions stamp what its trainer has signed, so that it counts without the key of the trainer. If it is
    spoilt, or of a run from before the keys and unsigned, the hint is written: ingest opens a new run if that
    is asked for again.
    """
    try:
        found = _find(run, bucket)
        is_sound = found is None or is_signed(found, bucket)
    except Rejected:
        found, is_sound = None, False
    if not is_sound:
        _write_hint(run, bucket)
    elif found and bucket.stamp_key and are_all_stamped(Outcome, bucket):
        ours = stamped(found, bucket)
        if ours.stamp != found.stamp:
            overwrite(outcome_uri(bucket.root, run), ours, bucket)
    return found is not None or not is_sound


def is_signed(outcome: Outcome, bucket: Bucket) -> bool:
    """Whether one of our keys has signed the outcome; true where not everybody has a key."""
    return not are_all_stamped(Outcome, bucket) or is_stamped(outcome, bucket)


def note_foretold(run: str, bucket: Bucket) -> bool:
    """Write the hint if the run has an outcome, but was never opened: then its data gets another run. True if
    that is so."""
    is_foretold = has_outcome(run, bucket) and not is_opened(run, bucket)  # in this order: it may be just now
    if is_foretold:
        _write_hint(run, bucket)
    return is_foretold


def why_stray(outcome: Outcome, run: str, bucket: Bucket) -> str:
    """Why the outcome at the place of the run does not end it; "" if it does."""
    is_believed = is_signed(outcome, bucket) or is_from_before_keys(run, bucket)
    return "" if is_believed else why_unstamped(Outcome)


def _find(run: str, bucket: Bucket) -> Outcome | None:
    uri = outcome_uri(bucket.root, run)
    try:
        body = read_some(uri, bucket)
        found = None if _is_stray(run, body, bucket) else known_reader(load_outcome, Outcome, bucket)(body)
    except NotFound:
        return None
    except NewerSchema as error:
        if has_keys(Outcome, bucket) or is_opened(run, bucket):
            raise newer_at(uri, error) from error
        raise Rejected(f"the run was never opened, and {error}", fix=error.fix) from error
    if found and found.run not in ("", run):
        raise Rejected(f"it is the outcome of another run: {escaped(found.run)[:80]}")
    return found


def _is_stray(run: str, body: bytes, bucket: Bucket) -> bool:
    """Whether what lies in the outcome's place does not end the run. What has the stamp of another run's
    outcome does not."""
    if not are_all_stamped(Outcome, bucket):
        return False
    is_ours = is_body_stamped(Outcome, body, bucket) and json.loads(body).get("run") == run
    return not is_ours and not is_from_before_keys(run, bucket)


def _write_hint(run: str, bucket: Bucket) -> None:
    overwrite(superseded_uri(bucket.root, run), Record(), bucket)


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
