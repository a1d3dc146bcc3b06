"""The golden set of a run: read as the data is, pinned when it is first used, and decoded before learning."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from knoll.data_files import Skipped, skipped_words, tally, why_skipped
from knoll.errors import BadFiles, Rejected, StoreUnavailable
from knoll.families.base import Examples, Family, Files
from knoll.names import is_in_bucket, overlap
from knoll.ports import Platform
from knoll.quoting import escaped
from knoll.records.dataset import Dataset, DatasetObject
from knoll.records.golden import GoldenScore, GoldenSet, golden_digest, pin_golden
from knoll.records.pinned import Pinned, look_at_golden
from knoll.records.run import Run
from knoll.trainer.memory import TooLittleMemory, bytes_of, check_data, room_for
from knoll.trainer.reading import DataChanged, read_objects
from knoll.trainer.report import Journal
from knoll.trainer.sorting import sort_files

__all__ = ["Exam", "pin_exam"]

_NAME_IT = "name that in spec.gate.goldenSet, and apply the Model"


@dataclass(frozen=True)
class Exam:
    """A golden set as examples, and its pin."""

    pin: GoldenSet
    examples: Examples

    def score(self, metrics: Mapping[str, float]) -> GoldenScore:
        """The metrics on it, for the manifest."""
        return GoldenScore(self.pin.uri, self.pin.digest, len(self.examples.held_out[0]), metrics)


def pin_exam(
    run: Run,
    family: Family[Any],
    config: Any,
    data: Examples,
    platform: Platform,
    limit: int,
    journal: Journal,
) -> Exam | None:
    """The run's golden set; None if it has none. `data` is what the networks learn from.

    The first run that can use it pins it. Raises Rejected if it is not as it was pinned, cannot be used, or
    does not fit into the memory beside the data.
    """
    if not run.golden_set:
        return None
    with _named(run.golden_set):
        _check_place(run, platform)
        listed, skipped = _list(run, platform)
        beside = bytes_of(data)
        check_data(beside + sum(one.size for one in listed.objects), "the data and the golden set", limit)
        read = _read(listed, platform)
        pin = _pin_of(run, listed, read, platform)
        pinned = look_at_golden(run.model, run.golden_set, platform.bucket)
        if pinned.fault:
            journal.say(f"ignored: {escaped(pinned.fault)}")
        _check_pin(pin, pinned)
        files, more, bad = sort_files(read, room_for(read.values(), limit - beside))
        if bad:
            raise BadFiles(bad)
        notes = [f"golden set: {words}" for words in skipped_words([*skipped, *more])]
        journal.say(f"read {len(files)} files of the golden set {escaped(pin.uri)}, digest {pin.digest[:12]}")
        size = sum(map(len, files.values())) + family.decoded_bytes(files, config)
        check_data(beside + size, "the data and the decoded golden set", limit)
        examples = family.golden(files, data.about, config)
        _check_pin(pin, _pin(pin, platform))
    notes += map(escaped, examples.notes)
    for note in notes:
        journal.say(note)
    return Exam(pin, replace(examples, notes=tuple(notes)))


@contextmanager
def _named(golden_set: str) -> Iterator[None]:
    """Say in each fault that it is one of the golden set."""
    try:
        yield
    except TooLittleMemory:
        raise
    except Rejected as error:
        raise Rejected(f"the golden set {golden_set}: {error}", fix=error.fix) from error


def _check_place(run: Run, platform: Platform) -> None:
    """Raise Rejected if writers of the data, or of versions, could also write the golden set."""
    if overlap(run.golden_set, run.prefix):
        raise Rejected(f"it overlaps the data, {run.prefix}: keep it under a prefix of its own, {_NAME_IT}")
    if is_in_bucket(run.golden_set, platform.settings.model_bucket):
        raise Rejected(f"it lies in the model bucket: keep it in a bucket of your own, {_NAME_IT}")


def _list(run: Run, platform: Platform) -> tuple[Dataset, tuple[Skipped, ...]]:
    """What is data there, by the rule for all data; and what is not."""
    prefix = run.golden_set
    listing = [(one, why_skipped(one.uri.removeprefix(prefix))) for one in platform.store.list(prefix)]
    objects = tuple(DatasetObject(one.uri, one.etag, one.size) for one, reason in listing if reason is None)
    if not objects:
        raise Rejected(f"there are no files: upload it to a new prefix, {_NAME_IT}, so that a new run begins")
    skipped = tally((reason, one.uri.removeprefix(prefix)) for one, reason in listing if reason)
    return Dataset(run.model, prefix, objects), skipped


def _read(listed: Dataset, platform: Platform) -> Files:
    try:
        return read_objects(listed, platform.store)
    except DataChanged as error:
        raise StoreUnavailable(f"the golden set {listed.prefix} changes while it is read: {error}") from error


def _pin_of(run: Run, listed: Dataset, read: Files, platform: Platform) -> GoldenSet:
    """The pin of the golden set as it was read."""
    digest = golden_digest({key: hashlib.sha256(body).hexdigest() for key, body in read.items()})
    size, present = sum(map(len, read.values())), platform.clock.now().isoformat()
    return GoldenSet(run.model, listed.prefix, digest, len(read), size, run.id, present)


def _pin(golden: GoldenSet, platform: Platform) -> Pinned:
    pin_golden(golden, platform.bucket)
    return look_at_golden(golden.model, golden.uri, platform.bucket)


def _check_pin(found: GoldenSet, pinned: Pinned) -> None:
    if pinned.digest in ("", found.digest):
        return
    raise Rejected(
        f"it has changed: it has {found.files} files with digest {found.digest}, and {pinned.says} "
        f"{pinned.digest}. Put those files back; or, to use the new ones, copy them to a new "
        f"prefix, {_NAME_IT}"
    )
