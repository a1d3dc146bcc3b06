"""A version behind kserve's model server: our own predictions, and kserve's metadata, health and metrics.

Importing this module imports kserve, which then parses the command line: see `knoll.predict.importing`.
"""

import logging
import socket
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kserve
from kserve.metrics import PREDICT_HIST_TIME, get_labels
from kserve.model_server import app
from kserve.protocol.rest.server import RESTServer
from prometheus_client import REGISTRY

from knoll.http_connection import Connection
from knoll.predict.counts import Ended
from knoll.predict.door import behind_door
from knoll.predict.envelope import Envelope
from knoll.predict.memory_budget import MemoryBudget, MemoryShares
from knoll.predict.monitored import Monitored
from knoll.predict.observer import Observer
from knoll.predict.predictions import Predictions
from knoll.predict.served import Served
from knoll.records.signature import Tensor
from knoll.request_limits import ByteBudget

__all__ = ["run"]

_GRACE = 20  # seconds that requests in flight have after SIGTERM


class _Described(kserve.Model):  # type: ignore[misc]
    """The model as kserve's metadata and health show it."""

    def __init__(self, served: Served) -> None:
        super().__init__(served.name)
        self._signature = served.version.signature
        self.ready = True

    def get_input_types(self) -> list[dict[str, Any]]:
        """The inputs as the V2 metadata shows them."""
        return [_metadata(tensor) for tensor in self._signature.inputs]

    def get_output_types(self) -> list[dict[str, Any]]:
        """The outputs as the V2 metadata shows them."""
        return [_metadata(tensor) for tensor in self._signature.outputs]


def run(
    served: Served,
    listening: socket.socket,
    headers: Mapping[str, str],
    observer: Observer,
    *,
    workers: int,
    memory: MemoryShares,
    token: str = "",
    key: str = "",
) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are answered first.

    Predictions are made in `workers` threads. `memory` is what requests may take, and `token` what they must
    show; `key` proves which of them are replays.
    """
    server = kserve.ModelServer(
        http_port=listening.getsockname()[1], enable_grpc=False, enable_latency_logging=False, workers=1
    )
    _quieten()
    server.register_model(_Described(served))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="predict")
    labels = get_labels(served.name)
    REGISTRY.register(Monitored(observer))

    def observe_too(one: Ended) -> None:
        PREDICT_HIST_TIME.labels(**labels).observe(one.seconds)
        observer.observe(one)

    predictions = Predictions(served, app, pool, MemoryBudget(memory.work))
    rest = RESTServer(
        behind_door(Envelope(predictions, headers, observe_too, ByteBudget(memory.bodies), key), token),
        server.dataplane,
        server.model_repository_extension,
        server.http_port,
        grace_period=_GRACE,
    )
    rest.config.http, rest.config.ws = Connection, "none"
    rest.run(sockets=[listening])


def _quieten() -> None:
    """kserve logs a line per request, and a traceback per bad one, which would hide real failures."""
    for name, level in (
        ("kserve", logging.CRITICAL),
        ("kserve.trace", logging.WARNING),
        ("uvicorn", logging.WARNING),
    ):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False
    warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")


def _metadata(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
