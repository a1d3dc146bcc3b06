"""The ticker: what a PingSource does on a cluster, at the laptop's own pace.

While a tick is still to be delivered, there is no second one. So after a long sweep, or a kill, one tick is
left and not a heap of them.
"""

import json
import uuid

from knoll.events import PING, Event
from knoll.laptop.broker.broker import Broker
from knoll.laptop.broker.eventing import PingSource
from knoll.laptop.repeated import Repeated
from knoll.ports import Clock

__all__ = ["Ticker", "ping"]


class Ticker(Repeated):
    """A thread that publishes an event at once and then every `seconds`, unless the last one is still to be
    delivered."""

    def __init__(
        self, broker: Broker, source: PingSource, namespace: str, seconds: float, clock: Clock
    ) -> None:
        super().__init__(f"ticker-{source.name}", seconds)
        self._broker, self._source, self._namespace, self._clock = broker, source, namespace, clock

    def work(self) -> None:
        """Publish a tick, unless the last one is still to be delivered. Raises Unavailable."""
        if not self._broker.pending(PING):
            self._broker.publish(ping(self._source, self._namespace, self._clock))


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
