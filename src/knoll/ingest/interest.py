"""Which created objects are worth an event: those that may complete the dataset of some Model.

Of ten thousand files that are uploaded, one says that the data is complete. The others need no place in the broker, because the listing of
the bucket is the truth. To tell them apart in no time, each process keeps a view of the Models that is a second old at most. So it may
not know a Model that was applied just now: then the next tick finds its data. What passes here is looked at with the Models as they are.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from knoll.errors import Unavailable
from knoll.ingest.landed import last_uri, may_land
from knoll.models import Model, readable_models
from knoll.ports import Cluster, Platform

__all__ = ["may_matter"]

_OLDEST = timedelta(seconds=1)


@dataclass(frozen=True)
class _View:
    """What the Models ask for at a time: the objects that are written last, and in `others` the Models whose objects are datasets each.

    Without `others` nobody knows, and every object is wanted.
    """

    at: datetime
    last: frozenset[str] = frozenset()
    others: Sequence[Model] | None = None

    def wants(self, uri: str) -> bool:
        return self.others is None or uri in self.last or any(may_land(model, uri) for model in self.others)


_LOCK = threading.Lock()
_VIEWS: WeakKeyDictionary[Cluster, _View] = WeakKeyDictionary()


def may_matter(uri: str, platform: Platform) -> bool:
    """Whether a new object at this URI may complete a dataset; also while nobody can say, because the Models cannot be listed."""
    return _view(platform).wants(uri)


def _view(platform: Platform) -> _View:
    """The view of this process; while one thread reads the Models anew, the others wait for it."""
    with _LOCK:
        now, view = platform.clock.now(), _VIEWS.get(platform.cluster)
        if view is None or not timedelta(0) <= now - view.at < _OLDEST:
            view = _VIEWS[platform.cluster] = _read(platform, now)
    return view


def _read(platform: Platform, now: datetime) -> _View:
    try:
        models = readable_models(platform.cluster.list("Model"))
    except Unavailable:
        return _View(platform.clock.now())
    last = {uri for model in models if (uri := last_uri(model))}
    return _View(now, frozenset(last), [model for model in models if model.dataset.landed.when == "object"])
