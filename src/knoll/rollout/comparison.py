"""How the answers of a candidate compare with those of the champion, before any traffic. Pure.

The samples are those of the champion: held-out data that the candidate's training did not choose, with the
answers that the champion's training gave. So wrong labels of the candidate's data show here, even if the
candidate was scored on such labels.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from knoll.records.samples import Sample

__all__ = [
    "NOTHING_TO_COMPARE",
    "Comparison",
    "Held",
    "agrees",
    "compared_samples",
    "label_of",
    "read_comparison",
    "read_held",
    "spreads",
]

_OF_SPREAD = 0.1  # how far numbers may lie apart, as a part of the spread of the champion's answers
_TOLERANCE = 1e-3  # the same, relative, where the champion's answers have no spread: that of the warm-up
_LEAST = 1e-6
_ROUNDING = 1e-9
NOTHING_TO_COMPARE = "the answers of this family have neither a label nor numbers"


@dataclass(frozen=True)
class Comparison:
    """What the candidate `version` answered to the samples of the `champion`: `asked` of them so far, of
    `samples` in all.

    It `agreed` with the champion so often. Of the samples that were asked, `labelled` have a true label; the
    candidate was `right` on so many, and the champion on `champion_right`. `note` says why nothing is
    compared; with `is_missing` something should be. `since` is when the comparison began.

    If the candidate agrees too little, the champion is asked, too: `repeated` samples so far, and on
    `repeat_agreed` of them it answered as in its training. The candidate may differ as often as the champion
    differs from itself.
    """

    version: str = ""
    champion: str = ""
    since: str = ""
    samples: int = 0
    asked: int = 0
    agreed: int = 0
    labelled: int = 0
    right: int = 0
    champion_right: int = 0
    note: str = ""
    is_missing: bool = False
    repeated: int = 0
    repeat_agreed: int = 0

    @property
    def is_over(self) -> bool:
        """Whether all samples have an answer."""
        return self.asked >= self.samples

    @property
    def agreement(self) -> float | None:
        """The part of the samples on which both versions agree; None if nothing is compared."""
        return self.agreed / self.asked if self.asked else None

    @property
    def tolerated(self) -> float:
        """On which part of the samples the champion differs from itself; 0 if it has not answered all."""
        is_known = self.repeated and self.repeated >= self.samples
        return 1 - self.repeat_agreed / self.repeated if is_known else 0.0

    def falls_short(self, min_agreement: float) -> bool:
        """Whether the candidate agrees too little, or whether that is not known though it should be."""
        if self.agreement is None:
            return self.is_missing and min_agreement > 0
        return self.agreement + self.tolerated < min_agreement - _ROUNDING

    def asks_champion(self, min_agreement: float) -> bool:
        """Whether the champion must answer its samples, too, because the candidate agreed with too few."""
        is_short = self.agreement is not None and self.agreement < min_agreement
        return self.is_over and is_short and self.repeated < self.samples

    @property
    def scores(self) -> tuple[float, float] | None:
        """On which part of the labelled samples candidate and champion are right; None without labels."""
        return (self.right / self.labelled, self.champion_right / self.labelled) if self.labelled else None

    @property
    def words(self) -> str:
        """The comparison in one line, with its numbers."""
        if self.agreement is None:
            return f"is not compared with {self.champion}: {self.note}" if self.note else ""
        told = f"agrees with {self.champion} on {self.agreed} of {self.asked} held-out samples"
        if self.tolerated:
            again = f"which itself agrees with {self.repeat_agreed} of {self.repeated} when it is asked again"
            told = f"{told}, {again}"
        if self.scores is None:
            return told
        ours, theirs = self.scores
        return f"{told}; on these {self.version} is right on {ours:.0%}, {self.champion} on {theirs:.0%}"

    def with_answer(self, answer: Any, sample: Sample, spread: Sequence[float]) -> "Comparison":
        """The comparison after one more sample: what the candidate answered, None if it could not."""
        has_label = sample.target is not None and label_of(sample.prediction) is not None
        return replace(
            self,
            asked=self.asked + 1,
            agreed=self.agreed + agrees(answer, sample.prediction, spread),
            labelled=self.labelled + has_label,
            right=self.right + (has_label and label_of(answer) == sample.target),
            champion_right=self.champion_right + (has_label and label_of(sample.prediction) == sample.target),
        )

    def with_repeat(self, answer: Any, sample: Sample, spread: Sequence[float]) -> "Comparison":
        """The comparison after the champion itself was asked one more sample. None, no answer, does not count
        as a different one."""
        agreed = self.repeat_agreed + (answer is None or agrees(answer, sample.prediction, spread))
        return replace(self, repeated=self.repeated + 1, repeat_agreed=agreed)

    def fields(self) -> dict[str, Any]:
        """The comparison as records, the status and `-o json` have it."""
        counts = {
            "samples": self.samples,
            "asked": self.asked,
            "agreed": self.agreed,
            "labelled": self.labelled,
            "right": self.right,
            "championRight": self.champion_right,
        }
        again = {"repeated": self.repeated, "repeatAgreed": self.repeat_agreed} if self.repeated else {}
        words = {"version": self.version, "champion": self.champion, "since": self.since, "note": self.note}
        return {**words, **counts, **again, "missing": self.is_missing}


@dataclass(frozen=True)
class Held:
    """A version that waits for approval, why, and since when."""

    version: str
    reason: str
    since: str


def compared_samples(samples: Sequence[Sample]) -> list[Sample]:
    """The samples whose answers can be compared: those with a label, or with numbers alone."""
    found = [one for one in samples if label_of(one.prediction) is not None]
    return found or [one for one in samples if _numbers(one.prediction)]


def spreads(samples: Sequence[Sample]) -> tuple[float, ...]:
    """For each number of an answer, the largest of the champion's answers less the smallest; empty for
    labels."""
    rows = [_numbers(one.prediction) or () for one in samples]
    if any(label_of(one.prediction) is not None for one in samples) or len({*map(len, rows)}) != 1:
        return ()
    return tuple(max(column) - min(column) for column in zip(*rows, strict=True))


def agrees(answer: Any, expected: Any, spread: Sequence[float] = ()) -> bool:
    """Whether two answers agree: they have the same label; or their numbers differ by at most a tenth of the
    spread of the champion's answers, on average over all numbers of the answer."""
    wanted = label_of(expected)
    if wanted is not None:
        return label_of(answer) == wanted
    ours, theirs = _numbers(answer), _numbers(expected)
    if not ours or not theirs or len(ours) != len(theirs):
        return False
    wide = spread if len(spread) == len(theirs) else (0.0,) * len(theirs)
    parts = [
        abs(one - other) / max(_OF_SPREAD * width, _TOLERANCE * abs(other), _LEAST)
        for one, other, width in zip(ours, theirs, wide, strict=True)
    ]
    return math.fsum(parts) / len(parts) <= 1


