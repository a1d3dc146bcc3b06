"""Runs that nobody asks for any more, or whose data is gone: they end as superseded, and get no Job.

A run belongs to the declaration that asked for it: to that Model, not to another one of its name, and to its
family, config and prefix. If such a run is asked for again, ingest opens a new one.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from knoll.errors import Conflict, NotFound
from knoll.models import Model, readable_models
from knoll.ports import Document, Platform
from knoll.records.dataset import Dataset, DatasetObject, find_dataset, why_foreign
from knoll.records.run import Run, opened_at, read_run, why_not_asked
from knoll.records.stamp import is_stamped
from knoll.train.entries import find_or_copy_record
from knoll.train.turns import OpenRun

__all__ = ["Checks", "is_what_landed", "why_undeclared"]

_DELETED = "the Model that asked for it was deleted"


def why_undeclared(run: Run, document: Document, model: Model) -> str:
    """Why the Model, as it is declared, does not ask for the run; "" if it does."""
    if run.model_uid not in ("", document["metadata"]["uid"]):
        return f"{_DELETED}; the Model of that name is another one"
    return why_not_asked(run, model)


def is_what_landed(run: Run, document: Document) -> bool:
    """Whether the run's data is what landed last, as far as the Model's status tells. With the rule `object`
    it does not tell."""
    landed = (document.get("status") or {}).get("dataset") or {}
    return (landed.get("state"), landed.get("digest")) == ("Landed", run.dataset_digest)


@dataclass(frozen=True)
class Checks:
    """The checks of one pass over the inbox. Each object is read once.

    `documents` and `models` have the Models by name. They may be a second old, so no run ends before its
    Model was read again.
    """

    documents: Mapping[str, Document]
    models: Mapping[str, Model]
    platform: Platform
    _records: dict[str, Run] = field(default_factory=dict)
    _fresh: dict[str, Document | None] = field(default_factory=dict)
    _listings: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def copy_record(self, entry: OpenRun) -> None:
        """Write the record of the entry's run, if ingest was killed before it did. It must be there before
        the run is checked. If its Model is gone or cannot be read, no check asks for it."""
        if entry.run in self._records:
            return
        known = self.documents.get(entry.model) or self._read_model(entry.model)
        if known is not None and readable_models([known]):
            self._records[entry.run] = find_or_copy_record(entry, self.platform.bucket)

    def record(self, entry: OpenRun) -> Run:
        """The record of the entry's run. Raises NotFound."""
        return self._records.get(entry.run) or read_run(entry.run, self.platform.bucket)

    def first(self, entries: Iterable[OpenRun], live: Collection[str]) -> list[OpenRun]:
        """The entries to check before turns are planned: their Model is gone, they are in training, or others
        may be skipped because of them. The rest is checked when its turn comes: each check reads a record."""
        replacing = {one.name for one in self.models.values() if one.training.concurrency == "Replace"}
        return [
            one
            for one in entries
            if one.model not in self.documents or one.run in live or one.model in replacing
        ]

    def why_unasked(self, entry: OpenRun) -> str:
        """Why no Model asks for the run; "" if one does, or if its Model cannot be read."""
        document, model = self.documents.get(entry.model), self.models.get(entry.model)
        if document is not None and (
            model is None or not why_undeclared(self.record(entry), document, model)
        ):
            return ""
        fresh = self._read_model(entry.model)
        if fresh is None:
            return _DELETED
        readable = readable_models([fresh])
        return why_undeclared(self.record(entry), fresh, readable[0]) if readable else ""

    def _read_model(self, name: str) -> Document | None:
        """The Model as it is, after the entries of this pass were listed; None if it is gone."""
        if name not in self._fresh:
            try:
                self._fresh[name] = self.platform.cluster.get("Model", name)
            except NotFound:
                self._fresh[name] = None
        return self._fresh[name]

    def why_forged(self, entry: OpenRun) -> str:
        """Why the run may not start, though a Model asks for it; "" if ingest has opened it."""
        is_known = is_stamped(self.record(entry), self.platform.bucket)
        return "" if is_known else "no function of this platform has stamped its record"

    def why_lost(self, entry: OpenRun) -> str:
        """Why the run's data cannot be trained any more; "" if it can, as far as one listing tells."""
        run = self.record(entry)
        if is_what_landed(run, self.documents[entry.model]):
            return ""
        dataset = find_dataset(run.dataset_uri, self.platform.bucket)
        model = self.models.get(entry.model)
        prefix = model.dataset.uri if model else run.prefix
        fault = why_foreign(dataset, run.model, run.dataset_digest, prefix) if dataset else ""
        if fault:
            return fault
        missing = self._missing(dataset) if dataset else None
        if missing is None or self._is_kept(missing, run):
            return ""
        return f"its data was replaced before its turn came: {missing.uri} has changed or is gone"

    def _missing(self, dataset: Dataset) -> DatasetObject | None:
        """The first object that is not there in the state of the dataset. An empty one counts as there."""
        alone = dataset.objects[0].uri if len(dataset.objects) == 1 else dataset.prefix
        if alone not in self._listings:
            self._listings[alone] = {one.uri: one.etag for one in self.platform.store.list(alone)}
        there = self._listings[alone]
        lost = (one for one in dataset.objects if one.size and there.get(one.uri) != one.etag)
        return next(lost, None)

    def _is_kept(self, one: DatasetObject, run: Run) -> bool:
        """Whether the bucket keeps the version that the trainer would read."""
        at = opened_at(run.id, self.platform.bucket)
        try:
            self.platform.store.get(one.uri, etag=one.etag, at=at, part=range(1))
        except (Conflict, NotFound):
            return False
        return True
