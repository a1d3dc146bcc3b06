"""The deployable functions: one table of stages, for Knative and the laptop alike.

A function answers 204, 200 with a CloudEvent, 422 or 503. A broker takes any other answer for a fault and
delivers again.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from flask import Request
from flask import Response as FlaskResponse

from knoll.dead_letters import handler as dead_letters
from knoll.errors import Unavailable
from knoll.events import Event
from knoll.events.http import Response, respond
from knoll.ingest import handler as ingest
from knoll.ports import Platform
from knoll.rollout import handler as rollout
from knoll.settings import Settings, read_settings
from knoll.train import handler as train
from knoll.wiring import sweep

__all__ = ["STAGES", "Function", "Stage", "answer"]

Headers = Mapping[str, str]


class Stage(Protocol):
    """A module that does the work of a function."""

    def handle(self, event: Event, platform: Platform, /) -> Event | None:
        """Act on one event, and return the event that follows from it. Raises Rejected for never, Unavailable
        for later."""

    def receive(self, headers: Headers, body: bytes, platform: Platform, /) -> Event | None:
        """Do the same for one POST."""


# by the name of the Knative Service behind "knoll-", to which Triggers refer
STAGES: Mapping[str, Stage] = {
    "ingest": ingest,
    "notifications": ingest,
    "train": train,
    "rollout": rollout,
    "sweep": sweep,
    "dead-letters": dead_letters,
}


def answer(name: str, headers: Headers, body: bytes, platform: Platform) -> Response:
    """What the function `name` answers to one POST."""
    return respond(lambda: STAGES[name].receive(headers, body, platform))


class Function:
    """One function in a process of its own, which answers Flask's requests, and the health paths that Knative
    and func probe.

    `make` makes its platform at the first request, and again until it succeeds. `options` gives the headers
    that answer an OPTIONS request with those headers.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[Settings], Platform],
        options: Callable[[Headers], Headers] | None = None,
    ) -> None:
        self._name, self._make, self._options = name, make, options
        self._lock = threading.Lock()
        self._made: Platform | None = None

    def __call__(self, request: Request) -> FlaskResponse:
        """Answer one request."""
        headers = dict(request.headers)
        if request.method == "GET" and request.path.startswith("/health/"):
            return FlaskResponse(status=200)
        if request.method == "OPTIONS" and self._options:
            return FlaskResponse(status=200, headers=dict(self._options(headers)))
        try:
            platform = self._platform()
        except Unavailable as error:
            return FlaskResponse(str(error), 503)
        answered = answer(self._name, headers, request.get_data(), platform)
        return FlaskResponse(answered.body, answered.status, headers=dict(answered.headers))

    def _platform(self) -> Platform:
        with self._lock:
            if self._made is None:
                self._made = self._make(read_settings())
            return self._made
