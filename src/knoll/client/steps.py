"""A request of a client, and what came of it, as steps that an edge takes: one blocks, another awaits.

A generator yields each step and gets what came of it. So what is sent, and when it is sent again, is decided
in one place, without an HTTP library and without a clock of its own.
"""

import random
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from itertools import count
from numbers import Real
from typing import Any, Generic, TypeVar

from knoll.client.retries import pause_before_retry
from knoll.errors import Rejected
from knoll.headers import CONTENT_TYPE
from knoll.media_types import GRPC
from knoll.quoting import shown

__all__ = ["Call", "Deadline", "Done", "Heard", "Patience", "Pause", "Steps", "Try", "answer_to", "next_step"]

_T = TypeVar("_T")
_LEAST = 0.001  # seconds of a try
_MOST = 1e6  # seconds: sockets know no longer time-out


@dataclass(frozen=True)
class Call:
    """A request to a path below the URL of a platform. The body of a call of gRPC is its message."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_of_grpc(self) -> bool:
        """Whether it goes by gRPC."""
        return self.headers.get(CONTENT_TYPE) == GRPC


@dataclass(frozen=True)
class Heard:
    """What came of a request: status, headers with names in lower case, and body. The status is 0 if there is
    no whole answer; then the body says why, `was_sent` whether the request may have arrived, and `has_begun`
    whether an answer began. By gRPC, `code` is what was said in place of the status."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    was_sent: bool = True
    has_begun: bool = True
    code: str = ""


@dataclass(frozen=True)
class Try:
    """Send the call; its answer may take so many seconds. Its result is a `Heard`."""

    call: Call
    seconds: float


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Patience:
    """How many seconds all tries and pauses may take, and where time and chance come from. Raises Rejected if
    the seconds are no number, or too small or too large a one."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        given = self.seconds
        if isinstance(given, bool) or not isinstance(given, Real) or not _LEAST <= given <= _MOST:
            wanted = f"must be seconds: a number from {_LEAST:g} to {_MOST:,.0f}"
            raise Rejected(f"the timeout is {shown(given)}, and {wanted}", fix="leave it out for 60 s")

    def deadline(self) -> "Deadline":
        """The patience, as it begins to end."""
        return Deadline(self.clock() + self.seconds, self)


@dataclass(frozen=True)
class Deadline:
    """The time by the clock of a patience at which that ends."""

    at: float
    patience: Patience

    @property
    def left(self) -> float:
        """The seconds until then."""
        return self.at - self.patience.clock()


@dataclass(frozen=True)
class Done(Generic[_T]):
    """No step is left; this is the result of all."""

    value: _T


Steps = Generator[Try | Pause, Any, _T]


def next_step(steps: Steps[_T], heard: Heard | None) -> Try | Pause | Done[_T]:
    """The next step after the result of the last one. Raises what the steps raise."""
    try:
        return steps.send(heard)
    except StopIteration as end:
        return Done(end.value)


def answer_to(call: Call, deadline: Deadline) -> Steps[Heard]:
    """The answer, after as many tries as `retries` allows until the deadline. The last one may be no
    answer."""
    for tries in count(1):
        heard: Heard = yield Try(call, max(deadline.left, _LEAST))
        pause = pause_before_retry(heard, tries, deadline.left, deadline.patience.chance())
        if pause is None:
            return heard
        yield Pause(pause)
    raise AssertionError("unreachable")
