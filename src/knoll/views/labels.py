"""How often each version was right, as far as users have told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from knoll.ports import Platform
from knoll.records.labels import find_labels

__all__ = ["LabelsView", "labels_documents", "labels_words", "read_label_counts"]


@dataclass(frozen=True)
class LabelsView:
    """Labelled answers of a version: those that were right, and those that were wrong."""

    version: str
    right: int
    wrong: int

    @property
    def words(self) -> str:
        """As in "v000002: 9 of 10 right"."""
        return f"{self.version}: {self.right} of {self.right + self.wrong} right"


def read_label_counts(platform: Platform, model: str, versions: Iterable[str]) -> Sequence[LabelsView]:
    """The counts of these versions, each version once; those without labels are left out."""
    found = []
    for version in dict.fromkeys(filter(None, versions)):
        counted = find_labels(model, version, platform.bucket).values()
        if counted:
            found.append(
                LabelsView(version, sum(one.right for one in counted), sum(one.wrong for one in counted))
            )
    return found


def labels_words(found: Sequence[LabelsView]) -> str:
    """All of them on one line; "" for none."""
    return "; ".join(one.words for one in found)


def labels_documents(found: Sequence[LabelsView]) -> list[Mapping[str, Any]]:
    """As `-o json` shows them."""
    return [asdict(one) for one in found]
