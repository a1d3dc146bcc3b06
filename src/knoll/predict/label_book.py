"""What users have told of the answers of a model: how many were right and wrong, by version and minute, once
for each answer."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence

from knoll.predict.receipts import Receipt
from knoll.records.labels import MOST_WINDOWS, Window

__all__ = ["LabelBook"]

_MOST_IDS = 10_000
_MINUTE = 60


class LabelBook:
    """Counts since the process started; threads share it. It remembers the last 10,000 answers that were
    counted, so that none counts twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._right: dict[str, Counter[int]] = {}
        self._wrong: dict[str, Counter[int]] = {}

    def count(self, receipt: Receipt, are_right: Sequence[bool]) -> bool:
        """Count the labels that are known of an answer; False, if it was counted before."""
        with self._lock:
            if receipt.nonce in self._known:
                return False
            self._known[receipt.nonce] = None
            if len(self._known) > _MOST_IDS:
                self._known.popitem(last=False)
            minute = receipt.at - receipt.at % _MINUTE
            for counts, wanted in ((self._right, True), (self._wrong, False)):
                found = counts.setdefault(receipt.version, Counter())
                found[minute] += sum(one is wanted for one in are_right)
            self._fold(receipt.version)
            return True

    def windows(self) -> Mapping[str, tuple[Window, ...]]:
        """Right and wrong answers of each version, by the minute in which they were given."""
        with self._lock:
            return {
                version: tuple((minute, right[minute], self._wrong[version][minute]) for minute in minutes)
                for version, right in self._right.items()
                if (minutes := [one for one in sorted(right) if right[one] or self._wrong[version][one]])
            }

    def _fold(self, version: str) -> None:
        """Count the oldest minutes as minute 0, if there are too many."""
        minutes = sorted(self._right[version])
        for minute in minutes[: max(len(minutes) - MOST_WINDOWS, 0) + 1]:
            if minute and len(minutes) > MOST_WINDOWS:
                for counts in (self._right[version], self._wrong[version]):
                    counts[0] += counts.pop(minute, 0)
