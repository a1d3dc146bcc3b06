"""One winner of a conditional write, also where the store only looks first and writes then."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.store_arbitrated import ArbitratedStore, probe, probe_once
from knoll.errors import AlreadyExists
from knoll.records.probe import probe_uri

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = "s3://models"


class CheckThenWrite(MemoryStore):
    """As moto: all writers that checked before the first one wrote hear that they won. A barrier makes them
    meet."""

    def __init__(self, writers: int) -> None:
        super().__init__(lambda: NOW)
        self._met = threading.Barrier(writers)

    def put(
        self, uri: str, body: bytes | BinaryIO, *, if_absent: bool = False, content_type: str = ""
    ) -> str:
        if if_absent and any(self.list(uri)):
            raise AlreadyExists(uri)
        if if_absent:
            self._met.wait(30)
        etag = super().put(uri, body, content_type=content_type)
        if if_absent:
            self._met.wait(30)
        return etag


def winners(store: Any, writers: int) -> list[int]:
    def wins(writer: int) -> bool:
        try:
            store.put(f"{ROOT}/claim", str(writer).encode(), if_absent=True)
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(writers) as pool:
        return [writer for writer, won in enumerate(pool.map(wins, range(writers))) if won]


def test_of_writers_that_the_store_all_calls_first_one_wins() -> None:
    bare, store = CheckThenWrite(8), CheckThenWrite(8)
    assert len(winners(bare, 8)) == 8
    (winner,) = winners(ArbitratedStore(store, ROOT), 8)
    assert store.get(f"{ROOT}/claim") == str(winner).encode()


@pytest.mark.parametrize(("make", "atomic"), [(MemoryStore, True), (lambda: CheckThenWrite(4), False)])
def test_a_probe_tells_the_two_kinds_apart_and_leaves_nothing_behind(
    make: Callable[[], MemoryStore], atomic: bool
) -> None:
    store = make()
    assert probe(store, ROOT, writers=4, keys=5) is atomic
    assert list(store.list(f"{ROOT}/")) == []


def test_the_objects_of_a_killed_probe_go_after_an_hour() -> None:
    """Also if the store has been probed since; a probe that may still run keeps its own."""
    store = MemoryStore()
    left = f"{ROOT}/probes/killed/0"
    store.put(left, b"1")
    (written,) = (one.modified for one in store.list(left))
    probe_once(store, ROOT, written)
    assert [one.uri for one in store.list(f"{ROOT}/probes/")] == [left]
    probe_once(store, ROOT, written + timedelta(hours=2))
    assert list(store.list(f"{ROOT}/probes/")) == []


def test_a_store_is_probed_once_and_trusted_from_then_on() -> None:
    """Before there is a verdict, writers read back; after it, an atomic store is not asked twice."""
    gets: list[str] = []

    class Counting(MemoryStore):
        def get(self, uri: str, **options: Any) -> bytes:
            gets.append(uri)
            return super().get(uri, **options)

    inner = Counting()
    store = ArbitratedStore(inner, ROOT)
    store.put(f"{ROOT}/a", b"1", if_absent=True)
    assert f"{ROOT}/a" in gets
    assert [probe_once(inner, ROOT, NOW) for _ in range(2)] == [True, True]
    store.put(f"{ROOT}/b", b"1", if_absent=True)
    gets.clear()
    store.put(f"{ROOT}/c", b"1", if_absent=True)
    assert gets == []
    assert [one.uri for one in inner.list(f"{ROOT}/probe")] == [probe_uri(ROOT)]
