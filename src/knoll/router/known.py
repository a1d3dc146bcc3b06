"""Models and InferenceServices of the namespace, as they were a moment ago.

They are listed while requests come, at most once a second, and in the background. A request waits for the
list only after a pause, and then for half a second at most. If the API server does not answer, the last
documents count.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from knoll.errors import KnollError, Unavailable
from knoll.kube.labels import MANAGED
from knoll.ports import Cluster, Document

__all__ = ["KnownCluster", "Snapshot"]

_FRESH = 1.0  # seconds
_PATIENCE = 0.5  # seconds
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """Documents by name."""

    models: dict[str, Document] = field(default_factory=dict)
    isvcs: dict[str, Document] = field(default_factory=dict)


class KnownCluster:
    """What the cluster has. All its state belongs to one event loop."""

    def __init__(self, cluster: Cluster, fresh: float = _FRESH) -> None:
        self._cluster, self._fresh = cluster, fresh
        self._snapshot: Snapshot | None = None
        self._read_at = self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def now(self) -> Snapshot:
        """The documents. Raises Unavailable if they never could be read."""
        clock = asyncio.get_running_loop().time()
        if clock - self._tried_at > self._fresh and (self._reading is None or self._reading.done()):
            self._tried_at = clock
            self._reading = asyncio.create_task(self._read())
        is_old = self._snapshot is None or clock - self._read_at > 2 * self._fresh
        if is_old and self._reading is not None:
            await asyncio.wait({self._reading}, timeout=None if self._snapshot is None else _PATIENCE)
        if self._snapshot is None:
            raise Unavailable("the API server does not answer", fix="ask again in a moment")
        return self._snapshot

    async def _read(self) -> None:
        try:
            found = await asyncio.to_thread(self._list)
        except KnollError as error:
            _LOG.warning("cannot read Models and InferenceServices, will try again: %s", error)
            return
        self._snapshot, self._read_at = found, asyncio.get_running_loop().time()

    def _list(self) -> Snapshot:
        models, isvcs = self._cluster.list("Model"), self._cluster.list("InferenceService", MANAGED)
        return Snapshot(_by_name(models), _by_name(isvcs))


def _by_name(documents: Sequence[Document]) -> dict[str, Document]:
    return {one["metadata"]["name"]: one for one in documents}
