"""What is known of the answers of a model: how many were right and wrong by what users have told, by version
and minute, and how many differ from those of the version served here. Each answer counts once."""

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
        self._known, self._seen = OrderedDict[str, None](), OrderedDict[str, None]()
        self._right: dict[str, Counter[int]] = {}
        self._wrong: dict[str, Counter[int]] = {}
        self._compared: dict[str, tuple[int, int]] = {}

    def count(self, receipt: Receipt, are_right: Sequence[bool]) -> bool:
        """Count the labels that are known of an answer; False, if it was counted before."""
        with self._lock:
            if not _is_new(receipt.nonce, self._known):
                return False
            minute = receipt.at - receipt.at % _MINUTE
            for counts, wanted in ((self._right, True), (self._wrong, False)):
                found = counts.setdefault(receipt.version, Counter())
                found[minute] += sum(one is wanted for one in are_right)
            self._fold(receipt.version)
            return True

    def compare(self, receipt: Receipt, different: int) -> None:
        """Count an answer of another version, and how many of its labels are others here."""
        with self._lock:
            if _is_new(receipt.nonce, self._seen):
                answers, before = self._compared.get(receipt.version, (0, 0))
                self._compared[receipt.version] = answers + len(receipt.answers), before + different

    def compared(self) -> Mapping[str, tuple[int, int]]:
        """Compared answers of each other version, and those that differ."""
        with self._lock:
            return dict(self._compared)

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


def _is_new(nonce: str, known: OrderedDict[str, None]) -> bool:
    """Whether the number is not among the last ones; then it is added."""
    if nonce in known:
        return False
    known[nonce] = None
    if len(known) > _MOST_IDS:
        known.popitem(last=False)
    return True
