"""A version behind a server that speaks V1 and V2, also by gRPC: our own ASGI application on uvicorn."""

import gc
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import uvicorn

from knoll.calls import with_calls
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

__all__ = ["new_server", "run"]

_GRACE = 20  # seconds that requests in flight have after SIGTERM


def new_server(
    served: Served,
    headers: Mapping[str, str],
    observer: Observer,
    times: StartTimes,
    *,
    workers: int,
    memory: MemoryShares,
    token: str = "",
    key: str = "",
) -> uvicorn.Server:
    """A server that ends at SIGTERM or SIGINT; requests in flight are answered first.

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

        return exposition(observer, durations, times, served)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="predict")
    predictions = Predictions(
        served, pool, MemoryBudget(memory.work), about(served), {**pages(metrics), **served.pages()}
    )
    bodies = ByteBudget(memory.bodies)
    app = behind_door(Envelope(predictions, headers, observe_too, bodies, key, times.header), token)
    config = server_config(with_calls(app), _GRACE, lifespan="off")
    return uvicorn.Server(config)


def run(server: uvicorn.Server, listening: socket.socket) -> None:
    """Serve until its end."""
    gc.freeze()  # the collector need not look at what was imported and loaded
    server.run(sockets=[listening])
