"""The deployable functions, as they answer HTTP: one table of handlers for Knative and the laptop alike.

An answer is 204, 200 with a CloudEvent, 422 or 503, and nothing else: whatever else a function says, the
broker would take for a fault and deliver again.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from flask import Request
from flask import Response as FlaskResponse

from knoll.dead_letters import handler as dead_letters
from knoll.dead_letters.replay import replay_wanted
from knoll.errors import InvalidEvent, Rejected, Unavailable, act_on_each
from knoll.events import Event, read_json
from knoll.events.http import Response, event_from_http, is_event, is_structured, respond
from knoll.ingest import handler as ingest
from knoll.ingest.notifications import receive
from knoll.ports import Handler, Platform
from knoll.rollout import handler as rollout
from knoll.settings import Settings, read_settings
from knoll.train import handler as train

__all__ = ["HANDLERS", "Function", "answer", "sweep"]

_LOG = logging.getLogger(__name__)
_ARRIVAL = "knativearrivaltime"


def sweep(event: Event, platform: Platform) -> Event | None:
    """Ask every stage to do what a lost event left undone; a stage that cannot now does not stop the others.

    A tick is never wrong: what is, lies in the store, and people hear of it.
    """
    try:
        act_on_each((ingest.sweep, train.sweep, rollout.sweep, _replay), lambda stage: stage(event, platform))
    except Rejected as error:
        _LOG.error("a sweep cannot do all it should: %s", error)
    return None


def _replay(_: Event, platform: Platform) -> None:
    """Publish the dead letters that somebody wants replayed; only ingest takes what is no event."""
    replay_wanted(platform, lambda headers, body: _read(headers, body, platform))


HANDLERS: Mapping[str, Handler] = {
    "ingest": ingest.handle,
    "train": train.handle,
    "rollout": rollout.handle,
    "sweep": sweep,
}


def answer(name: str, headers: Mapping[str, str], body: bytes, platform: Platform) -> Response:
    """What the function `name` answers to one POST."""
    if name == "dead-letters":
        return respond(lambda: _keep(headers, body, platform))
    if name == "ingest":
        return respond(lambda: _ingest(headers, body, platform))
    return respond(lambda: HANDLERS[name](event_from_http(headers, body), platform))


class Function:
    """One function as a process of its own, which answers Flask's requests and the health paths that Knative
    and func probe.

    `make` makes its platform, with the first request that finds the world ready for it.
    """

    def __init__(self, name: str, make: Callable[[Settings], Platform]) -> None:
        self._name, self._make = name, make
        self._lock = threading.Lock()
        self._platform: Platform | None = None

    def __call__(self, request: Request) -> FlaskResponse:
        """Answer one request."""
        if request.method == "GET" and request.path.startswith("/health/"):
            return FlaskResponse(status=200)
        if request.method == "OPTIONS" and self._name == "ingest":
            return FlaskResponse(
                status=200, headers=_consent(request.headers.get("WebHook-Request-Origin", ""))
            )
        try:
            platform = self._made()
        except Unavailable as error:
            return FlaskResponse(str(error), 503)
        answered = answer(self._name, dict(request.headers), request.get_data(), platform)
        return FlaskResponse(answered.body, answered.status, headers=dict(answered.headers))

    def _made(self) -> Platform:
        with self._lock:
            if self._platform is None:
                self._platform = self._make(read_settings())
            return self._platform


def _consent(origin: str) -> Mapping[str, str]:
    """Headers that let a cloud send events here: section 4 of the CloudEvents HTTP webhook specification."""
    return {
        "Allow": "POST",
        **({"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"} if origin else {}),
    }


def _ingest(headers: Mapping[str, str], body: bytes, platform: Platform) -> Event | None:
    """Read a notification or an event; one that is refused becomes a dead letter here, unless a broker
    brought it, which sees to that."""
    try:
        return _read(headers, body, platform)
    except InvalidEvent as error:
        if not _came_through_broker(headers, body):
            dead_letters.keep_body(headers, body, str(error), platform, meant_for="ingest")
        raise


def _read(headers: Mapping[str, str], body: bytes, platform: Platform) -> Event | None:
    if is_event(headers):
        return HANDLERS["ingest"](event_from_http(headers, body), platform)
    receive(body, platform)
    return None


def _came_through_broker(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the event carries the time at which a broker of Knative took it in; stores and clouds have no
    dead-letter sink."""
    if not is_structured(headers):
        return any(name.lower() == f"ce-{_ARRIVAL}" for name in headers)
    with suppress(InvalidEvent):
        document = read_json(body, "the event")
        return isinstance(document, dict) and _ARRIVAL in document
    return False


def _keep(headers: Mapping[str, str], body: bytes, platform: Platform) -> None:
    """Keep a dead letter, be it an event or not."""
    try:
        event = event_from_http(headers, body)
    except InvalidEvent as error:
        dead_letters.keep_body(headers, body, str(error), platform)
    else:
        dead_letters.handle(event, platform)
