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
from knoll.trainer.members import Place
from knoll.trainer.memory import Limits, TooLittleMemory, bytes_of, check_data, check_files
from knoll.trainer.reading import Data, files_at, open_objects
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
    limits: Limits,
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
        largest = max(one.size for one in listed.objects)
        check_data(beside + largest, "the data and the golden set", limits.memory)
        read = _checked(listed, platform, limits)
        pin = _pin_of(run, read, platform)
        pinned = look_at_golden(run.model, run.golden_set, platform.bucket)
        if pinned.fault:
            journal.say(f"ignored: {escaped(pinned.fault)}")
        _check_pin(pin, pinned)
        files, more = _files(read, platform, limits)
        journal.say(f"read {len(files)} files of the golden set {escaped(pin.uri)}, digest {pin.digest[:12]}")
        decoded = "the data and the decoded golden set"
        check_files(family, files, config, decoded, limits.memory, beside=beside)
        examples = family.golden(files, data.about, config)
        notes = [f"golden set: {words}" for words in skipped_words([*skipped, *more])]
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


def _open(listed: Dataset, platform: Platform, limits: Limits) -> Data:
    def changed(fault: str) -> StoreUnavailable:
        return StoreUnavailable(f"the golden set {listed.prefix} changes while it is read: {fault}")

    return open_objects(listed, platform.store, limits.cache, changed=changed)


def _checked(listed: Dataset, platform: Platform, limits: Limits) -> Dataset:
    """The same with the sha256 of each object, so that the bytes that are scored are those of the digest."""
    reader = _open(listed, platform, limits).reader
    places = {one.uri: Place(one) for one in listed.objects}
    objects = [*listed.objects]

    def note(number: int, sha256: str) -> None:
        objects[number] = replace(objects[number], sha256=sha256)

    files_at(places, reader, limits).each([*places], lambda body: hashlib.sha256(body).hexdigest(), note)
    return replace(listed, objects=tuple(objects))


def _files(read: Dataset, platform: Platform, limits: Limits) -> tuple[Files, tuple[Skipped, ...]]:
    """The files of the golden set, all of which must be good, and what is skipped."""
    reader = _open(read, platform, limits).reader
    places, skipped, bad = sort_files(read, reader, limits.free)
    if bad:
        raise BadFiles(bad)
    return files_at(places, reader, limits), skipped


def _pin_of(run: Run, read: Dataset, platform: Platform) -> GoldenSet:
    """The pin of the golden set as it was read."""
    sums = {one.uri.removeprefix(read.prefix): one.sha256 for one in read.objects}
    size, present = sum(one.size for one in read.objects), platform.clock.now().isoformat()
    return GoldenSet(run.model, read.prefix, golden_digest(sums), len(sums), size, run.id, present)


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
