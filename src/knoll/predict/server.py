"""The life of a predictor: fetch, verify, load, warm up, and only then listen.

A port that is not open yet is the plainest way not to be ready, and a process that ends is the plainest way
to say that its version must not be served: Knative then fails the revision and keeps the traffic where it is.
kserve is imported while the files are on their way.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

from knoll.errors import KnollError, Rejected
from knoll.ports import Platform
from knoll.predict.graph import Graph, warm_up
from knoll.predict.importing import importing_kserve
from knoll.predict.loading import Version
from knoll.predict.observer import Observer

__all__ = ["load", "serve"]

_REJECTED, _UNAVAILABLE = 65, 75  # exit codes, as of a trainer


def serve(model: str, fetch: Callable[[], Version], platform: Platform, port: int) -> None:
    """Serve the version that `fetch` brings under the name `model`, on settings.listen_host and `port`, until
    SIGTERM; requests in flight are answered first. Without a sink nothing is reported.

    Ends the process with 65 and one line on standard error when the version must not be served, with 75 when
    it could not be fetched.
    """
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, _stop)
    settings = platform.settings
    try:
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(load, fetch, settings.threads)
            with importing_kserve():
                from knoll.predict import service
            version, graph = loading.result()
    except KnollError as error:
        _fail(error)
    observer = Observer(model, version.manifest.version, platform)
    predictor = service.Predictor(model, version, graph, settings.threads or os.cpu_count() or 1)
    headers = {"x-model-version": version.manifest.version, "x-model-digest": version.digest}
    with socket.create_server((settings.listen_host, port), backlog=2048) as listening, observer.reporting():
        service.run(predictor, listening, headers, observer.observe)


def load(fetch: Callable[[], Version], threads: int) -> tuple[Version, Graph]:
    """The verified version and its graph, warm. Raises InvalidVersion, or Unavailable when it cannot be
    fetched."""
    version = fetch()
    graph = Graph(version, threads)
    warm_up(graph, version)
    return version, graph


def _stop(*_: object) -> NoReturn:
    """uvicorn raises the signal again when it has finished; the default action would end the process before
    its last report."""
    sys.exit(0)


def _fail(error: KnollError) -> NoReturn:
    text = " ".join(f"{error} ({error.fix})".split() if error.fix else str(error).split())
    print(f"knoll-predictor: {type(error).__name__}: {text}", file=sys.stderr, flush=True)
    sys.exit(_REJECTED if isinstance(error, Rejected) else _UNAVAILABLE)
