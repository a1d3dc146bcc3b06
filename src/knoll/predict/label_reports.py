"""What a predictor reports of the labels that it was told: counts since the start of its process, each proved
with the key of its Revision."""

import logging
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from knoll.errors import KnollError
from knoll.events import PREDICTOR_LABELLED, Event, new_event
from knoll.ports import Platform
from knoll.predict.label_book import LabelBook
from knoll.predict.reporting import reporting
from knoll.proofs import LABELS_PURPOSE, prove
from knoll.records.labels import Labels, Window

__all__ = ["LabelReports"]

_log = logging.getLogger(__name__)


class LabelReports:
    """Reports the counts of a book, an event for each version, if they have changed."""

    def __init__(self, model: str, version: str, book: LabelBook, platform: Platform) -> None:
        self._model, self._version, self._book, self._platform = model, version, book, platform
        self._replica, self._reported = str(uuid.uuid4()), dict[str, Labels]()

    def reporting(self) -> AbstractContextManager[None]:
        """Report meanwhile, at most once a second, and for the last time at the end, if there is a sink."""
        has_sink = bool(self._platform.settings.sink)
        return reporting(self.send, "labels") if has_sink else nullcontext()

    def send(self) -> None:
        """Publish what has changed since the last time. What is lost is made good by a later report."""
        windows, compared, pairs = self._book.windows(), self._book.compared(), self._book.pairs()
        for version in sorted({*windows, *compared}):
            answers, different = compared.get(version, (0, 0))
            known: dict[str, Any] = {"compared": answers, "different": different, **pairs.get(version, {})}
            labels = self._labels(version, windows.get(version, ()), known)
            if labels == self._reported.get(version):
                continue
            try:
                self._platform.events.publish(self._event(labels))
            except KnollError as error:
                _log.warning("counts of labels were lost; later ones will have them: %s", error)
                return
            self._reported[version] = labels

    def _labels(self, version: str, windows: tuple[Window, ...], known: Mapping[str, Any]) -> Labels:
        return Labels(self._model, version, self._replica, self._version, windows, **known)

    def _event(self, labels: Labels) -> Event:
        settings, clock = self._platform.settings, self._platform.clock
        data = {
            "model": labels.model,
            "version": labels.version,
            "instance": labels.replica,
            "by": labels.by,
            "windows": [list(one) for one in labels.windows],
            "compared": labels.compared,
            "different": labels.different,
            "pairs": [labels.paired, labels.only_version, labels.only_by],
            "proof": prove(settings.revision_key, LABELS_PURPOSE, labels.covered()),
        }
        return new_event(
            PREDICTOR_LABELLED, source=settings.source, time=clock.now(), subject=self._model, data=data
        )
