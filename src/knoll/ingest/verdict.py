"""What a look at the bucket finds: the data has landed, or why it is still waited for."""

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from datetime import datetime

from knoll.models import Model
from knoll.ports import ObjectInfo
from knoll.quantities import counted
from knoll.records.dataset import Dataset, DatasetObject
from knoll.waits import Wait

__all__ = ["Landed", "Waiting", "last_write", "pinned", "there"]


@dataclass(frozen=True)
class Landed:
    """The data is complete: one dataset, or with the rule `object` one for each object, oldest first.

    `marked` is when the marker was written: it tells a new marker from an old one.
    """

    datasets: tuple[Dataset, ...]
    marked: str = ""


@dataclass(frozen=True)
class Waiting(Wait):
    """The data is not complete, and why. The bytes of `unread` must be read before more is known."""

    unread: tuple[ObjectInfo, ...] = ()


def last_write(objects: Iterable[ObjectInfo]) -> str:
    """When the newest of these objects was written, as an ISO time; "" for no objects."""
    newest = max((one.modified for one in objects), default=None)
    return newest.isoformat() if newest else ""


def there(objects: Sized) -> str:
    """One object -> "1 object is there"; two -> "2 objects are there"."""
    return f"{counted(len(objects), 'object')} {'is' if len(objects) == 1 else 'are'} there"


def pinned(
    model: Model,
    objects: Iterable[ObjectInfo],
    data_at: datetime,
    now: datetime,
    sha256: Mapping[str, str] | None = None,
) -> Dataset:
    """The objects as a dataset of that time, each with its etag in the listing, and with the sha256 of its
    URI if that is given."""
    known = sha256 or {}
    in_order = sorted(objects, key=lambda one: one.uri)
    return Dataset(
        model.name,
        model.dataset.uri,
        tuple(DatasetObject(one.uri, one.etag, one.size, known.get(one.uri, "")) for one in in_order),
        now.isoformat(),
        data_at.isoformat(),
    )
