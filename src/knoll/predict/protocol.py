"""A version behind a server that speaks V1 and V2: an ASGI application of our own on uvicorn."""

import gc
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import uvicorn

from knoll.http_connection import server_config
from knoll.predict.about import about
from knoll.predict.counts import Ended
from knoll.predict.door import behind_door
from knoll.predict.durations import Durations
from knoll.predict.envelope import Envelope
from knoll.predict.memory_budget import MemoryBudget, MemoryShares
from knoll.predict.observer import Observer
from knoll.predict.pages import pages
from knoll.predict.predictions import Predictions
from knoll.predict.served import Served
from knoll.predict.start_times import StartTimes
from knoll.request_limits import ByteBudget

__all__ = ["run"]

_GRACE = 20  # seconds that requests in flight have after SIGTERM
_KEEP_ALIVE = 65  # seconds, as KServe's: longer than proxies keep an idle connection


def run(
    served: Served,
    listening: socket.socket,
    headers: Mapping[str, str],
    observer: Observer,
    times: StartTimes,
    *,
    workers: int,
    memory: MemoryShares,
    token: str = "",
    key: str = "",
) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are answered first.

    Predictions are made in `workers` threads. `memory` is what requests may take, and `token` what they must
    show; `key` proves which of them are replays. Who has waited for the start is told its `times`.
    """
    durations = Durations()

    def observe_too(one: Ended) -> None:
        durations.note(one)
        observer.observe(one)

    def metrics() -> bytes:
        """The library is imported with the first scrape: a start need not wait for it."""
        from knoll.predict.monitored import exposition

        return exposition(observer, durations, times)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="predict")
    predictions = Predictions(served, pool, MemoryBudget(memory.work), about(served), pages(metrics))
    bodies = ByteBudget(memory.bodies)
    app = behind_door(Envelope(predictions, headers, observe_too, bodies, key, times.header), token)
    config = server_config(app, _GRACE, lifespan="off", timeout_keep_alive=_KEEP_ALIVE)
    gc.freeze()  # the collector need not look at what was imported and loaded
    uvicorn.Server(config).run(sockets=[listening])
