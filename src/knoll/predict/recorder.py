"""Recorded requests: a sampled share of the V1 requests that a predictor has answered with 200, reported so
that rollouts can replay them.

Whoever answers a request only puts it down; all else is done in the background. At most MOST_AT_ONCE wait
here, newer ones in the place of older ones, and none once it was reported, or if a report was lost. What is
redacted never leaves the process: the value of the example takes its place. Only inputs of the version are
reported, so nothing else that a client has sent.
"""

import json
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import orjson

from knoll.codecs import example_instance
from knoll.errors import InvalidInstance, KnollError
from knoll.events import PREDICTOR_RECORDED, Event, new_event
from knoll.headers import ATTRIBUTE, COMPARE, CONTENT_TYPE, REPLAY
from knoll.ports import Platform
from knoll.predict.reporting import reporting
from knoll.predict.v1 import read_v1
from knoll.proofs import RECORDED_PURPOSE, prove
from knoll.records.recorded import MOST_OF_ONE, RecordedRequest, claimed
from knoll.records.signature import Signature

__all__ = ["MOST_AT_ONCE", "MOST_OF_A_REPORT", "Recorder", "can_redact", "is_sampled", "recorded_body"]

MOST_AT_ONCE = 20  # requests that wait for the next report
MOST_OF_A_REPORT = 2**19  # bytes, below the 1 MiB that an event may have
_INTERVAL = 10.0  # seconds between two reports
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Answered:
    id: str
    at: int
    body: bytes
    headers: Mapping[str, str]


class Recorder:
    """Threads share it. It records nothing if the settings ask for no share, if the Revision has no key to
    prove its reports, or if the version lacks a field that must be redacted."""

    def __init__(self, model: str, version: str, signature: Signature, platform: Platform) -> None:
        self._model, self._version, self._signature, self._platform = model, version, signature, platform
        settings = platform.settings
        self._redact = settings.recorded_redact
        is_able = bool(settings.revision_key and settings.sink) and can_redact(signature, self._redact)
        self._share = settings.recorded_share if is_able else 0
        self._waiting: deque[_Answered] = deque(maxlen=MOST_AT_ONCE)

    def note(self, id: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Put down a request whose answer has that id, if it is one of the share. Replays and copies of
        requests are none."""
        if not is_sampled(id, self._share) or len(body) > MOST_OF_ONE or {REPLAY, COMPARE} & headers.keys():
            return
        kept = (CONTENT_TYPE, ATTRIBUTE)
        of_event = {name: value for name, value in headers.items() if name.startswith(kept)}
        now = int(self._platform.clock.now().timestamp())
        self._waiting.append(_Answered(id, now, body, of_event))

    def reporting(self) -> AbstractContextManager[None]:
        """Report meanwhile, and for the last time at the end."""
        return reporting(self.send, "recorder", _INTERVAL) if self._share else nullcontext()

    def send(self) -> None:
        """Publish what waits, the newest first, as far as one event takes it."""
        requests = [*self._take_waiting()]
        if not requests:
            return
        try:
            self._platform.events.publish(self._event(requests))
        except KnollError as error:
            _log.warning("%d recorded requests were lost: %s", len(requests), error)

    def _take_waiting(self) -> Iterator[RecordedRequest]:
        left = MOST_OF_A_REPORT
        with suppress(IndexError):
            while True:
                one = self._waiting.pop()
                body = recorded_body(one.body, one.headers, self._signature, self._redact)
                size = len(json.dumps(body))
                if body and size <= left:
                    left -= size
                    facts = self._model, self._version, one.id, one.at, body
                    yield RecordedRequest(*facts, redacted=self._redact)

    def _event(self, requests: Sequence[RecordedRequest]) -> Event:
        settings, now = self._platform.settings, self._platform.clock.now()
        data = {
            "model": self._model,
            "version": self._version,
            "redacted": list(self._redact),
            "requests": [{"id": one.id, "at": one.at, "body": one.body} for one in requests],
            "proof": prove(settings.revision_key, RECORDED_PURPOSE, claimed(requests)),
        }
        return new_event(PREDICTOR_RECORDED, source=settings.source, time=now, subject=self._model, data=data)


def is_sampled(id: str, share: int) -> bool:
    """Whether a request is one of that percentage of all: its id alone decides, 16 random digits in hex."""
    return share > 0 and int(id[:8], 16) * 100 < share << 32


def recorded_body(
    body: bytes, headers: Mapping[str, str], signature: Signature, redact: Sequence[str]
) -> str:
    """The V1 request with the inputs of the signature alone, and those of `redact` as in the example of the
    signature; "" if it is none or too long."""
    try:
        instances = read_v1(body, headers, signature, lambda _: None).instances
        kept = instances if len(signature.inputs) == 1 else _redacted(instances, signature, redact)
        text = orjson.dumps({"instances": kept}).decode()
    except (InvalidInstance, ValueError, TypeError, LookupError, RecursionError):
        return ""
    return text if len(text.encode()) <= MOST_OF_ONE else ""


def _redacted(instances: Sequence[Any], signature: Signature, redact: Sequence[str]) -> list[Any]:
    neutral: Mapping[str, Any] = example_instance(signature) if redact else {}
    names = [one.name for one in signature.inputs]
    return [{name: (neutral if name in redact else one)[name] for name in names} for one in instances]


def can_redact(signature: Signature, redact: Sequence[str]) -> bool:
    """Whether each field of `redact` is one of several inputs, with a neutral value; the log says if not.
    Pictures and tensors that are a whole request have no fields."""
    names = {one.name for one in signature.inputs} if len(signature.inputs) > 1 else set()
    is_able = not redact or (names >= {*redact} and example_instance(signature) is not None)
    if not is_able:
        _log.warning("no request is recorded: this version has no inputs %s to redact", ", ".join(redact))
    return is_able
