"""Open deliveries: events that a subscriber still has to take, each with the time when it is due."""

import heapq
import threading
from dataclasses import dataclass

from knoll.laptop.broker.triggers import Trigger
from knoll.ports import Clock

__all__ = ["DeliveryQueue", "OpenDelivery"]

_LONGEST_WAIT = 30.0  # seconds, then look at the clock again: a machine that sleeps does not count the time
_SLACK = 2.0  # seconds beyond a Trigger's longest pause


@dataclass(frozen=True, order=True)
class OpenDelivery:
    """A delivery that is still to be done: when it is due (Unix seconds), the event's number, and how often
    it was tried."""

    due: float
    seq: int
    attempts: int = 0

    @property
    def is_dead_letter(self) -> bool:
        """Whether it brings a dead letter to its sink."""
        return self.seq < 0


class DeliveryQueue:
    """The open deliveries of one Trigger, the first due first. While it is closed it takes none: they are in
    the log."""

    def __init__(self, trigger: Trigger, clock: Clock) -> None:
        self.trigger = trigger
        self._clock = clock
        self._longest_pause = (trigger.delivery.pause(trigger.delivery.retry) or 0.0) + _SLACK
        self._heap: list[OpenDelivery] = []
        self._queued: set[int] = set()
        self._is_open = False
        self._changed = threading.Condition()

    def put(self, delivery: OpenDelivery) -> None:
        """Add a delivery, unless the same event waits here already."""
        with self._changed:
            if self._is_open and delivery.seq not in self._queued:
                self._queued.add(delivery.seq)
                heapq.heappush(self._heap, delivery)
                self._changed.notify()

    def take(self) -> OpenDelivery | None:
        """The next delivery, as soon as it is due; None when the queue is closed."""
        with self._changed:
            while self._is_open:
                wait = self._heap[0].due - self._clock.now().timestamp() if self._heap else None
                # if it is due later than any pause allows, the clock has been set back since
                if wait is not None and not 0 < wait <= self._longest_pause:
                    self._queued.remove(self._heap[0].seq)
                    return heapq.heappop(self._heap)
                self._changed.wait(None if wait is None else min(wait, _LONGEST_WAIT))
        return None

    def open(self) -> None:
        """Take deliveries from now on."""
        with self._changed:
            self._is_open = True

    def close(self) -> None:
        """Forget all deliveries, and wake all callers of `take`."""
        with self._changed:
            self._is_open = False
            self._heap.clear()
            self._queued.clear()
            self._changed.notify_all()
