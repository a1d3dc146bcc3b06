"""Labels: what the replicas of predictors know about answers, one record for each replica and each version
that gave them.

A record is named after the answers that it counts, see `knoll.records.rising`. Any replica of a Model takes
labels for answers of any version.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import with_config

from knoll.ports import Bucket
from knoll.records.record import LENIENT
from knoll.records.rising import Counted, Rising
from knoll.records.stamp import stamped_reader

__all__ = [
    "MOST_WINDOWS",
    "Labels",
    "Window",
    "find_labels",
    "is_one_too_many",
    "labels_uri",
    "load_labels",
    "remove_labels",
    "write_labels",
]

MOST_WINDOWS = 500
Window = tuple[int, int, int]  # a minute, in seconds since 1970, and the right and wrong answers given in it


@with_config(LENIENT)
@dataclass(frozen=True)
class Labels(Counted):
    """What a replica, which serves the version `by`, knows since it started. `windows` are the labels that
    users have told: MOST_WINDOWS minutes at most, rising; minute 0 stands for all that came before them.
    `compared` answers were given to the same requests by both versions, and `different` of them differ.
    Of these, the true labels of `paired` are known: `only_version` were answered rightly by `version` alone,
    and `only_by` by the replica alone."""

    by: str
    windows: tuple[Window, ...] = ()
    reported_at: str = ""
    compared: int = 0
    different: int = 0
    paired: int = 0
    only_version: int = 0
    only_by: int = 0

    @property
    def right(self) -> int:
        """Answers that were right."""
        return sum(right for _, right, _ in self.windows)

    @property
    def wrong(self) -> int:
        """Answers that were wrong."""
        return sum(wrong for _, _, wrong in self.windows)

    @property
    def answers(self) -> int:
        """All that is counted."""
        return self.right + self.wrong + self.compared + self.paired

    def covered(self) -> bytes:
        """What the proof of the counts stands for: all that is counted, and where."""
        counts = [[int(one) for one in window] for window in self.windows]
        said = self.model, self.version, self.by, self.replica
        pairs = self.paired, self.only_version, self.only_by
        return json.dumps([*said, counts, self.compared, self.different, *pairs]).encode()


load_labels = stamped_reader(Labels, "count of labels")
_LABELS = Rising("labels", Labels, load_labels, lambda one: one.answers)


def labels_uri(root: str, labels: Labels) -> str:
    """Where a record is."""
    return _LABELS.uri(root, labels)


def write_labels(labels: Labels, bucket: Bucket) -> bool:
    """Keep the record, unless one is there that counts as many answers or more: see `Rising.write`."""
    return _LABELS.write(labels, bucket)


def is_one_too_many(labels: Labels, most: int, bucket: Bucket) -> bool:
    """Whether so many other replicas have records on the version, and this one has none."""
    facts = labels.model, labels.version
    known = _LABELS.find(*facts, labels.replica, bucket)
    return known is None and _LABELS.has_replicas(*facts, most, bucket)


def find_labels(model: str, version: str, bucket: Bucket) -> Mapping[str, Labels]:
    """The newest record of each replica on a version, by replica."""
    return _LABELS.find_all(model, version, bucket)


def remove_labels(model: str, version: str, bucket: Bucket) -> None:
    """Remove all records on a version."""
    _LABELS.remove(model, version, bucket)
