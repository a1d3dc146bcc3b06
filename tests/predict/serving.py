"""Predictors in the process of the test: quicker than one of their own, and with counts to look at."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.adapters.memory.store import MemoryStore
from knoll.headers import DIGEST, VERSION
from knoll.predict.blame import Usual
from knoll.predict.counts import PredictorCounts
from knoll.predict.feedback import Feedback
from knoll.predict.label_book import LabelBook
from knoll.predict.loading import fetch_version
from knoll.predict.memory_budget import MemoryShares
from knoll.predict.observer import Observer
from knoll.predict.predictor import load
from knoll.predict.protocol import new_server
from knoll.predict.served import Served
from knoll.predict.start_times import StartTimes

__all__ = ["Serving", "serving"]

_MEMORY = MemoryShares(2**26, 2**28)


@dataclass(frozen=True)
class Serving:
    """A predictor: the port of 127.0.0.1 that it listens on, its version, and what it has counted."""

    port: int
    served: Served
    observer: Observer

    @property
    def address(self) -> str:
        """Where clients of gRPC find it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where clients of HTTP find it."""
        return f"http://{self.address}"

    @property
    def counts(self) -> PredictorCounts:
        """What it has counted."""
        return self.observer.counts


@contextmanager
def serving(
    model: str,
    files: Mapping[str, bytes],
    memory: MemoryShares = _MEMORY,
    name: str = "v000001",
    around: Callable[[Served], AbstractContextManager[Served]] = nullcontext,
    **named: Any,
) -> Iterator[Serving]:
    """A predictor of the version with that name, and these files, behind `around`. `named` goes to
    `new_server`."""
    store, clock = MemoryStore(), MemoryClock()
    folder = f"s3://models/models/{model}/{name}/"
    for file, body in files.items():
        store.put(folder + file, body)
    platform = memory_platform(clock, store=store)
    version, graph = load(lambda: fetch_version(store, folder, model), threads=1)
    feedback = Feedback(model, name, version.signature, "a" * 64, LabelBook(), clock.now)
    served = Served(model, version, graph, Usual(version), feedback)
    observer = Observer(model, name, platform, served.bins, served.facets)
    headers = {VERSION: name, DIGEST: version.digest}
    with around(served) as served, socket.create_server(("127.0.0.1", 0)) as listening:
        server = new_server(served, headers, observer, StartTimes(), workers=8, memory=memory, **named)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield Serving(listening.getsockname()[1], served, observer)
        finally:
            server.should_exit = True
            thread.join(30)
