"""Is the data complete? A pure decision by the listing of the bucket.

The listing is the truth: an event only says when to look. If an object is newer than the marker, the marker
belongs to an earlier upload, and the data has not landed. The same decision can be made again at any time,
without an event.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from knoll.data_files import Skipped, skipped_words, tally, why_skipped
from knoll.ingest.manifest import by_manifest
from knoll.ingest.verdict import Landed, Waiting, last_write, pinned, there
from knoll.models import Model
from knoll.models.spec import LandedSpec
from knoll.models.units import as_duration
from knoll.ports import ObjectInfo
from knoll.quantities import counted
from knoll.records.dataset import Dataset

__all__ = [
    "KnownData",
    "Landed",
    "Waiting",
    "decide",
    "is_data",
    "last_uri",
    "may_land",
    "only_lost",
    "skipped_of",
]


@dataclass(frozen=True)
class KnownData:
    """What a decision needs beside the listing: what landed last, the manifest's bytes, and sha256 by URI and
    etag of the objects that were read."""

    landed: Dataset | None = None
    manifest: bytes = b""
    sha256: Mapping[tuple[str, str], str] = field(default_factory=dict)


def is_data(model: Model, uri: str) -> bool:
    """Whether an object belongs to the dataset. The marker, the manifest, and what `why_skipped` knows do
    not."""
    return uri != last_uri(model) and why_skipped(uri.removeprefix(model.dataset.uri)) is None


def may_land(model: Model, uri: str) -> bool:
    """Whether a new object at this URI is worth a look: a marker, a manifest, or a dataset of its own."""
    if not uri.startswith(model.dataset.uri):
        return False
    return uri == last_uri(model) or (lands_each_object(model) and is_data(model, uri))


def lands_each_object(model: Model) -> bool:
    """Whether each object of the data is a dataset of its own."""
    return model.dataset.landed.when == "object"


def last_uri(model: Model) -> str:
    """The object that is written last, marker or manifest; "" if the rule has none."""
    return model.dataset.uri + model.dataset.landed.last if model.dataset.landed.last else ""


def decide(model: Model, listing: Sequence[ObjectInfo], now: datetime, known: KnownData) -> Landed | Waiting:
    """Decide by all objects under the dataset's prefix, as it is at the time `now`."""
    if model.dataset.landed.when == "manifest":
        return by_manifest(model, listing, known.manifest, known.sha256, now)
    data = [one for one in listing if is_data(model, one.uri)]
    skipped = skipped_of(model, (one.uri for one in listing))
    if not data:
        reason = "; ".join([f"no data under {model.dataset.uri}", *skipped_words(skipped)])
        return Waiting(reason, ends=f"knoll upload {model.name} PATH ends the wait")
    match model.dataset.landed.when:
        case "object":
            oldest_first = sorted(data, key=lambda one: (one.modified, one.uri))
            return Landed(tuple(pinned(model, [one], one.modified, now) for one in oldest_first))
        case "marker":
            return _with(skipped, _by_marker(model, listing, data, now))
        case "quiet":
            return _with(skipped, _by_quiet(model, data, now, known.landed))


def skipped_of(model: Model, uris: Iterable[str]) -> tuple[Skipped, ...]:
    """The files that are skipped, without marker and manifest."""
    keys = (uri.removeprefix(model.dataset.uri) for uri in uris if uri != last_uri(model))
    return tally((reason, key) for key in keys if (reason := why_skipped(key)))


def only_lost(model: Model, dataset: Dataset, before: Dataset) -> bool:
    """Whether the dataset is what landed before, less some objects: data is being deleted, none has come.

    Files that only an older knoll took for data do not count as lost.
    """
    return _states(dataset) < {one for one in _states(before) if is_data(model, one[0])}


def _by_marker(
    model: Model, listing: Sequence[ObjectInfo], data: Sequence[ObjectInfo], now: datetime
) -> Landed | Waiting:
    marker = last_uri(model)
    marked = next((one.modified for one in listing if one.uri == marker), None)
    if marked is None:
        ends = f"write {model.dataset.landed.marker} when all is uploaded"
        reason = f"{there(data)}, the marker {marker} is not"
        return Waiting(reason, since=last_write(data), ends=ends, have=len(data))
    newest = max(data, key=lambda one: one.modified)
    if newest.modified > marked:
        return Waiting(
            f"{newest.uri} is newer than the marker: write {model.dataset.landed.marker} again when all "
            "is uploaded",
            since=newest.modified.isoformat(),
            have=len(data),
        )
    return Landed((pinned(model, data, marked, now),), marked.isoformat())


def _by_quiet(
    model: Model, data: Sequence[ObjectInfo], now: datetime, landed: Dataset | None
) -> Landed | Waiting:
    """All of the data, if it is quiet, or if enough has changed since the last landing, or long enough ago.

    An overwritten object has the age of its last write.
    """
    rule = model.dataset.landed
    newest = max(one.modified for one in data)
    quiet_for = (now - newest).total_seconds()
    before = _states(landed) if landed else frozenset()
    changed = [one for one in data if (one.uri, one.etag) not in before]
    waited = (now - min((one.modified for one in changed), default=now)).total_seconds()
    is_enough = bool(changed) and (
        waited >= rule.max_wait or len(changed) >= (rule.max_objects or len(data) + 1)
    )
    if quiet_for < rule.quiet and not is_enough:
        return _quiet_wait(rule, data, changed)
    # a removal leaves no time behind: the state is as old as the look
    return Landed((pinned(model, data, max(now, newest), now),))


def _quiet_wait(rule: LandedSpec, data: Sequence[ObjectInfo], changed: Sequence[ObjectInfo]) -> Waiting:
    newest = max(one.modified for one in data)
    late = [min(one.modified for one in changed) + timedelta(seconds=rule.max_wait)] if changed else []
    until = min([newest + timedelta(seconds=rule.quiet), *late])
    anyway = f", and at {late[0]:%H:%M:%S} in any case" if late else ""
    return Waiting(
        f"{there(data)}, {len(changed)} changed; {_quiet_words(rule, len(changed))}",
        since=newest.isoformat(),
        ends=f"it lands at {until:%H:%M:%S} if no more is written{anyway}",
        have=len(changed),
        need=rule.max_objects or 0,
        until=until.isoformat(),
    )


def _quiet_words(rule: LandedSpec, changed: int) -> str:
    """When the wait for quiet data ends."""
    oldest = f", or until the oldest change is {as_duration(rule.max_wait)} old" if changed else ""
    most = f", or for {counted(rule.max_objects, 'changed object')}" if rule.max_objects else ""
    return f"waiting for {as_duration(rule.quiet)} without a write{oldest}{most}"


def _with(skipped: tuple[Skipped, ...], verdict: Landed | Waiting) -> Landed | Waiting:
    if isinstance(verdict, Waiting):
        return verdict
    return replace(verdict, datasets=tuple(replace(one, skipped=skipped) for one in verdict.datasets))


def _states(dataset: Dataset) -> frozenset[tuple[str, str]]:
    return frozenset((one.uri, one.etag) for one in dataset.objects)
