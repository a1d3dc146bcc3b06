"""Counts of answers: right and wrong by version and minute; how many differ from this version's; and, of
labelled requests that both versions answered, which was right. Each answer counts once."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from operator import ne

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
        self._mine = OrderedDict[str, str]()
        self._pairs: dict[str, Counter[str]] = {}

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

    def leave(self, receipt: Receipt) -> None:
        """Another version counts the labels of an answer: they count no more here."""
        with self._lock:
            _is_new(receipt.nonce, self._known)

    def compare(self, receipt: Receipt, mine: Sequence[str]) -> None:
        """Count an answer of another version, and how many of its labels are others than these, which are
        those of here. They are kept for the true ones, of the last 10,000 answers."""
        with self._lock:
            if _is_new(receipt.nonce, self._seen):
                answers, before = self._compared.get(receipt.version, (0, 0))
                different = sum(map(ne, mine, receipt.answers))
                self._compared[receipt.version] = answers + len(receipt.answers), before + different
                self._mine[receipt.nonce] = "".join(mine)
                if len(self._mine) > _MOST_IDS:
                    self._mine.popitem(last=False)

    def pair(self, receipt: Receipt, truth: Sequence[str | None]) -> None:
        """Count which version was right, if both have answered: of each instance the short digest of its true
        label, None if that is not known."""
        with self._lock:
            joined = self._mine.pop(receipt.nonce, None)
            if joined is None:
                return
            found, width = self._pairs.setdefault(receipt.version, Counter()), len(joined) // len(truth)
            for index, (label, theirs) in enumerate(zip(truth, receipt.answers, strict=True)):
                if label is not None:
                    mine = joined[index * width : (index + 1) * width]
                    found["paired"] += 1
                    found["only_version"] += label == theirs != mine
                    found["only_by"] += label == mine != theirs

    def compared(self) -> Mapping[str, tuple[int, int]]:
        """Compared answers of each other version, and those that differ."""
        with self._lock:
            return dict(self._compared)

    def pairs(self) -> Mapping[str, Mapping[str, int]]:
        """Labelled answers of each other version to which there is one from here, `paired`, and those that
        only one of both has right, `only_version` and `only_by`."""
        with self._lock:
            return {version: dict(found) for version, found in self._pairs.items()}

    def windows(self) -> Mapping[str, tuple[Window, ...]]:
        """The answers of each version that users have labelled, right and wrong, by minute."""
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
