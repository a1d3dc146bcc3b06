"""The late cause of a run: the event that told of its data, if a tick had opened the run before the event was
handled.

Nothing depends on it: the trail of a version shows it.
"""

from dataclasses import dataclass

from pydantic import with_config

from knoll.names import join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Texts, find_hint, put_once
from knoll.records.stamp import Stamped, is_stamped, stamped, stamped_reader

__all__ = ["LateCause", "find_late_cause", "late_cause_uri", "load_late_cause", "write_late_cause"]


@with_config(LENIENT)
@dataclass(frozen=True)
class LateCause(Stamped):
    """The event, with the fields that `Run.cause` has."""

    run: str
    cause: Texts


load_late_cause = stamped_reader(LateCause, "late cause")


def late_cause_uri(root: str, run: str) -> str:
    """URI of the record."""
    return join(root, "causes", f"{run}.json")


def find_late_cause(run: str, bucket: Bucket) -> LateCause | None:
    """The late cause of a run; None if it has none, or if its record is a stray."""
    found = find_hint(late_cause_uri(bucket.root, run), load_late_cause, bucket)
    return found if found and found.run == run and is_stamped(found, bucket) else None


def write_late_cause(late: LateCause, bucket: Bucket) -> None:
    """Write the record if there is none."""
    put_once(late_cause_uri(bucket.root, late.run), stamped(late, bucket), bucket)
