"""Many threads of several processes that deliver one event at the same moment: of a notification, and of the
dataset that has landed."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from knoll.errors import Unavailable
from knoll.events import Event
from knoll.ports import Handler
from knoll.wiring.stages import STAGES
from schedules.declared import model_document
from schedules.faults import Process
from schedules.world import World

__all__ = ["jobs_of_races"]

_TOGETHER = 10  # keys that share a world
_PROCESSES = 8


def jobs_of_races(keys: int, threads: int) -> tuple[int, int]:
    """How many Jobs and runs come of so many keys, each of which so many threads tell of at once."""
    jobs = runs = 0
    with ThreadPoolExecutor(threads) as pool, _switching_often():
        for first in range(0, keys, _TOGETHER):
            names = [f"model-{key}" for key in range(first, min(keys, first + _TOGETHER))]
            world = World({name: model_document(name) for name in names}, quota=len(names))
            for name in names:
                _race(world, name, pool, threads)
            jobs += len(world.cluster.list("Job"))
            runs += len(list(world.store.list("s3://knoll-models/runs/")))
    return jobs, runs


def _race(world: World, name: str, pool: ThreadPoolExecutor, threads: int) -> None:
    """Tell ingest of the data, and train of the events that ingest returns. A delivery that fails comes
    again."""
    world.write(name, "0", f"good-{name}".encode())
    world.mark(name)
    notified = world.feed[-1].event
    told = [
        event
        for event in _at_once(STAGES["ingest"].handle, notified, world, pool, threads)
        if event is not None
    ]
    for event in told:
        _at_once(STAGES["train"].handle, event, world, pool, threads)


def _at_once(
    handler: Handler, event: Event, world: World, pool: ThreadPoolExecutor, threads: int
) -> list[Event | None]:
    barrier = threading.Barrier(threads)
    platforms = [Process(world.platform).platform for _ in range(_PROCESSES)]

    def deliver(number: int) -> Event | None:
        barrier.wait()
        for _attempt in range(threads):
            try:
                return handler(event, platforms[number % _PROCESSES])
            except Unavailable:
                continue
        raise AssertionError("it never could be delivered")

    return list(pool.map(deliver, range(threads)))


@contextmanager
def _switching_often() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
