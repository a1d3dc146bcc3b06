"""The probe of a store: whether exactly one of many writers at once wins a conditional write."""

from dataclasses import dataclass

from pydantic import with_config

from knoll.errors import Rejected, StoreUnavailable
from knoll.names import join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Record, find, overwrite, reader

__all__ = [
    "TRIED_NAME",
    "Probe",
    "find_probe",
    "load_probe",
    "probe_uri",
    "probes_uri",
    "try_write",
    "write_probe",
]

ATOMIC, CHECKED = "atomic", "check, then write"


@with_config(LENIENT)
@dataclass(frozen=True)
class Probe(Record):
    """What a probe found at a time, with so many writers at once on so many keys.

    `conditionalWrites` is "atomic" or "check, then write".
    """

    conditionalWrites: str
    at: str = ""
    writers: int = 0
    keys: int = 0

    @property
    def is_atomic(self) -> bool:
        """Whether exactly one of many writers wins."""
        return self.conditionalWrites == ATOMIC


TRIED_NAME = r"[-.\w]+/(\d+|write)"  # of an object that a probe writes and deletes

load_probe = reader(Probe, "record of a probe")


def probe_uri(root: str) -> str:
    """URI of the record."""
    return join(root, "probe.json")


def probes_uri(root: str) -> str:
    """The folder of the objects that probes write and delete."""
    return join(root, "probes", "")


def find_probe(bucket: Bucket) -> Probe | None:
    """What was found; None if there was no probe, or if the record cannot be read."""
    try:
        return find(probe_uri(bucket.root), load_probe, bucket)
    except Rejected:
        return None


def write_probe(is_atomic: bool, at: str, writers: int, keys: int, bucket: Bucket) -> None:
    """Write what a probe found, over an older result."""
    overwrite(probe_uri(bucket.root), Probe(ATOMIC if is_atomic else CHECKED, at, writers, keys), bucket)


def try_write(bucket: Bucket, name: str) -> None:
    """Write an object, read it and delete it, in the folder `name` of the probes. Raises StoreUnavailable; if
    other bytes come back, too."""
    uri = join(probes_uri(bucket.root), name, "write")
    bucket.store.put(uri, b"written")
    if bucket.store.get(uri) != b"written":
        raise StoreUnavailable(
            f"{uri}: the store gives back other bytes than it took", fix="look after the store's disk"
        )
    bucket.store.delete(uri)
