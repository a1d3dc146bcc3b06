"""Records of counts that only rise: what the replicas of predictors say, one record for each version and
replica.

A replica counts from its start. Each record is an object of its own, named after what it counts, and replaces
the records of its replica that count less. So a record that comes twice, late, or at the same time as another
one does no harm. With keys for stamps, a record that no function has stamped is a stray.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field

from knoll.errors import NewerSchema, Rejected
from knoll.names import join
from knoll.ports import Bucket
from knoll.records.record import Load, overwrite, put_once
from knoll.records.stamp import Stamped, find_stamped, stamped

__all__ = ["COUNTED_NAME", "REPLICA", "Counted", "Rising"]

REPLICA = re.compile(r"[-.\w]{1,63}", re.ASCII)  # a UUID, or the name of a Pod
_MOST_LOOKS = 5  # at records that are replaced while they are read
COUNTED_NAME = rf"(?P<replica>{REPLICA.pattern})\.(?P<count>\d{{16}})"  # without its ending
_NAME = re.compile(rf"{COUNTED_NAME}\.json", re.ASCII)


@dataclass(frozen=True)
class Counted(Stamped):
    """A record about a version by a replica. Its JSON has the name of the replica as `instance`."""

    model: str
    version: str
    replica: Annotated[str, Field(alias="instance")]

    def fields(self) -> dict[str, Any]:
        """See `Record.fields`."""
        found = super().fields()
        found["instance"] = found.pop("replica")
        return found


_Kind = TypeVar("_Kind", bound=Counted)


@dataclass(frozen=True)
class Rising(Generic[_Kind]):
    """The records of one kind, below `folder`. `count` is what only rises in them."""

    folder: str
    kind: type[_Kind]
    load: Load[_Kind]
    count: Callable[[_Kind], int]

    def place(self, root: str, model: str, version: str) -> str:
        """Where those on a version are."""
        return join(root, self.folder, model, version, "")

    def uri(self, root: str, record: _Kind) -> str:
        """Where a record is."""
        name = f"{record.replica}.{self.count(record):016d}.json"
        return self.place(root, record.model, record.version) + name

    def write(self, record: _Kind, bucket: Bucket) -> bool:
        """Keep the record, and remove those that it replaces, and strays. False if one that counts as much or
        more is there, also one that only a newer knoll understands."""
        uri = self.uri(bucket.root, record)
        mine = [
            (count, there)
            for replica, count, there in self._listed(
                record.model, record.version, bucket, f"{record.replica}."
            )
            if replica == record.replica
        ]
        if any(count >= self.count(record) and self._is_believed(there, bucket) for count, there in mine):
            return False
        if not put_once(uri, kept := stamped(record, bucket), bucket):
            overwrite(uri, kept, bucket)
        for _, there in mine:
            if there != uri:
                bucket.store.delete(there)
        return True

    def find(self, model: str, version: str, replica: str, bucket: Bucket) -> _Kind | None:
        """The newest record of one replica; None if it has none."""
        found: dict[str, _Kind] = {}
        uris = self._newest_first(model, version, bucket, f"{replica}.").get(replica, [])
        self._find_newest(replica, uris, found, bucket)
        return found.get(replica)

    def find_all(self, model: str, version: str, bucket: Bucket) -> Mapping[str, _Kind]:
        """The newest record of each replica of a version, by replica. An object that is no such record is
        passed over."""
        found: dict[str, _Kind] = {}
        for _ in range(_MOST_LOOKS):
            missing = False
            for replica, uris in self._newest_first(model, version, bucket).items():
                missing |= not self._find_newest(replica, uris, found, bucket)
            if not missing:
                break
        return found

    def has_replicas(self, model: str, version: str, number: int, bucket: Bucket) -> bool:
        """Whether that many replicas have records on a version. All are read only if there may be so many."""
        named = {replica for replica, _, _ in self._listed(model, version, bucket)}
        return len(named) >= number and len(self.find_all(model, version, bucket)) >= number

    def remove(self, model: str, version: str, bucket: Bucket) -> None:
        """Remove all records on a version."""
        for one in bucket.store.list(self.place(bucket.root, model, version)):
            bucket.store.delete(one.uri)

    def _find_newest(
        self, replica: str, uris: Iterable[str], found: dict[str, _Kind], bucket: Bucket
    ) -> bool:
        """Put the newest record of a replica into `found`, if it has one. False if one is gone: then a newer
        one has just replaced it."""
        for uri in uris:
            with suppress(Rejected):
                record = find_stamped(uri, self.load, self.kind, bucket)
                if record is None:
                    return False
                if self.uri(bucket.root, record) == uri:
                    found[replica] = record
                    break
        return True

    def _is_believed(self, uri: str, bucket: Bucket) -> bool:
        """Whether what lies there counts. Without keys for stamps its name alone says so. What a newer knoll
        has stamped is left to it, so it counts, too."""
        if not bucket.stamp_verify_key:
            return True
        try:
            record = find_stamped(uri, self.load, self.kind, bucket)
        except NewerSchema:
            return True
        except Rejected:
            return False
        return record is not None and self.uri(bucket.root, record) == uri

    def _newest_first(
        self, model: str, version: str, bucket: Bucket, prefix: str = ""
    ) -> Mapping[str, list[str]]:
        """URIs of the records of each replica whose name begins so; usually it has one."""
        listed = sorted(self._listed(model, version, bucket, prefix), key=lambda one: one[1], reverse=True)
        found: dict[str, list[str]] = {}
        for replica, _, uri in listed:
            found.setdefault(replica, []).append(uri)
        return found

    def _listed(
        self, model: str, version: str, bucket: Bucket, prefix: str = ""
    ) -> Iterator[tuple[str, int, str]]:
        """Replica, count and URI of each record on a version whose name begins so."""
        for one in bucket.store.list(self.place(bucket.root, model, version) + prefix):
            if match := _NAME.fullmatch(one.uri.rpartition("/")[2]):
                yield match["replica"], int(match["count"]), one.uri
