"""The inbox as train sees it: one entry for each run that is not settled."""

from collections.abc import Iterable

from knoll.errors import Rejected
from knoll.names import model_of_run
from knoll.ports import Bucket
from knoll.quoting import escaped
from knoll.records.inbox import copy_entry_to_record, list_inbox, remove_entry
from knoll.records.run import Run, find_run
from knoll.train.turns import OpenRun

__all__ = ["find_or_copy_record", "list_entries", "remove_entries"]


def list_entries(bucket: Bucket) -> list[OpenRun]:
    """The entries, oldest data first. If ingest was killed and opened a run twice, the run has two objects,
    and one entry."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in list_inbox(bucket):
        found.setdefault(one.run, []).append((one.data_at, one.info.uri))
    return sorted(
        OpenRun(min(objects)[0], run, model_of_run(run), tuple(uri for _, uri in objects))
        for run, objects in found.items()
    )


def find_or_copy_record(entry: OpenRun, bucket: Bucket) -> Run:
    """The record of the entry's run. If ingest was killed before it wrote the record, the entry is copied.
    Raises Rejected if it is of another model."""
    found = find_run(entry.run, bucket) or copy_entry_to_record(entry.uris[0], bucket)
    if found.model != entry.model:
        raise Rejected(f"the record of run {entry.run} is of another model: {escaped(found.model)[:80]}")
    return found


def remove_entries(entries: Iterable[OpenRun], bucket: Bucket) -> None:
    """Remove these entries from the inbox."""
    for entry in entries:
        for uri in entry.uris:
            remove_entry(uri, bucket)
