"""Feedback: true labels that come back with the ids of answers. They are counted as right or wrong answers of
the version that gave them. The copy of a request comes with such an id, too: then both answers are compared.
Feedback comes in a copy, too, for the version that has answered such a copy: then only pairs are counted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from knoll.codecs import Array
from knoll.errors import InvalidInstance, Unavailable
from knoll.headers import COMPARE, PREDICTION, RETRY_AFTER
from knoll.predict.answer import Answer, in_json, refusal
from knoll.predict.feedback_body import RIGHT, LabelledAnswer, read_feedback
from knoll.predict.label_book import LabelBook
from knoll.predict.receipts import (
    MOST_ANSWERS,
    Receipt,
    body_digest,
    new_receipt,
    read_receipt,
    receipt_text,
    short_digest,
)
from knoll.predict.work import Work
from knoll.quoting import escaped
from knoll.records.signature import Signature
from knoll.request_limits import COUNTED_BEFORE, RETRY_SECONDS

__all__ = ["Feedback"]

_LONGEST = timedelta(days=30)
_SHOWN = 10  # classes in the text of a refusal


class _RefusedError(Exception):
    """The status and the reason for which an entry does not count."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Feedback:
    """Gives the answers of a version their ids, and counts in `book` what comes back. Without a `key`, and if
    the version answers no classes, answers have no ids. `now` is the present."""

    model: str
    version: str
    signature: Signature
    key: str
    book: LabelBook
    now: Callable[[], datetime]

    @cached_property
    def classes(self) -> Sequence[str]:
        """The labels that the version knows; none if it has not one output with classes."""
        found = [one.labels for one in self.signature.outputs if one.labels]
        return found[0] if len(found) == 1 else ()

    @cached_property
    def _digests(self) -> Mapping[str, str]:
        """The short digest of each label, which most answers need."""
        return {label: short_digest(label) for label in self.classes}

    def note(self, outputs: Mapping[str, Array], answered: list[str]) -> None:
        """Add the labels of a batch of outputs to those that were answered."""
        classes = self.classes
        for one in self.signature.outputs if classes else ():
            if one.labels and len(answered) <= MOST_ANSWERS:
                answered += [classes[index] for index in np.argmax(outputs[one.name], axis=1)]

    def id_of(self, body: bytes, answered: Sequence[str], nonce: str = "") -> Mapping[str, str]:
        """The header with the id of the answer to a body with these labels; none if there are none or too
        many. `nonce` is the number in it."""
        if not self.key or not 0 < len(answered) <= MOST_ANSWERS:
            return {}
        answers = [self._digests.get(one) or short_digest(one) for one in answered]
        receipt = new_receipt(self.model, self.version, int(self.now().timestamp()), body, answers, nonce)
        return {PREDICTION: receipt_text(receipt, self.key)}

    def compare(self, body: bytes, headers: Mapping[str, str], answered: Sequence[str]) -> None:
        """Count what differs, if the request is the copy of one that another version has answered. An id of
        another request, or a forged one, counts for nothing: anybody may send one."""
        text = headers.get(COMPARE)
        if not text or not self.key or not answered:
            return
        receipt, is_ours = read_receipt(text, self.key)
        if receipt is None or not is_ours or receipt.body != body_digest(body):
            return
        if receipt.model == self.model and receipt.version != self.version and self._is_fresh(receipt):
            mine = [short_digest(label) for label in answered]
            if len(mine) == len(receipt.answers):
                self.book.compare(receipt, mine)

    def take(self, body: bytes, headers: Mapping[str, str], work: Work) -> Answer:
        """Answer a request with feedback: one entry, or a list; each sound entry counts. A copy, for which
        the other version has counted the answers, counts for pairs alone."""
        is_copy = COMPARE in headers
        try:
            with work.reading():
                found = read_feedback(body, work.keep)
            if isinstance(found, LabelledAnswer):
                return in_json(200, _sums([self._count(found, is_copy)]))
        except InvalidInstance as error:
            return refusal(400, _words(error))
        except Unavailable as error:
            return _in_a_moment(error)
        except _RefusedError as error:
            return refusal(error.status, error.reason)
        return self._take_all(found, is_copy)

    def _take_all(self, entries: Sequence[LabelledAnswer | InvalidInstance], is_copy: bool) -> Answer:
        counted: list[Sequence[bool]] = []
        refused: list[dict[str, Any]] = []
        for index, one in enumerate(entries):
            try:
                if isinstance(one, InvalidInstance):
                    raise _RefusedError(400, _words(one))
                counted.append(self._count(one, is_copy))
            except _RefusedError as error:
                refused.append({"index": index, "status": error.status, "error": error.reason})
        if not counted:
            return refusal(refused[0]["status"], refused[0]["error"], refused=refused)
        return in_json(200, {**_sums(counted), "refused": refused})

    def _count(self, entry: LabelledAnswer, is_copy: bool) -> Sequence[bool]:
        """Count an entry; whether each labelled answer was right. Raises _RefusedError."""
        receipt = self._known(entry.id)
        if len(entry.labels) != len(receipt.answers):
            have, want = len(entry.labels), len(receipt.answers)
            raise _RefusedError(400, f"it has {have} labels, and the answer had {want} instances")
        pairs = zip(entry.labels, receipt.answers, strict=True)
        are_right = [self._is_right(label, answer) for label, answer in pairs if label is not None]
        self.book.pair(receipt, [None if one is None else short_digest(one) for one in entry.labels])
        if is_copy:
            self.book.leave(receipt)
        elif not self.book.count(receipt, are_right):
            raise _RefusedError(COUNTED_BEFORE, "this answer was counted before: each id counts once")
        return are_right

    def _known(self, text: str) -> Receipt:
        if not self.key:
            raise _RefusedError(404, "answers of this predictor have no ids: the platform has no key")
        if not self.classes:
            raise _RefusedError(404, f"{self.model} answers no classes, so that no label is right or wrong")
        receipt, is_ours = read_receipt(text, self.key)
        if receipt is not None and receipt.model != self.model:
            raise _RefusedError(404, f"the id is of an answer of {receipt.model}, not of {self.model}")
        if receipt is None or not is_ours:
            raise _RefusedError(
                400, f"{escaped(text[:40])!r}… is no id of an answer of {self.model}: {RIGHT}"
            )
        if not self._is_fresh(receipt):
            raise _RefusedError(410, f"the answer is older than {_LONGEST.days} days")
        return receipt

    def _is_fresh(self, receipt: Receipt) -> bool:
        return self.now().timestamp() - receipt.at <= _LONGEST.total_seconds()

    def _is_right(self, label: str, answer: str) -> bool:
        is_right = short_digest(label) == answer
        if not is_right and label not in self.classes:
            known = ", ".join(self.classes[:_SHOWN]) + (", …" if len(self.classes) > _SHOWN else "")
            raise _RefusedError(400, f"{escaped(label[:40])!r} is no class of {self.model}; known: {known}")
        return is_right


def _sums(counted: Sequence[Sequence[bool]]) -> dict[str, int]:
    labels = [one for are_right in counted for one in are_right]
    return {"counted": len(counted), "right": sum(labels), "wrong": len(labels) - sum(labels)}


def _words(error: InvalidInstance) -> str:
    return f"{error}; {error.fix}" if error.fix else str(error)


def _in_a_moment(error: Unavailable) -> Answer:
    answer = refusal(503, f"{error}; {error.fix}")
    return Answer(answer.status, answer.body, {**answer.headers, RETRY_AFTER: str(RETRY_SECONDS)})
