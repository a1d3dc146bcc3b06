"""A command that waits says what for."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.cli.patience import with_waits_told
from knoll.ports import Platform


class Hanging:
    """A store or predictor that answers when it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def get(self, uri: str) -> bytes:
        assert self.go.wait(30)
        return uri.encode()

    def list(self, prefix: str) -> Iterator[str]:
        yield prefix
        assert self.go.wait(30)
        yield "last"

    predict = get


def told_by(adapter: Any) -> tuple[Platform, list[str]]:
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        adapter.go.set()  # so a wait that is not told never ends

    platform = replace(memory_platform(MemoryClock()), store=adapter, predictors=adapter)
    return with_waits_told(platform, tell, 0.05), told


def test_a_store_that_hangs_is_named_once() -> None:
    """Also in the middle of a listing, and the answer comes through."""
    hanging = Hanging()
    platform, told = told_by(hanging)
    listed: list[Any] = [*platform.store.list("s3://a/")]
    assert listed == ["s3://a/", "last"]
    hanging.go.clear()
    threading.Timer(0.3, hanging.go.set).start()
    assert platform.store.get("s3://a/b") == b"s3://a/b"
    assert len(told) == 1
    assert told[0].startswith("Waiting for the store at ")


def test_a_predictor_that_hangs_is_named() -> None:
    request: Any = "digits"
    platform, told = told_by(Hanging())
    platform.predictors.predict(request)
    assert [one.partition(" to ")[0] for one in told] == ["Waiting for the predictor"]


def test_a_long_listing_has_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one for each object: a bucket may have a hundred thousand."""
    started: list[float] = []

    class Timer(threading.Timer):
        def start(self) -> None:
            started.append(self.interval)

    monkeypatch.setattr(threading, "Timer", Timer)
    platform = with_waits_told(memory_platform(MemoryClock()), pytest.fail, 5.0)
    for number in range(50):
        platform.store.put(f"s3://data/{number}", b"")
    assert len([*platform.store.list("s3://data/")]) == 50
    assert started == [5.0]


def test_nothing_is_told_of_quick_answers() -> None:
    told: list[str] = []
    platform = with_waits_told(memory_platform(MemoryClock()), told.append, 5.0)
    platform.store.put("s3://data/a", b"a")
    assert platform.store.get("s3://data/a") == b"a"
    assert len([*platform.store.list("s3://data/")]) == 1
    assert not told
