"""The body of one request to a predictor, as it arrives."""

import time

from starlette.types import Message, Receive

from knoll.request_limits import ByteBudget

__all__ = ["Body", "BodyTooLargeError"]


class BodyTooLargeError(Exception):
    """The body is larger than one may be."""


class Body:
    """The body of one request, within the budget of all."""

    def __init__(self, budget: ByteBudget, most: int) -> None:
        self._budget, self._most, self._size = budget, most, 0
        self._parts: list[bytes] = []
        self._started = time.perf_counter()
        self.is_whole = self.is_replay = False

    @property
    def seconds(self) -> float:
        """The time since the head of the request came."""
        return time.perf_counter() - self._started

    async def read(self, receive: Receive) -> None:
        """Read it; it is not whole if the client hangs up meanwhile. Raises Unavailable,
        BodyTooLargeError."""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            part = message.get("body", b"")
            if self._size + len(part) > self._most:
                raise BodyTooLargeError
            self._budget.take(len(part), self._size)
            self._size += len(part)
            self._parts.append(part)
            if not message.get("more_body"):
                self.is_whole = True
                return

    def join(self) -> bytes:
        """All of it."""
        self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def again(self, receive: Receive) -> Receive:
        """A `receive` that gives the body first, and then the message that the client has hung up."""
        messages = [{"type": "http.request", "body": self.join(), "more_body": False}]
        self._parts = []

        async def receive_again() -> Message:
            return messages.pop() if messages else await receive()

        return receive_again

    def let_go(self) -> None:
        """Give its bytes back to the budget."""
        self._budget.give(self._size)
        self._size, self._parts = 0, []
