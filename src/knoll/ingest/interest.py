"""Which created objects get an event: those that may complete the dataset of a Model.

If ten thousand files are uploaded, one of them says that the data is complete. The others need no event,
because the listing of the bucket is the truth. The Models that decide are at most a second old. If a Model
was applied since, the next tick finds its data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knoll.errors import Unavailable
from knoll.ingest.landed import lands_each_object, last_uri, may_land
from knoll.models import Model, readable_models
from knoll.ports import Document, Platform
from knoll.recent import recent_models

__all__ = ["may_matter"]


@dataclass(frozen=True)
class _Interest:
    """What these Models wait for: the objects that are written last, and in `others` the Models that make a
    dataset of each object."""

    documents: Mapping[str, Document]
    last: frozenset[str]
    others: Sequence[Model]

    def wants(self, uri: str) -> bool:
        return uri in self.last or any(may_land(model, uri) for model in self.others)


class _Interests:
    """The interest of the Models that were seen last."""

    def __init__(self) -> None:
        self._known: _Interest | None = None

    def of(self, documents: Mapping[str, Document]) -> _Interest:
        known = self._known
        if known is None or known.documents is not documents:
            known = self._known = _read(documents)
        return known


def may_matter(uri: str, platform: Platform) -> bool:
    """Whether a new object at this URI may complete a dataset. If the Models cannot be listed, it may."""
    try:
        documents = recent_models(platform)
    except Unavailable:
        return True
    return platform.caches.of(_Interests).of(documents).wants(uri)


def _read(documents: Mapping[str, Document]) -> _Interest:
    models = readable_models(documents.values())
    last = {uri for model in models if (uri := last_uri(model))}
    return _Interest(documents, frozenset(last), [model for model in models if lands_each_object(model)])
