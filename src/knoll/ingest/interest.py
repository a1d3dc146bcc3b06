"""Which created objects are worth an event: those that may complete the dataset of some Model.

Of ten thousand files that are uploaded, one says that the data is complete. The others need no place in the
broker, because the listing of the bucket is the truth. They are told apart by the Models as they were a
second ago, so one that was applied just now may not be known: then the next tick finds its data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from knoll.errors import Unavailable
from knoll.ingest.landed import last_uri, may_land
from knoll.models import Model, readable_models
from knoll.ports import Cluster, Document, Platform
from knoll.recent import recent_models

__all__ = ["may_matter"]


@dataclass(frozen=True)
class _Interest:
    """What these Models ask for: the objects that are written last, and in `others` the Models whose objects
    are datasets each."""

    documents: Mapping[str, Document]
    last: frozenset[str]
    others: Sequence[Model]

    def wants(self, uri: str) -> bool:
        return uri in self.last or any(may_land(model, uri) for model in self.others)


_KNOWN: WeakKeyDictionary[Cluster, _Interest] = WeakKeyDictionary()


def may_matter(uri: str, platform: Platform) -> bool:
    """Whether a new object at this URI may complete a dataset; also while nobody can say, because the Models
    cannot be listed."""
    try:
        documents = recent_models(platform)
    except Unavailable:
        return True
    known = _KNOWN.get(platform.cluster)
    if known is None or known.documents is not documents:
        known = _KNOWN[platform.cluster] = _read(documents)
    return known.wants(uri)


def _read(documents: Mapping[str, Document]) -> _Interest:
    models = readable_models(documents.values())
    last = {uri for model in models if (uri := last_uri(model))}
    return _Interest(
        documents, frozenset(last), [model for model in models if model.dataset.landed.when == "object"]
    )
