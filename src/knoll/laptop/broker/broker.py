"""The broker: takes an event, and brings it to every subscriber whose Trigger wants it, at least once.

What Knative's broker does on a cluster, in one process: the event log is the truth, the queues here are its
image in memory, rebuilt at start. Each Trigger has workers of its own, so a slow subscriber delays nobody
else. Workers sleep until an event comes or a retry is due.

A dead-letter sink that is a subscriber here has a queue as a Trigger has one, which no event matches and no
dead letter leaves for another. What a sink did not take is brought to it again at the next start.
"""

import heapq
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from knoll.errors import InvalidEvent, KnollError, Rejected, Unavailable
from knoll.events import Event, event_from_json, event_to_json
from knoll.laptop.broker.event_log import DeadLetter, EventLog, Open
from knoll.laptop.broker.triggers import Trigger
from knoll.ports import Clock

__all__ = ["Broker", "Subscriber"]

Subscriber = Callable[[Event], Event | None]

_logger = logging.getLogger(__name__)
_LONGEST_WAIT = 30.0  # seconds, then look at the clock again: a machine that sleeps does not count the time
# seconds beyond a Trigger's longest pause; what is due later still was put off before the clock was set back
_SLACK = 2.0
_ERROR_BYTES = 1024  # knativeerrordata is cut there, as Knative does


class Broker:
    """`ports.Events` with Triggers behind it. `subscribers` are by the name that a Trigger's subscriber
    refers to, such as knoll-train.

    A subscriber's reply is published in the transaction that ends the delivery. Rejected makes a dead letter
    at once; any other exception is tried again by the Trigger's delivery. A dead letter is brought to its
    sink by `DEFAULT_DELIVERY` when that is one of `subscribers`, else to `last_sink`; it is kept when that is
    none either, or refuses it, and a sink's reply is dropped, as Knative does. Raises Rejected when a
    Trigger's subscriber is not there.
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
        routes = (*self._triggers, *(Trigger(name=_to_sink(sink), subscriber=sink) for sink in sinks))
        self._queues = {route.name: _Queue(route, clock) for route in routes}
        missing = {route.subscriber for route in routes} - set(subscribers)
        if missing:
            raise Rejected(f"Triggers name subscribers that are not there: {', '.join(sorted(missing))}")
        self._log = EventLog(path, keep=keep)
        self._subscribers, self._clock, self._workers = subscribers, clock, workers
        self._threads: list[threading.Thread] = []

    def publish(self, event: Event) -> None:
        """See `ports.Events.publish`."""
        event = _checked(event)
        names = self._matching(event)
        self._enqueue(self._log.append(event, names), names)

    def start(self) -> None:
        """Deliver what the log holds, and from then on what is published."""
        for queue in self._queues.values():
            queue.open()
        for seq, sink in self._log.stranded():
            for name in self._ways(sink):
                self._log.bring(seq, name)
        for name, deliveries in self._log.open().items():
            for delivery in deliveries:
                self._resume(name, delivery)
        self._threads = [
            threading.Thread(
                target=self._deliver_all, args=(queue,), name=f"broker-{name}-{number}", daemon=True
            )
            for name, queue in self._queues.items()
            for number in range(self._workers)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Begin no new delivery and wait for those in flight, at most `timeout` seconds; what is left is
        delivered after `start`."""
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

    def _matching(self, event: Event) -> list[str]:
        return [trigger.name for trigger in self._triggers if trigger.matches(event)]

    def _enqueue(self, seq: int, names: Iterable[str]) -> None:
        for name in names:
            self._queues[name].put(Open(self._now(), seq))

    def _deliver_all(self, queue: "_Queue") -> None:
        while delivery := queue.take():
            try:
                self._deliver(queue.trigger, delivery)
            except (
                Exception
            ):  # the log cannot be written; the delivery is still in it, and must not be lost here either
                _logger.exception(
                    "the outcome of event %d at %s was not stored; it is delivered again",
                    delivery.seq,
                    queue.trigger.name,
                )
                queue.put(replace(delivery, due=self._now() + 1.0))

    def _deliver(self, trigger: Trigger, delivery: Open) -> None:
        event = self._log.event(delivery.seq)
        try:
            reply = self._subscribers[trigger.subscriber](event)
            reply = _checked(reply) if reply and not delivery.is_dead_letter else None
        except (
            Exception
        ) as error:  # a bug in a subscriber is a failed delivery, as an answer of 500 is on a cluster
            self._fail(trigger, delivery, event, error)
            return
        names = self._matching(reply) if reply else []
        self._enqueue(self._log.settle(delivery.seq, trigger.name, reply, names), names)

    def _fail(self, trigger: Trigger, delivery: Open, event: Event, error: Exception) -> None:
        attempts = delivery.attempts + 1
        pause = None if isinstance(error, Rejected) else trigger.delivery.pause(attempts)
        unexpected = None if isinstance(error, KnollError) else error
        _logger.warning(
            "%s did not take %s %s, attempt %d: %s",
            trigger.subscriber,
            event.type,
            event.id,
            attempts,
            error,
            exc_info=unexpected,
        )
        if pause is None:
            self._bury(trigger.name, trigger.subscriber, trigger.delivery.sink, delivery, error)
            return
        again = Open(self._now() + pause, delivery.seq, attempts)
        self._log.postpone(trigger.name, again)
        self._queues[trigger.name].put(again)

    def _bury(self, trigger: str, subscriber: str, sink: str, delivery: Open, error: Exception) -> None:
        if delivery.is_dead_letter:
            self._log.leave(delivery.seq, trigger)
            return
        event = self._log.event(delivery.seq)
        letter = replace(event, extensions={**event.extensions, **_error_extensions(subscriber, error)})
        names = self._ways(sink)
        self._enqueue(
            self._log.bury(delivery.seq, trigger, sink, letter, self._clock.now().isoformat(), names), names
        )

    def _ways(self, sink: str) -> list[str]:
        """Names of the queues of a dead letter with this sink: one, or none."""
        return [name for name in (_to_sink(sink), _to_sink(self._last_sink)) if name in self._queues][:1]

    def _resume(self, name: str, delivery: Open) -> None:
        if name in self._queues:
            self._queues[name].put(delivery)
        else:
            self._bury(name, "", "", delivery, Rejected(f"there is no Trigger {name} any more"))

    def _now(self) -> float:
        return self._clock.now().timestamp()


