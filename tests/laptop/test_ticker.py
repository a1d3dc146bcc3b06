"""The ticker sends what a PingSource sends, and never heaps ticks up."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from knoll.adapters.clock import SystemClock
from knoll.events import PING, Event
from knoll.laptop.broker.broker import Broker
from knoll.laptop.broker.eventing import read_eventing
from knoll.laptop.broker.ticker import Ticker

_EVENTING = read_eventing(Path(__file__).parents[2] / "eventing")


class _CountingBroker(Broker):
    """A broker that counts how often it was asked whether a tick is still open."""

    asked = 0

    def pending(self, type: str = "") -> int:
        self.asked += type == PING
        return super().pending(type)


def _eventually(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


def test_a_tick_is_not_repeated_while_the_last_one_is_being_worked_off(tmp_path: Path) -> None:
    """A held sweep gets one tick, however many periods pass; when it is done, ticks go on."""
    release = threading.Event()

    def sweep(_: Event) -> None:
        release.wait(30)

    sweeps = [trigger for trigger in _EVENTING.triggers if trigger.subscriber == "knoll-sweep"]
    broker = _CountingBroker(tmp_path / "knoll.db", sweeps, {"knoll-sweep": sweep}, SystemClock())
    ticker = Ticker(broker, _EVENTING.tickers[0], "default", 0.01, SystemClock())
    broker.start()
    ticker.start()
    _eventually(lambda: broker.asked > 5)
    assert [(event.type, event.source) for _, event in broker.history()] == [
        ("dev.knative.sources.ping", "/apis/v1/namespaces/default/pingsources/knoll-tick")
    ]
    release.set()
    _eventually(lambda: len(broker.history()) > 3)
    ticker.stop()
    broker.stop()
    assert len({event.id for _, event in broker.history()}) == len(broker.history())
