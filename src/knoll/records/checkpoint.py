"""The checkpoint: the state of a training after one of its steps, from which the next attempt goes on.

    checkpoints/<run>/000000420/
        state.safetensors   tensors: weights, optimisers, random generators, loss sums
        state.json          everything else
        checkpoint.json     written last: size and sha256 of the other two, and the schema of all three

checkpoint.json is the record. The other two are content, as a graph is that of a version: here they are bytes
with a place. `trainer/state_files.py` encodes and decodes them, since tensors need torch.

A checkpoint only saves time: a run without one is trained from its first step. So one that is torn, foreign,
or of a newer schema is passed over. `Checkpoint.schema` rises also if an old trainer would misunderstand the
other two files.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydantic import with_config

from knoll.errors import NotFound, Rejected
from knoll.media_types import ANY_BYTES, JSON
from knoll.names import RUN_ID, join
from knoll.ports import Bucket, ObjectInfo
from knoll.records.manifest import FileEntries, entry_of
from knoll.records.record import LENIENT, overwrite
from knoll.records.stamp import Stamped, find_stamped, stamped, stamped_reader

__all__ = [
    "AFTER_STEP",
    "CHECKPOINT",
    "STATE",
    "TENSORS",
    "Checkpoint",
    "checkpoint_uri",
    "checkpoints_uri",
    "list_checkpoints",
    "list_steps",
    "load_checkpoint",
    "read_checkpoint",
    "remove_checkpoints",
    "step_name",
    "write_checkpoint",
    "write_state_file",
]

CHECKPOINT, STATE, TENSORS = "checkpoint.json", "state.json", "state.safetensors"
AFTER_STEP = r"\d{9}"


@with_config(LENIENT)
@dataclass(frozen=True)
class Checkpoint(Stamped):
    """What a checkpoint consists of. `step` counts from 1, of `of_steps` in all. `attempt` is the number of
    the attempt that wrote it, and `processes` is how many trained."""

    by_trainers = True

    run: str
    step: int
    of_steps: int
    attempt: int
    processes: int
    written_at: str
    files: FileEntries


load_checkpoint = stamped_reader(Checkpoint, "checkpoint")


def checkpoints_uri(root: str, run: str = "") -> str:
    """The folder of a run's checkpoints, or of all."""
    return join(root, "checkpoints", *([run] if run else []), "")


def checkpoint_uri(root: str, run: str, step: int, file: str = CHECKPOINT) -> str:
    """URI of a file of a checkpoint."""
    return join(root, "checkpoints", run, step_name(step), file)


def step_name(step: int) -> str:
    """The name of the folder of a step."""
    return f"{step:09d}"


def list_steps(run: str, bucket: Bucket) -> list[int]:
    """The steps that have files of the run, the newest first. Not all need be whole."""
    place = checkpoints_uri(bucket.root, run)
    names = {one.uri.removeprefix(place).partition("/")[0] for one in bucket.store.list(place)}
    return sorted((int(name) for name in names if re.fullmatch(AFTER_STEP, name, re.ASCII)), reverse=True)


def list_checkpoints(bucket: Bucket) -> dict[str, list[ObjectInfo]]:
    """The files of all checkpoints, by the ids of their runs."""
    place = checkpoints_uri(bucket.root)
    found: dict[str, list[ObjectInfo]] = {}
    for one in bucket.store.list(place):
        run = one.uri.removeprefix(place).partition("/")[0]
        if RUN_ID.fullmatch(run):
            found.setdefault(run, []).append(one)
    return found


def read_checkpoint(run: str, step: int, bucket: Bucket) -> tuple[Checkpoint, Mapping[str, bytes]]:
    """The checkpoint and its files by their names. Raises Rejected if it is torn, of another run, or was not
    signed by this platform's trainers, and NewerSchema."""
    found = find_stamped(checkpoint_uri(bucket.root, run, step), load_checkpoint, Checkpoint, bucket)
    if found is None:
        raise Rejected(f"it has no {CHECKPOINT}: the attempt that wrote it was killed")
    if (found.run, found.step) != (run, step):
        raise Rejected("it is of another run or step")
    files = {}
    for name in (STATE, TENSORS):
        try:
            files[name] = bucket.store.get(checkpoint_uri(bucket.root, run, step, name))
        except NotFound as error:
            raise Rejected(f"its {name} is missing") from error
        if entry_of(files[name]) != found.files.get(name):
            raise Rejected(f"its {name} is not what was written")
    return found, files


def write_state_file(run: str, step: int, name: str, body: bytes, bucket: Bucket) -> None:
    """Write a file of a checkpoint, over what a killed attempt left there. Raises StoreUnavailable."""
    kind = JSON if name.endswith(".json") else ANY_BYTES
    bucket.store.put(checkpoint_uri(bucket.root, run, step, name), body, content_type=kind)


def write_checkpoint(checkpoint: Checkpoint, bucket: Bucket) -> None:
    """Make the files a checkpoint. Raises StoreUnavailable."""
    uri = checkpoint_uri(bucket.root, checkpoint.run, checkpoint.step)
    overwrite(uri, stamped(checkpoint, bucket), bucket)


def remove_checkpoints(run: str, bucket: Bucket, keep: Collection[int] = ()) -> None:
    """Remove the checkpoints of a run, but not those of the steps in `keep`."""
    place = checkpoints_uri(bucket.root, run)
    kept = {step_name(step) for step in keep}
    found = [one.uri for one in bucket.store.list(place)]
    going = [uri for uri in found if uri.removeprefix(place).partition("/")[0] not in kept]
    # what lost its manifest first is never taken for a whole one
    for uri in sorted(going, key=lambda uri: not uri.endswith(f"/{CHECKPOINT}")):
        bucket.store.delete(uri)
