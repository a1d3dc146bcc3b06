"""Identities and places: how things are named, and where they lie in the model bucket.

Identity is content: the same data and config always give the same run, whatever the events were called.
Digests are taken over length-prefixed parts, so that no two lists of parts share an encoding.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from knoll.errors import Rejected

__all__ = [
    "MODEL_NAME",
    "checksums_uri",
    "claim_uri",
    "claims_uri",
    "dataset_uri",
    "dead_letter_id",
    "dead_letter_uri",
    "dead_letters_uri",
    "death_uri",
    "digest",
    "inbox",
    "inbox_entry",
    "inbox_uri",
    "join",
    "manifest_uri",
    "model_of_run",
    "models_uri",
    "outcome_uri",
    "outcomes_uri",
    "probe_uri",
    "progress_of_all_uri",
    "progress_uri",
    "removed_manifest_uri",
    "replay_uri",
    "rollout_step_uri",
    "rollouts_uri",
    "run_id",
    "run_uri",
    "runs_uri",
    "split_uri",
    "superseded_prefix",
    "superseded_uri",
    "version_name",
    "version_number",
    "version_uri",
    "versions_uri",
    "wanted_replay_uri",
    "wanted_replays_uri",
]

MODEL_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_RUN_ID = re.compile(rf"({MODEL_NAME.pattern})-[0-9a-f]{{20}}")
_ENTRY = re.compile(rf"(?P<run>{_RUN_ID.pattern})\.(?P<data_at>\d{{8}}T\d{{12}}Z)\.json")
_VERSION_NAME = re.compile(r"v(\d{6,})")


def digest(parts: Iterable[str | bytes]) -> str:
    """Sha256 in hex over length-prefixed parts: ("a", "bc") and ("ab", "c") differ."""
    state = hashlib.sha256()
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else part
        state.update(len(encoded).to_bytes(8, "big"))
        state.update(encoded)
    return state.hexdigest()


def run_id(model: str, dataset_digest: str, config_digest: str, again: int = 0) -> str:
    """Name of a run, its Job and its record: at most 61 characters, a valid Kubernetes name.

    `again` counts how often the same data has been superseded before it was trained.
    """
    return f"{model}-{digest([model, dataset_digest, config_digest, *([str(again)] if again else [])])[:20]}"


def model_of_run(run: str) -> str:
    """ "digits-0123456789abcdef0123" -> "digits". Raises Rejected for what is no run id."""
    match = _RUN_ID.fullmatch(run)
    if not match:
        raise Rejected(f"{run!r} is no run id", fix="knoll runs lists them")
    return match[1]


def version_name(number: int) -> str:
    """7 -> "v000007": zero-padded, so that names sort as numbers and no name is a prefix of another."""
    return f"v{number:06d}"


def version_number(name: str) -> int:
    """ "v000007" -> 7. Raises Rejected for any other form."""
    match = _VERSION_NAME.fullmatch(name)
    if not match:
        raise Rejected(f"version {name!r} is not of the form v000001", fix="knoll versions MODEL lists them")
    return int(match[1])


def split_uri(uri: str) -> tuple[str, str]:
    """ "s3://bucket/some/key" -> ("bucket", "some/key"). Raises Rejected for any other scheme."""
    bucket, separator, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not separator:
        raise Rejected(f"{uri!r} is not of the form s3://bucket/key")
    return bucket, key


def join(root: str, *parts: str) -> str:
    """Join a root URI, with or without its last slash, and parts."""
    return "/".join([root.rstrip("/"), *parts])


# Below, `root` is the URI of the model bucket, such as s3://knoll-models


def dataset_uri(root: str, model: str, dataset_digest: str) -> str:
    """Snapshot of the listing that a dataset digest stands for."""
    return join(root, "datasets", model, f"{dataset_digest}.json")


def checksums_uri(root: str, model: str) -> str:
    """What has been read of the sha256 of a model's data; overwritten by whoever has read more."""
    return join(root, "checksums", f"{model}.json")


def runs_uri(root: str) -> str:
    """Where all run records lie."""
    return join(root, "runs", "")


def run_uri(root: str, run: str) -> str:
    """Record of a run, written once."""
    return join(root, "runs", f"{run}.json")


def inbox(root: str) -> str:
    """Where the entries of all runs lie that are not settled."""
    return join(root, "inbox", "")


