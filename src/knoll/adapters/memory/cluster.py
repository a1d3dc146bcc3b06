"""Kubernetes objects in memory: the laptop's document store without a file, so with the same rules.

For tests that need thousands of clusters. One connection behind a lock takes the place of the file, so that
threads meet one state.
"""

import itertools
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from knoll.adapters.cluster_local import LocalCluster
from knoll.errors import ClusterUnavailable
from knoll.ports import Clock

__all__ = ["MemoryCluster"]


class MemoryCluster(LocalCluster):
    """`ports.Cluster` for the threads of one process; it ends with its last reference. Its uids are the same
    in each run."""

    def __init__(self, namespace: str, clock: Clock) -> None:
        self._one = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._turn = threading.RLock()
        self._uids = itertools.count(1)
        super().__init__(Path(":memory:"), namespace, clock)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with self._turn:
            try:
                yield self._one
            except sqlite3.Error as error:
                raise ClusterUnavailable(f"the objects in memory cannot be reached: {error}") from error

    def _new_uid(self) -> str:
        return f"00000000-0000-0000-0000-{next(self._uids):012d}"