def label_of(prediction: Any) -> str | None:
    """The label of an answer; None if it has none."""
    label = prediction.get("label") if isinstance(prediction, Mapping) else None
    return label if isinstance(label, str) else None


def _numbers(prediction: Any) -> tuple[float, ...] | None:
    """All numbers of an answer, in order; None if there is anything else in it, or nothing."""
    try:
        return tuple(_each(prediction)) or None
    except (TypeError, OverflowError, RecursionError):
        return None


def _each(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping):
        value = [value[name] for name in sorted(value)]
    if isinstance(value, list):
        for one in value:
            yield from _each(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    else:
        raise TypeError(value)


def read_comparison(found: Mapping[str, Any] | None) -> Comparison | None:
    """The comparison in a status; None for none."""
    if not found:
        return None
    words: dict[str, Any] = {
        name: str(found.get(name) or "") for name in ("version", "champion", "since", "note")
    }
    counts: dict[str, Any] = {
        name: int(found.get(name) or 0) for name in ("samples", "asked", "agreed", "labelled", "right")
    }
    right, repeated, agreed = (
        int(found.get(name) or 0) for name in ("championRight", "repeated", "repeatAgreed")
    )
    theirs: dict[str, Any] = {"champion_right": right, "repeated": repeated, "repeat_agreed": agreed}
    return Comparison(**words, **counts, **theirs, is_missing=bool(found.get("missing")))


def read_held(found: Mapping[str, Any] | None) -> Held | None:
    """The version that waits for approval in a status; None for none."""
    if not found or not found.get("version"):
        return None
    return Held(*(str(found.get(name) or "") for name in ("version", "reason", "since")))
