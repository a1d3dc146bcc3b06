"""Whether requests and answers are distributed differently from the samples of their version, facet by
facet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from knoll.ports import Platform
from knoll.records.evidence import find_reports
from knoll.rollout.evidence.drift import Moved, drift_of

__all__ = ["FacetsView", "facets_documents", "facets_words", "read_facets"]

_FEWEST = 100  # requests, below which nothing is told


@dataclass(frozen=True)
class FacetsView:
    """The facets of a version; the one that has moved most comes first."""

    version: str
    facets: Sequence[Moved]

    @property
    def words(self) -> str:
        """As in "v000002: image mean (PSI 0.62, the bound is 0.36)"; "" if nothing has moved, or is known."""
        moved = [one for one in self.facets if one.has_moved and one.requests >= _FEWEST]
        told = (f"{one.facet} (PSI {one.index:.2f}, the bound is {one.bound:.2f})" for one in moved)
        return f"{self.version}: {', '.join(told)}" if moved else ""


def read_facets(platform: Platform, model: str, versions: Iterable[str]) -> Sequence[FacetsView]:
    """The facets of these versions, each version once; those without counts are left out."""
    named = dict.fromkeys(filter(None, versions))
    found = (FacetsView(one, drift_of(find_reports(model, one, platform.bucket).values())) for one in named)
    return [one for one in found if one.facets]


def facets_words(found: Sequence[FacetsView]) -> str:
    """What has moved, on one line; "" for nothing."""
    return "; ".join(filter(None, (one.words for one in found)))


def facets_documents(found: Sequence[FacetsView]) -> list[Mapping[str, Any]]:
    """As `-o json` shows them."""
    return [
        {"version": view.version, **asdict(one), "hasMoved": one.has_moved}
        for view in found
        for one in view.facets
    ]
