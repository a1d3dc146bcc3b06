"""Is the data complete? A pure decision over the listing of the bucket.

The listing is the truth: an event only says when to look. A marker that is older than some object belongs to an earlier upload, so a
second upload in progress does not count as landed. What is decided here can be decided again at any time, by anybody, with no event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from knoll.models import Model
from knoll.ports import ObjectInfo
from knoll.runs import Dataset, DatasetObject

__all__ = ["Landed", "Waiting", "decide", "is_data", "marked_at", "may_land", "only_lost"]


@dataclass(frozen=True)
class Landed:
    """The data is complete: one dataset, or with the gate `object` one for each object, oldest first."""

    datasets: tuple[Dataset, ...]


@dataclass(frozen=True)
class Waiting:
    """The data is not complete, and why."""

    reason: str


def is_data(model: Model, uri: str) -> bool:
    """Whether an object belongs to the dataset: folder keys, hidden files and the marker do not."""
    name = uri.rpartition("/")[2]
    return bool(name) and not name.startswith(".") and uri != _marker_uri(model)


def may_land(model: Model, uri: str) -> bool:
    """Whether a new object at this URI can complete a dataset of the model, so that looking at the bucket is worth it."""
    if not uri.startswith(model.dataset.uri):
        return False
    if model.dataset.landed.when == "marker":
        return uri == _marker_uri(model)
    return model.dataset.landed.when == "object" and is_data(model, uri)


def decide(model: Model, listing: Sequence[ObjectInfo], now: datetime, landed_before: datetime | None) -> Landed | Waiting:
    """Decide over everything under the dataset's prefix; `landed_before` is when the last dataset of this model landed."""
    data = [one for one in listing if is_data(model, one.uri)]
    if not data:
        return Waiting(f"no data under {model.dataset.uri}")
    match model.dataset.landed.when:
        case "object":
            oldest_first = sorted(data, key=lambda one: (one.modified, one.uri))
            return Landed(tuple(_dataset(model, [one], now) for one in oldest_first))
        case "marker":
            return _by_marker(model, listing, data, now)
        case "quiet":
            return _by_quiet(model, data, now, landed_before)


def only_lost(dataset: Dataset, before: Dataset) -> bool:
    """Whether the dataset is what landed before, less some objects: data that is being deleted, not data that has come."""
    return set(dataset.objects) < set(before.objects)


def marked_at(model: Model, listing: Sequence[ObjectInfo]) -> datetime | None:
    """When the marker was written; None without one."""
    return next((one.modified for one in listing if one.uri == _marker_uri(model)), None)


def _by_marker(model: Model, listing: Sequence[ObjectInfo], data: Sequence[ObjectInfo], now: datetime) -> Landed | Waiting:
    marked = marked_at(model, listing)
    if marked is None:
        return Waiting(f"{len(data)} objects are there, the marker {_marker_uri(model)} is not")
    newest = max(data, key=lambda one: one.modified)
    if newest.modified > marked:
        return Waiting(f"{newest.uri} is newer than the marker: write {model.dataset.landed.marker} again when all is uploaded")
    return Landed((_dataset(model, data, now),))


def _by_quiet(model: Model, data: Sequence[ObjectInfo], now: datetime, landed_before: datetime | None) -> Landed | Waiting:
    rule = model.dataset.landed
    quiet_for = (now - max(one.modified for one in data)).total_seconds()
    changed = [one.modified for one in data if landed_before is None or one.modified > landed_before]
    waited = (now - min(changed)).total_seconds() if changed else 0.0
    if quiet_for < rule.quiet and waited < rule.max_wait:
        return Waiting(f"{len(data)} objects are there; waiting for {rule.quiet:g} s without a change")
    return Landed((_dataset(model, data, now),))


def _dataset(model: Model, objects: Sequence[ObjectInfo], now: datetime) -> Dataset:
    pinned = tuple(DatasetObject(one.uri, one.etag, one.size) for one in sorted(objects, key=lambda one: one.uri))
    return Dataset(model.name, model.dataset.uri, pinned, now.isoformat())


def _marker_uri(model: Model) -> str:
    return model.dataset.uri + model.dataset.landed.marker if model.dataset.landed.when == "marker" else ""
