"""What a look at the bucket finds: the data has landed, or it is waited for, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from knoll.models import Model
from knoll.ports import ObjectInfo
from knoll.records.dataset import Dataset, DatasetObject

__all__ = ["Landed", "Waiting", "pinned"]


@dataclass(frozen=True)
class Landed:
    """The data is complete: one dataset, or with the gate `object` one for each object, oldest first.

    `marked` is when the marker was written, for whoever has to tell a marker that has done its work from a
    new one.
    """

    datasets: tuple[Dataset, ...]
    marked: str = ""


@dataclass(frozen=True)
class Waiting:
    """The data is not complete, and why. `unread` are objects whose bytes are still to be read before more
    can be said."""

    reason: str
    unread: tuple[ObjectInfo, ...] = ()


def pinned(
    model: Model,
    objects: Iterable[ObjectInfo],
    data_at: datetime,
    now: datetime,
    sha256: Mapping[str, str] | None = None,
) -> Dataset:
    """The objects as a dataset of that age, each with the etag that the listing shows, and the sha256 that
    its URI has, if there is one."""
    known = sha256 or {}
    in_order = sorted(objects, key=lambda one: one.uri)
    return Dataset(
        model.name,
        model.dataset.uri,
        tuple(DatasetObject(one.uri, one.etag, one.size, known.get(one.uri, "")) for one in in_order),
        now.isoformat(),
        data_at.isoformat(),
    )
