"""The life of a predictor: fetch, verify, load, warm up, and only then listen.

While the port is closed, the predictor is not ready. If its version must not be served, the process ends:
Knative then fails the revision, and the traffic stays where it is. The server is imported while the files
are fetched.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import NoReturn

from knoll.errors import KnollError, Rejected
from knoll.exits import REJECTED, SUCCEEDED, UNAVAILABLE
from knoll.headers import DIGEST, VERSION
from knoll.ports import Platform
from knoll.predict.blame import Usual
from knoll.predict.feedback import Feedback
from knoll.predict.graph import Graph, warm_up
from knoll.predict.inference_log import InferenceLog
from knoll.predict.label_book import LabelBook
from knoll.predict.label_reports import LabelReports
from knoll.predict.loading import Version
from knoll.predict.memory_budget import share
from knoll.predict.memory_limit import UNLIMITED, memory_limit, resident, return_freed_memory
from knoll.predict.observer import Observer
from knoll.predict.recorder import Recorder
from knoll.predict.reporting import all_reporting
from knoll.predict.served import Served
from knoll.predict.start_times import FETCH, LOAD, VERIFY, WARM_UP, StartTimes, process_age

__all__ = ["Around", "fail", "load", "serve"]

_WAITING = 100  # threads whose work waits for somebody else
_SHARING = 16  # threads whose requests may share a run


Around = Callable[[Served, int], AbstractContextManager[Served]]


def serve(
    model: str, fetch: Callable[[], Version], platform: Platform, port: int, around: Around | None = None
) -> None:
    """Serve the version that `fetch` returns under the name `model`, on settings.listen_host and `port`,
    until SIGTERM. Requests in flight are answered first. Without a sink nothing is reported. `around` puts
    something before it, with so many threads for the graph.

    If the version must not be served, the process ends with 65; if it could not be fetched, with 75. The
    reason is one line on standard error.
    """
    _prepare_process()
    settings, times = platform.settings, StartTimes()
    limit = settings.memory or memory_limit()
    version, graph = _loaded(fetch, settings.threads, limit, times)
    from knoll.predict import protocol

    name, book = version.manifest.version, LabelBook()
    recorder = Recorder(model, name, version.signature, platform)
    log = InferenceLog(model, name, version.signature, platform)
    served = replace(_served(model, version, graph, book, platform), recorder=recorder, log=log)
    observer = Observer(model, name, platform, served.bins, served.facets)
    workers = settings.threads or os.cpu_count() or 1
    with (
        _put_before(served, workers, around, times) as served,
        socket.create_server((settings.listen_host, port), backlog=2048) as listening,
        all_reporting(observer, LabelReports(model, name, book, platform), recorder, log),
    ):
        times.end(process_age())
        server = protocol.new_server(
            served,
            {VERSION: name, DIGEST: version.digest},
            observer,
            times,
            workers=_WAITING if around else max(workers, _SHARING if graph.shared else 0),
            memory=share(limit, resident(), settings.body_memory),
            token=settings.token,
            key=settings.revision_key,
        )
        protocol.run(server, listening)


def _loaded(
    fetch: Callable[[], Version], threads: int, limit: int, times: StartTimes
) -> tuple[Version, Graph]:
    """As `load`; meanwhile the server is imported."""
    try:
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(load, fetch, threads, limit, times)
            import knoll.predict.protocol  # noqa: F401

            return loading.result()
    except KnollError as error:
        fail(error)


@contextmanager
def _put_before(served: Served, workers: int, around: Around | None, times: StartTimes) -> Iterator[Served]:
    if around is None:
        yield served
        return
    with ExitStack() as stack:
        try:
            with times.part(LOAD):
                made = stack.enter_context(around(served, workers))
        except KnollError as error:
            fail(error)
        yield made


def load(
    fetch: Callable[[], Version], threads: int, limit: int = UNLIMITED, times: StartTimes | None = None
) -> tuple[Version, Graph]:
    """The verified version and its graph, warm; `limit` is the memory of the process in bytes. What each part
    takes is noted in `times`.

    Raises InvalidVersion, or Unavailable if it cannot be fetched.
    """
    times = times or StartTimes()
    with times.part(FETCH):
        version = fetch()
    times.move(version.verified_in, FETCH, VERIFY)
    with times.part(LOAD):
        graph = Graph(version, threads)
    with times.part(WARM_UP):
        warm_up(graph, version, limit)
    return version, graph


def _served(model: str, version: Version, graph: Graph, book: LabelBook, platform: Platform) -> Served:
    key, name, now = platform.settings.answer_key, version.manifest.version, platform.clock.now
    feedback = Feedback(model, name, version.signature, key, book, now)
    return Served(model, version, graph, Usual(version), feedback)


def _prepare_process() -> None:
    """End in order at a signal, and let large blocks of memory go back."""
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, _stop)
    return_freed_memory()


def _stop(*_: object) -> NoReturn:
    """uvicorn raises the signal again after it has finished. The default action would end the process before
    its last report."""
    sys.exit(SUCCEEDED)


def fail(error: KnollError) -> NoReturn:
    """End the process: with 65 if it would fail again, else with 75."""
    text = " ".join(f"{error} ({error.fix})".split() if error.fix else str(error).split())
    print(f"knoll-predictor: {type(error).__name__}: {text}", file=sys.stderr, flush=True)
    sys.exit(REJECTED if isinstance(error, Rejected) else UNAVAILABLE)
