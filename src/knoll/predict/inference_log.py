"""The inference log: requests and their answers as CloudEvents with the types and extensions of KServe's
logger. The predictor itself sends them to the broker, so a start waits for no second container.

Whoever answers a request only puts it down; all else is done in the background. What finds no room, is too
large for an event, or is not taken by the broker is lost, and counted: the log never slows down an answer.
What a Model redacts is in no event: the value of the example takes its place.
"""

import hashlib
import logging
import re
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from knoll.errors import KnollError
from knoll.events import INFERENCE_REQUEST, INFERENCE_RESPONSE, Event, RawData
from knoll.headers import ATTRIBUTE, COMPARE, CONTENT_TYPE, LENGTH_OF_JSON, PREDICTION, REPLAY, REQUEST_ID
from knoll.media_types import ANY_BYTES, JSON, TEXT
from knoll.ports import Platform
from knoll.predict.answer import Act, Answer
from knoll.predict.recorder import can_redact, is_sampled, recorded_body
from knoll.predict.reporting import reporting
from knoll.predict.texts import is_plain
from knoll.predict.work import Work
from knoll.records.signature import Signature

__all__ = ["MOST_LOGGED", "MOST_OF_A_BODY", "InferenceLog"]

MOST_LOGGED = 1000  # requests that wait, with their answers
MOST_OF_A_BODY = 2**19  # bytes, below the 1 MiB that an event may have
_MOST_BYTES = 16 * 2**20  # of all that wait
_INTERVAL = 0.1  # seconds between two looks for what waits
_ENDS = ("sent", "full", "large", "lost", "unredacted")
_ODD = re.compile(r'[^\x21-\x7e]|["%]')  # what headers of events must encode
_LONGEST_ID = 200  # characters
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Exchange:
    id: str
    at: datetime
    body: bytes
    headers: Mapping[str, str]
    answer: Answer

    @property
    def size(self) -> int:
        return len(self.body) + len(self.answer.body)


class InferenceLog:
    """Threads share it. `share` is the percentage of requests that it takes: none without a sink, or if the
    version lacks a field that must be redacted. `counts` says what became of them."""

    def __init__(self, model: str, version: str, signature: Signature, platform: Platform) -> None:
        self._model, self._version, self._signature, self._platform = model, version, signature, platform
        settings = platform.settings
        self._redact = settings.recorded_redact
        is_able = bool(settings.sink and settings.log_share) and can_redact(signature, self._redact)
        self.share = settings.log_share if is_able else 0
        self.counts = dict.fromkeys(_ENDS, 0)
        self._lock, self._waiting, self._held = Lock(), deque[_Exchange](), 0

    def logged(self, act: Act, body: bytes, headers: Mapping[str, str], work: Work) -> Answer:
        """The answer of `act`; if it is a good one of the share, it is put down. Replays and copies of
        requests are not."""
        answer = act(body, headers, work)
        id = _id_of(headers)
        if answer.status != 200 or not is_sampled(_hash_of(id), self.share):
            return answer
        if not {REPLAY, COMPARE} & headers.keys():
            self._put_down(_Exchange(id, self._platform.clock.now(), body, headers, answer))
        return answer

    def reporting(self) -> AbstractContextManager[None]:
        """Send meanwhile, and for the last time at the end."""
        return reporting(self.send, "inference-log", _INTERVAL) if self.share else nullcontext()

    def send(self) -> None:
        """Publish all that waits, the oldest first."""
        for one in iter(self._next, None):
            try:
                events = [*self._events(one)]
                for event in events:
                    self._platform.events.publish(event)
                ended = "sent" if events else "unredacted"
            except KnollError as error:
                ended = "lost"
                _log.warning("a request is not in the inference log: %s", error)
            with self._lock:
                self.counts[ended] += 1

    def _put_down(self, one: _Exchange) -> None:
        is_large = max(len(one.body), len(one.answer.body)) > MOST_OF_A_BODY
        with self._lock:
            has_room = len(self._waiting) < MOST_LOGGED and self._held + one.size <= _MOST_BYTES
            if has_room and not is_large:
                self._waiting.append(one)
                self._held += one.size
            else:
                self.counts["large" if is_large else "full"] += 1

    def _next(self) -> _Exchange | None:
        with self._lock:
            if not self._waiting:
                return None
            one = self._waiting.popleft()
            self._held -= one.size
            return one

    def _events(self, one: _Exchange) -> Iterator[Event]:
        """Both, as far as they are wanted; none if the request cannot be redacted."""
        asked = RawData(one.body, _type_of(one.headers, self._signature))
        if self._redact:
            body = recorded_body(one.body, one.headers, self._signature, self._redact)
            asked = RawData(body.encode(), JSON)
        answered = RawData(one.answer.body, one.answer.headers.get(CONTENT_TYPE, ANY_BYTES))
        mode = self._platform.settings.log_mode
        if asked.body and mode != "response":
            yield self._event(one, INFERENCE_REQUEST, "request", asked)
        if asked.body and mode != "request":
            yield self._event(one, INFERENCE_RESPONSE, "response", answered)

    def _event(self, one: _Exchange, type: str, side: str, data: RawData) -> Event:
        """KServe gives both events the id of the request. Source and id together must be unique, so each side
        has a source of its own."""
        settings = self._platform.settings
        extensions = {
            "inferenceservicename": self._model,
            "namespace": settings.namespace,
            "component": "predictor",
            "endpoint": settings.revision,
            "modelversion": self._version,
            "predictionid": one.answer.headers.get(PREDICTION, ""),
        }
        source = f"{settings.source}/{self._model}/{side}"
        said = {name: value for name, value in extensions.items() if value}
        return Event(one.id, source, type, one.at.isoformat(), self._model, data, said)


def _id_of(headers: Mapping[str, str]) -> str:
    """The id that the client or a proxy has given to the request, as an event may have it; else a new one."""
    named = headers.get(ATTRIBUTE + "id") or headers.get(REQUEST_ID) or ""
    return _ODD.sub("_", named)[:_LONGEST_ID] or str(uuid.uuid4())


def _hash_of(id: str) -> str:
    return hashlib.sha256(id.encode()).hexdigest()


def _type_of(headers: Mapping[str, str], signature: Signature) -> str:
    """What a body is that was read, whatever its client calls it: `curl -d` says that it is a form."""
    if LENGTH_OF_JSON in headers:
        return ANY_BYTES
    return TEXT if is_plain(headers, signature) else JSON
