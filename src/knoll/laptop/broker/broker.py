"""The broker: takes an event, and brings it to every subscriber whose Trigger wants it, at least once.

It does in one process what Knative's broker does on a cluster. The event log is the truth; the queues are its
image in memory, rebuilt at start. Each Trigger has workers of its own, so a slow subscriber delays no other.
Workers sleep until an event comes or a retry is due.

If a dead-letter sink is a subscriber here, it has a queue of its own, for dead letters only. If a sink did
not take a letter, it gets the letter again at the next start.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from knoll.errors import InvalidEvent, KnollError, Rejected
from knoll.events import Event, event_from_json, event_to_json
from knoll.events.event import EVENT_LIMIT
from knoll.json_faults import why_unwritable
from knoll.laptop.broker.dead_letters import DeadLetter, dead_letter_event, sink_queue
from knoll.laptop.broker.deliveries import DeliveryQueue, OpenDelivery
from knoll.laptop.broker.event_log import EventLog
from knoll.laptop.broker.triggers import Trigger
from knoll.ports import Clock

__all__ = ["Broker", "Subscriber"]

Subscriber = Callable[[Event], Event | None]

_LOG = logging.getLogger(__name__)


class Broker:
    """`ports.Events` with Triggers behind it. `subscribers` has each by the name that Triggers use for it,
    such as knoll-train. Raises Rejected if a Trigger's subscriber is missing.

    A subscriber's reply is published in the transaction that ends the delivery. Rejected makes a dead letter
    at once; after any other exception the delivery is tried again as the Trigger says. A dead letter goes to
    its sink if that is one of `subscribers`, else to `last_sink`, by `DEFAULT_DELIVERY`. If neither is there,
    or the sink refuses it, the letter is kept. As in Knative, a sink's reply is dropped.
    """

    def __init__(
        self,
        path: Path,
        triggers: Iterable[Trigger],
        subscribers: Mapping[str, Subscriber],
        clock: Clock,
        *,
        last_sink: str = "",
        workers: int = 2,
        keep: int = 50_000,
    ) -> None:
        self._triggers, self._last_sink = tuple(triggers), last_sink
        sinks = sorted({last_sink, *(trigger.delivery.sink for trigger in self._triggers)} & set(subscribers))
        routes = (*self._triggers, *(Trigger(name=sink_queue(sink), subscriber=sink) for sink in sinks))
        self._queues = {route.name: DeliveryQueue(route, clock) for route in routes}
        missing = {route.subscriber for route in routes} - set(subscribers)
        if missing:
            names = ", ".join(sorted(missing))
            raise Rejected(
                f"Triggers name subscribers that are missing: {names}",
                fix=f"mend the Triggers; the subscribers are {', '.join(sorted(subscribers)) or 'none'}",
            )
        self._log = EventLog(path, keep=keep)
        self._subscribers, self._clock, self._workers = subscribers, clock, workers
        self._threads: list[threading.Thread] = []

    def publish(self, event: Event) -> None:
        """See `ports.Events.publish`."""
        event = _checked(event)
        names = self._matching(event)
        self._enqueue(self._log.append(event, names), names)

    def start(self) -> None:
        """Deliver the events of the log, and from then on each that is published."""
        for queue in self._queues.values():
            queue.open()
        for seq, sink in self._log.stranded():
            for name in self._ways(sink):
                self._log.add_delivery(seq, name)
        for name, deliveries in self._log.open_deliveries().items():
            for delivery in deliveries:
                self._resume(name, delivery)
        workers = [(name, number) for name in self._queues for number in range(self._workers)]
        self._threads = [self._worker(name, number) for name, number in workers]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Begin no new delivery, and wait at most `timeout` seconds for those in flight. The others are
        delivered after the next start."""
        deadline = time.monotonic() + timeout
        for queue in self._queues.values():
            queue.close()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def pending(self, type: str = "") -> int:
        """How many deliveries are still to be done, those in flight included; of one event type if it is
        given."""
        return self._log.pending(type)

    def history(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
        """See `EventLog.history`."""
        return self._log.history(after, limit)

    def dead_letters(self, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """See `EventLog.dead_letters`."""
        return self._log.dead_letters(after, limit)

    def _worker(self, name: str, number: int) -> threading.Thread:
        title, queue = f"broker-{name}-{number}", self._queues[name]
        return threading.Thread(target=self._deliver_all, args=(queue,), name=title, daemon=True)

    def _matching(self, event: Event) -> list[str]:
        return [trigger.name for trigger in self._triggers if trigger.matches(event)]

    def _enqueue(self, seq: int, names: Iterable[str]) -> None:
        for name in names:
            self._queues[name].put(OpenDelivery(self._now(), seq))

    def _deliver_all(self, queue: DeliveryQueue) -> None:
        while delivery := queue.take():
            try:
                self._deliver(queue.trigger, delivery)
            except Exception:  # the log cannot be written: the delivery stays there, and must stay here, too
                text = "the outcome of event %d at %s could not be stored; it is delivered again"
                _LOG.exception(text, delivery.seq, queue.trigger.name)
                queue.put(replace(delivery, due=self._now() + 1.0))

    def _deliver(self, trigger: Trigger, delivery: OpenDelivery) -> None:
        event = self._log.event(delivery.seq)
        try:
            reply = self._subscribers[trigger.subscriber](event)
            reply = _checked(reply) if reply and not delivery.is_dead_letter else None
        except Exception as error:  # a bug in a subscriber is a failed delivery, as status 500 on a cluster
            self._fail(trigger, delivery, event, error)
            return
        names = self._matching(reply) if reply else []
        self._enqueue(self._log.settle(delivery.seq, trigger.name, reply, names), names)

    def _fail(self, trigger: Trigger, delivery: OpenDelivery, event: Event, error: Exception) -> None:
        attempts = delivery.attempts + 1
        pause = None if isinstance(error, Rejected) else trigger.delivery.pause(attempts)
        unexpected = None if isinstance(error, KnollError) else error
        what = f"{trigger.subscriber} did not take {event.type} {event.id}, attempt {attempts}"
        _LOG.warning("%s: %s", what, error, exc_info=unexpected)
        if pause is None:
            self._bury(trigger.name, trigger.subscriber, trigger.delivery.sink, delivery, error)
            return
        again = OpenDelivery(self._now() + pause, delivery.seq, attempts)
        self._log.postpone(trigger.name, again)
        self._queues[trigger.name].put(again)

    def _bury(
        self, trigger: str, subscriber: str, sink: str, delivery: OpenDelivery, error: Exception
    ) -> None:
        if delivery.is_dead_letter:
            self._log.strand(delivery.seq, trigger)
            return
        letter = dead_letter_event(self._log.event(delivery.seq), subscriber, error)
        names, at = self._ways(sink), self._clock.now().isoformat()
        self._enqueue(self._log.bury(delivery.seq, trigger, sink, letter, at, names), names)

    def _ways(self, sink: str) -> list[str]:
        """Names of the queues of a dead letter with this sink: one, or none."""
        return [name for name in (sink_queue(sink), sink_queue(self._last_sink)) if name in self._queues][:1]

    def _resume(self, name: str, delivery: OpenDelivery) -> None:
        if name in self._queues:
            self._queues[name].put(delivery)
        else:
            self._bury(name, "", "", delivery, Rejected(f"there is no Trigger {name} any more"))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _checked(event: Event) -> Event:
    """The event as it will be read back from the log. Raises InvalidEvent if it could not be."""
    try:
        body = json.dumps(event_to_json(event), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        why = why_unwritable(error)
        raise InvalidEvent(f"the data of {event.type} {event.id} is not JSON: {why}") from error
    if len(body) > EVENT_LIMIT:
        raise InvalidEvent(
            f"{event.type} {event.id} has {len(body):,} bytes; an event may have {EVENT_LIMIT:,}",
            fix="put large data into a bucket, and its URI into the event",
        )
    return event_from_json(json.loads(body))