def inbox_uri(root: str, run: str, data_at: str) -> str:
    """Entry of a run that is not settled: its record, written before that, removed when nothing is left to do
    for the run.

    Its name says how old the run's data is, an ISO time, so that a listing tells whose turn it is.
    """
    return join(
        root, "inbox", f"{run}.{datetime.fromisoformat(data_at).astimezone(UTC):%Y%m%dT%H%M%S%fZ}.json"
    )


def inbox_entry(uri: str) -> tuple[str, str]:
    """ "…/inbox/digits-0123456789abcdef0123.20260101T000000000000Z.json" -> run id and time. Raises Rejected
    for what is no entry."""
    match = _ENTRY.fullmatch(uri.rpartition("/")[2])
    if not match:
        raise Rejected(f"{uri} is no entry of an inbox")
    return match["run"], match["data_at"]


def outcome_uri(root: str, run: str) -> str:
    """How a run ended, written once."""
    return join(root, "outcomes", f"{run}.json")


def outcomes_uri(root: str) -> str:
    """Where all outcomes lie."""
    return join(root, "outcomes", "")


def superseded_uri(root: str, run: str) -> str:
    """Hint that a run may end as superseded: written before such an outcome, so that nobody reads all
    outcomes to find them."""
    return join(root, "superseded", f"{run}.json")


def superseded_prefix(root: str, model: str) -> str:
    """How the hints of a model begin, and those of models whose names go on with a dash."""
    return join(root, "superseded", f"{model}-")


def progress_uri(root: str, run: str) -> str:
    """How far a run is; overwritten by its trainer."""
    return join(root, "progress", f"{run}.json")


def progress_of_all_uri(root: str) -> str:
    """Where the progress of all runs lies."""
    return join(root, "progress", "")


def models_uri(root: str) -> str:
    """Where the versions of all models lie."""
    return join(root, "models", "")


def versions_uri(root: str, model: str) -> str:
    """Where all versions of a model lie."""
    return join(root, "models", model, "")


def version_uri(root: str, model: str, version: str) -> str:
    """Folder of a version. It ends with a slash: a bare prefix of v000001 would also match v0000010."""
    return join(root, "models", model, version, "")


def manifest_uri(root: str, model: str, version: str) -> str:
    """Manifest of a version: a version without one does not exist."""
    return join(root, "models", model, version, "manifest.json")


def removed_manifest_uri(root: str, model: str, version: str) -> str:
    """Copy of the manifest of a version that is being removed, apart from the version, which nobody loads
    with a stray file in it."""
    return join(root, "removing", model, f"{version}.json")


def claims_uri(root: str, model: str) -> str:
    """Where the claims of a model's version numbers lie, apart from the versions, so that a listing of those
    shows nothing else."""
    return join(root, "claims", model, "")


def claim_uri(root: str, model: str, version: str) -> str:
    """Which run has that version number: its id, written once."""
    return join(root, "claims", model, version)


def probe_uri(root: str) -> str:
    """What was found out about the store's conditional writes."""
    return join(root, "probe.json")


def rollouts_uri(root: str, model: str) -> str:
    """Where all rollout records of a model lie."""
    return join(root, "rollouts", model, "")


def rollout_step_uri(root: str, model: str, rollout: str, step: int) -> str:
    """One step of a rollout, written once."""
    return join(root, "rollouts", model, rollout, f"{step:06d}.json")


def dead_letters_uri(root: str) -> str:
    """Where all dead letters lie."""
    return join(root, "dead-letters", "")


def dead_letter_id(*identity: str | bytes) -> str:
    """Name of a dead letter, by what it holds and who did not take it: the same letter twice has the same
    name."""
    return digest(identity)[:20]


def dead_letter_uri(root: str, letter: str) -> str:
    """Where a dead letter lies: an object for each of its deaths and replays."""
    return join(root, "dead-letters", letter, "")


def death_uri(root: str, letter: str, death: str) -> str:
    """How a letter once died, with the letter; written once."""
    return join(root, "dead-letters", letter, f"death-{death}.json")


def replay_uri(root: str, letter: str, number: int) -> str:
    """That a letter was replayed; written once, when the broker has taken it."""
    return join(root, "dead-letters", letter, f"replay-{number:06d}.json")


def wanted_replays_uri(root: str) -> str:
    """Where all replays lie that somebody wants, apart from the letters, so that a look at each tick costs
    next to nothing."""
    return join(root, "replays", "")


def wanted_replay_uri(root: str, letter: str, number: int) -> str:
    """That somebody wants a letter replayed for the so-many-th time; removed when it was."""
    return join(root, "replays", f"{letter}.{number:06d}.json")
