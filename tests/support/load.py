"""Clients that ask a model all the time, over connections that stay open, and each answer that they got."""

import base64
import http.client
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from types import MappingProxyType
from urllib.parse import urlsplit

from knoll.headers import DIGEST, VERSION
from knoll.paths import predict_path

__all__ = ["Answered", "Load", "Question", "ask", "asking", "questions"]

_PATIENCE = 60.0  # seconds
_LONGEST_PAUSE = 2.0  # seconds without a request: servers close what is idle for five
_JSON = MappingProxyType({"content-type": "application/json"})


@dataclass(frozen=True)
class Question:
    """The body of a V1 request, and the label that is the right answer."""

    body: bytes
    label: str


@dataclass(frozen=True)
class Answered:
    """One request: when it was sent, in seconds since the epoch, and what came back. The status is 0 without
    an answer; `fault` says why it was not the right one."""

    sent: float
    status: int
    version: str = ""
    digest: str = ""
    fault: str = ""


@dataclass
class Load:
    """All that was answered so far, in the order of the answers. All threads together send `rate` requests a
    second, or fewer if the answers take longer."""

    rate: float
    answered: list[Answered] = field(default_factory=list)


def questions(pictures: Iterable[tuple[bytes, str]]) -> list[Question]:
    """Questions about pictures with their labels."""
    return [
        Question(json.dumps({"instances": [{"b64": base64.b64encode(body).decode()}]}).encode(), label)
        for body, label in pictures
    ]


@contextmanager
def asking(
    url: str, model: str, asked: Sequence[Question], rate: float, threads: int = 4, host: str = ""
) -> Iterator[Load]:
    """Ask these questions in turn while the block runs. `host` is for a gateway that goes by it."""
    headers = {**_JSON, **({"host": host} if host else {})}
    load, over = Load(rate), threading.Event()

    def ask_on(first: int) -> None:
        used = due = time.monotonic()
        connection = _connection(url)
        for question in cycle([*asked[first:], *asked[:first]]):
            due = max(due + threads / load.rate, time.monotonic() - 1)
            if over.wait(due - time.monotonic()):
                connection.close()
                return
            if time.monotonic() - used > _LONGEST_PAUSE:
                connection.close()  # the next request opens it again
            load.answered.append(ask(connection, model, question, headers))
            used = time.monotonic()

    workers = [threading.Thread(target=ask_on, args=(one % len(asked),)) for one in range(threads)]
    for one in workers:
        one.start()
    try:
        yield load
    finally:
        over.set()
        for one in workers:
            one.join(_PATIENCE)


def ask(
    connection: http.client.HTTPConnection, model: str, question: Question, headers: Mapping[str, str] = _JSON
) -> Answered:
    """Send one request; without an answer the connection is closed."""
    sent = time.time()
    try:
        connection.request("POST", predict_path(model), question.body, headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return Answered(sent, 0, fault=repr(error))
    fault = _fault(answer.status, body, question)
    return Answered(sent, answer.status, answer.headers[VERSION] or "", answer.headers[DIGEST] or "", fault)


def _fault(status: int, body: bytes, question: Question) -> str:
    if status != 200:
        return body[:200].decode(errors="replace")
    label = json.loads(body)["predictions"][0]["label"]
    return "" if label == question.label else f"{label} instead of {question.label}"


def _connection(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE)
