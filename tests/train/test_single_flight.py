"""Threads of one process share passes: only one acts at a time, and one pass serves all that wait."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.predictors_http import HttpPredictors
from knoll.errors import AlreadyExists, ClusterUnavailable
from knoll.events import OBJECT_CREATED, new_event
from knoll.ingest import handler as ingest
from knoll.kube.jobs import is_live
from knoll.ports import Document, Platform
from knoll.settings import Settings
from knoll.train import handler as train
from knoll.train.single_flight import SingleFlight
from train.test_handler import NOW, model

MODELS, QUOTA, THREADS = 30, 4, 16


def test_threads_that_ask_during_a_pass_share_the_next_one() -> None:
    flight, passes = SingleFlight(), []
    tickets = [flight.ticket()]

    def act() -> None:
        passes.append(len(tickets))
        if len(passes) == 1:
            tickets.extend(flight.ticket() for _ in range(5))

    flight.share(tickets[0], act)
    for ticket in tickets:
        flight.share(ticket, act)
    assert passes == [1, 6]


def test_a_pass_that_failed_covers_no_ticket() -> None:
    flight, passes = SingleFlight(), []
    first, second = flight.ticket(), flight.ticket()

    def fail() -> None:
        raise ClusterUnavailable("not now")

    with pytest.raises(ClusterUnavailable):
        flight.share(first, fail)
    flight.share(second, lambda: passes.append(second))
    assert passes == [second]


def test_no_thread_begins_a_pass_during_another_one() -> None:
    flight, most = SingleFlight(), []
    inside = threading.Semaphore(1)

    def act() -> None:
        most.append(inside.acquire(blocking=False))
        inside.release()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: flight.share(flight.ticket(), act), range(500)))
    assert all(most)


class Watched(MemoryCluster):
    """Notes how many Jobs were live at most, and how many were created in vain."""

    most = vain = 0

    def create(self, document: Document) -> Document:
        try:
            return super().create(document)
        except AlreadyExists:
            self.vain += 1
            raise
        finally:
            self.most = max(self.most, sum(map(is_live, self.list("Job"))))


def test_threads_of_one_process_create_no_job_in_vain_and_none_beyond_the_quota() -> None:
    cluster = Watched("default", MemoryClock())
    platform = Platform(
        MemoryStore(MemoryClock(step=-1).now),  # so that each run that is opened is the first in turn
        cluster,
        MemoryEvents(),
        HttpPredictors(),
        MemoryClock(),
        Settings(home=Path(), quota=QUOTA),
    )
    names = [f"m{number:02}" for number in range(MODELS)]
    for name in names:
        cluster.create(model(name))
        for key in ("_SUCCESS", "0.png"):
            platform.store.put(f"s3://data/{name}/{key}", name.encode())
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(told_of(platform), names * 2))
    assert (cluster.most, cluster.vain) == (QUOTA, 0)


def told_of(platform: Platform) -> Callable[[str], None]:
    """A function that sends a model's marker to ingest, and the landed dataset to train."""

    def tell(name: str) -> None:
        data = {"s3": {"bucket": {"name": "data"}, "object": {"key": f"{name}/_SUCCESS"}}}
        landed = ingest.handle(
            new_event(OBJECT_CREATED + "Put", source="aws:s3", time=NOW, data=data), platform
        )
        if landed is not None:
            train.handle(landed, platform)

    return tell
