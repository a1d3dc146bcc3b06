"""The ticker: what a PingSource does on a cluster, at the laptop's own pace.

While a tick is still to be delivered, there is no second one. So after a long sweep, or a kill, one tick is
left and not a heap of them.
"""

import json
import logging
import threading
import uuid

from knoll.errors import Unavailable
from knoll.events import PING, Event
from knoll.laptop.broker.broker import Broker
from knoll.laptop.broker.eventing import PingSource
from knoll.ports import Clock

__all__ = ["Ticker", "ping"]

_LOG = logging.getLogger(__name__)


class Ticker:
    """A thread that publishes an event at once and then every `seconds`, unless the last one is still to be
    delivered."""

    def __init__(
        self, broker: Broker, source: PingSource, namespace: str, seconds: float, clock: Clock
    ) -> None:
        self._broker, self._source, self._clock = broker, source, clock
        self._namespace, self._seconds = namespace, seconds
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"ticker-{source.name}", daemon=True)

    def start(self) -> None:
        """Begin to tick."""
        self._thread.start()

    def stop(self) -> None:
        """End it; if a tick is being published, wait for that."""
        self._is_stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            try:
                if not self._broker.pending(PING):
                    self._broker.publish(ping(self._source, self._namespace, self._clock))
            except Unavailable as error:
                _LOG.warning("could not publish a tick, the next one follows: %s", error)
            self._is_stopped.wait(self._seconds)


def ping(source: PingSource, namespace: str, clock: Clock) -> Event:
    """The event that Knative's PingSource sends: its type is fixed, and overrides can only add extensions."""
    return Event(
        id=str(uuid.uuid4()),
        source=f"/apis/v1/namespaces/{namespace}/pingsources/{source.name}",
        type=PING,
        time=clock.now().isoformat(),
        data=json.loads(source.data) if source.data else None,
        extensions=source.ce_overrides.extensions,
    )
