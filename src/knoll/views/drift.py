"""Whether the classes that a version answers are distributed as in its training data. If not, the requests
may have changed.

The predictors count their answers by class, and the names of the training's files have its classes. A shift
stops nothing, because it may be real.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from typing import Any

from knoll.data_kinds import is_archive
from knoll.data_layout import find_layout
from knoll.errors import InvalidData, NewerSchema, Rejected
from knoll.ports import Platform
from knoll.records.dataset import find_snapshot
from knoll.records.evidence import Report, find_reports
from knoll.records.manifest import find_manifest
from knoll.records.outputs import classes_name

__all__ = ["DriftView", "drift_document", "read_drift"]

_RECENT = timedelta(days=7)
_FEWEST = 100  # answers, below which no shift is told
_LEAST = 0.1  # of the answers, that must lie elsewhere
_ERRORS = 4.0  # standard errors of chi-square above its mean


@dataclass(frozen=True)
class DriftView:
    """Answers of a version by class in the last days, and its training examples by class."""

    version: str
    answered: Mapping[str, int]
    trained: Mapping[str, int]

    @property
    def answers(self) -> int:
        """All of them."""
        return sum(self.answered.values())

    @property
    def distance(self) -> float:
        """The total variation distance between the shares of the classes in answers and training data, from 0
        to 1: the part of the answers that would have to be of another class."""
        return sum(abs(one - other) for one, other in self._shares().values()) / 2

    @property
    def has_shifted(self) -> bool:
        """Whether that is more than chance explains: Pearson's chi-square with k = classes - 1 degrees of
        freedom is compared with its mean k and its standard deviation, the root of 2 k."""
        if self.answers < _FEWEST or self.distance < _LEAST:
            return False
        chi = sum(
            self.answers * (one - other) ** 2 / other for one, other in self._shares().values() if other
        )
        freedom = max(len(self.trained) - 1, 1)
        return chi > freedom + _ERRORS * sqrt(2 * freedom)

    @property
    def words(self) -> str:
        """As in "v000002: 40 % of 412 answers are 7, and 10 % of its training data: they have shifted"; ""
        before there are enough answers."""
        if self.answers < _FEWEST:
            return ""
        shares = self._shares()
        name = max(shares, key=lambda one: abs(shares[one][0] - shares[one][1]))
        one, other = shares[name]
        told = f"{one:.0%} of {self.answers:,} answers are {name}, and {other:.0%} of its training data"
        return f"{self.version}: {told}{': they have shifted' if self.has_shifted else ''}"

    def _shares(self) -> Mapping[str, tuple[float, float]]:
        answers, examples = max(self.answers, 1), max(sum(self.trained.values()), 1)
        return {
            name: (self.answered.get(name, 0) / answers, count / examples)
            for name, count in self.trained.items()
        }


def read_drift(platform: Platform, model: str, version: str) -> DriftView | None:
    """The answers of a version beside its training data; None if either is not known by class."""
    trained = _trained(platform, model, version) if version else {}
    if not trained:
        return None
    now, reports = platform.clock.now(), find_reports(model, version, platform.bucket).values()
    counts = _answered([one for one in reports if _is_recent(one, now)], sorted(trained))
    return DriftView(version, counts, trained) if counts else None


def drift_document(found: DriftView | None) -> dict[str, Any] | None:
    """As `-o json` shows it; null if it is not known."""
    if found is None:
        return None
    return {
        "version": found.version,
        "answers": found.answers,
        "answered": dict(found.answered),
        "trained": dict(found.trained),
        "distance": found.distance,
        "hasShifted": found.has_shifted,
    }


def _trained(platform: Platform, model: str, version: str) -> Mapping[str, int]:
    """Examples of each class that the version was trained on; none if the names of its files do not tell."""
    try:
        made = find_manifest(model, version, platform.bucket)
        data = find_snapshot(model, made.dataset_digest, platform.bucket) if made else None
        keys = [one.uri.removeprefix(data.prefix) for one in data.objects] if data else []
        if not keys or any(map(is_archive, keys)):
            return {}
        return Counter(find_layout(keys).classes.values())
    except (Rejected, InvalidData, NewerSchema):
        return {}


def _answered(reports: Sequence[Report], classes: Sequence[str]) -> Mapping[str, int]:
    name, found = classes_name(classes), Counter[str]()
    for one in reports:
        if one.outputs and one.outputs.bins == name and len(one.outputs.counts) == len(classes):
            found.update(dict(zip(classes, one.outputs.counts, strict=True)))
    return found


def _is_recent(report: Report, now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(report.reported_at) <= _RECENT
    except (ValueError, TypeError):
        return False