class _Queue:
    """The open deliveries of one Trigger, the first due first. While it is closed it takes none: they are in
    the log."""

    def __init__(self, trigger: Trigger, clock: Clock) -> None:
        self.trigger = trigger
        self._clock = clock
        self._longest_pause = (trigger.delivery.pause(trigger.delivery.retry) or 0.0) + _SLACK
        self._heap: list[Open] = []
        self._queued: set[int] = set()
        self._is_open = False
        self._changed = threading.Condition()

    def put(self, delivery: Open) -> None:
        with self._changed:
            if self._is_open and delivery.seq not in self._queued:
                self._queued.add(delivery.seq)
                heapq.heappush(self._heap, delivery)
                self._changed.notify()

    def take(self) -> Open | None:
        """The next delivery, as soon as it is due; None when the queue is closed."""
        with self._changed:
            while self._is_open:
                wait = self._heap[0].due - self._clock.now().timestamp() if self._heap else None
                if wait is not None and not 0 < wait <= self._longest_pause:
                    self._queued.remove(self._heap[0].seq)
                    return heapq.heappop(self._heap)
                self._changed.wait(None if wait is None else min(wait, _LONGEST_WAIT))
        return None

    def open(self) -> None:
        with self._changed:
            self._is_open = True

    def close(self) -> None:
        with self._changed:
            self._is_open = False
            self._heap.clear()
            self._queued.clear()
            self._changed.notify_all()


def _to_sink(sink: str) -> str:
    """Name of the queue of a dead-letter sink; the slash keeps it apart from every Trigger's."""
    return f"dead-letters/{sink}"


def _checked(event: Event) -> Event:
    """The event as it will be read back. Raises InvalidEvent: what could not be read again must not get into
    the log."""
    try:
        body = json.dumps(event_to_json(event), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidEvent(f"the data of {event.type} {event.id} is not JSON: {error}") from error
    return event_from_json(json.loads(body))


def _error_extensions(subscriber: str, error: Exception) -> dict[str, str]:
    """Knative's three extensions. Of an unexpected exception only the name is told: its text may hold what
    nobody should read."""
    text = str(error) if isinstance(error, KnollError) else type(error).__name__
    code = 422 if isinstance(error, Rejected) else 503 if isinstance(error, Unavailable) else 500
    line = "".join(character if character.isprintable() else " " for character in text)
    return {
        "knativeerrordest": subscriber,
        "knativeerrorcode": str(code),
        "knativeerrordata": line.encode()[:_ERROR_BYTES].decode(errors="ignore"),
    }
