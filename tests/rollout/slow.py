"""A world in which predictors answer slowly, and in which a call of rollout may be killed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from knoll.events import ROLLOUT_CONTINUED, Event
from knoll.ports import PredictAnswer, PredictRequest
from knoll.rollout import handler
from rollout.world import Replays, World


class Killed(BaseException):
    """The end of a process."""


def _nothing(_: int) -> None:
    """No fault."""


@dataclass
class Slow(Replays):
    """Each answer of the candidate takes `seconds`, and of the champion v000001 `beside`; `before` sees the
    number of each request to the candidate, from 0."""

    world: World | None = None
    seconds: float = 5.0
    beside: float = 0.0
    sent: int = 0
    before: Callable[[int], None] = _nothing

    def predict(self, request: PredictRequest) -> PredictAnswer:
        assert self.world is not None
        if request.url.endswith("v000001"):
            return self._after(self.beside, request)
        number, self.sent = self.sent, self.sent + 1
        self.before(number)
        return self._after(self.seconds, request)

    def _after(self, seconds: float, request: PredictRequest) -> PredictAnswer:
        assert self.world is not None
        self.world.time.move(min(seconds, request.seconds))
        if seconds > request.seconds:
            return PredictAnswer(0, request.seconds, b"no answer", "text/plain", "")
        return super().predict(request)


def live_through(world: World, is_over: Callable[[], bool]) -> list[float]:
    """Ticks come, and each event wakes rollout, until that is over; the seconds of each call."""
    passes, heard = [], len(world.sink.taken)

    def take(call: Callable[[], object]) -> None:
        began = world.time.present
        with suppress(Killed):
            call()
        passes.append((world.time.present - began).total_seconds())
        world.kserve()

    for _ in range(60):
        if is_over():
            return passes
        take(lambda: handler.sweep(Event("tick", "/test", "dev.knoll.tick", ""), world.platform))
        while heard < len(world.sink.taken):
            event = world.sink.taken[heard]
            heard += 1
            if event.type == ROLLOUT_CONTINUED:
                take(lambda event=event: handler.handle(event, world.platform))  # type: ignore[misc]
        world.time.move(30)
    raise AssertionError("it does not end")
