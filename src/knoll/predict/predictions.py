"""The ASGI application of a predictor: which path takes what, and who answers.

Requests are read and answered in threads: on the event loop, a large one would hold up health checks. What
the predictor says about itself is known beforehand, and answered at once.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from starlette.types import Receive, Scope, Send

from knoll.headers import ALLOW, CONTENT_LENGTH
from knoll.paths import LABELLED, MODEL_INFER, PREDICTED, READ
from knoll.predict.answer import Act, Answer, refusal
from knoll.predict.bins import SHOWN
from knoll.predict.memory_budget import MemoryBudget
from knoll.predict.served import Served
from knoll.predict.work import LONGEST_RUN, ClientGone, Work
from knoll.quoting import escaped
from knoll.request_limits import CLIENT_GONE

__all__ = ["Predictions", "is_feedback", "is_prediction"]

_log = logging.getLogger(__name__)
_ASKED = re.compile(
    "|".join(
        path.replace("{model}", f"(?P<{version}>[^/]+)")
        for path, version in zip(PREDICTED, ("v1", "v2"), strict=True)
    )
)
_FEEDBACK = re.compile(LABELLED.replace("{model}", "(?P<v1>[^/]+)"))
_ABOUT = re.compile("|".join(READ).replace("{model}", "[^/:]+"))


def is_prediction(scope: Scope) -> bool:
    """Whether the request asks for a prediction."""
    path = scope["path"]
    return scope["method"] == "POST" and (path == MODEL_INFER or _ASKED.fullmatch(path) is not None)


def is_feedback(scope: Scope) -> bool:
    """Whether the request tells true labels."""
    return scope["method"] == "POST" and _FEEDBACK.fullmatch(scope["path"]) is not None


class Predictions:
    """Answers predictions and takes feedback with what is served. `about` has answers for GET by path. Those
    of `pages` are made in a thread."""

    def __init__(
        self,
        served: Served,
        pool: ThreadPoolExecutor,
        memory: MemoryBudget,
        about: Mapping[str, Answer],
        pages: Mapping[str, Callable[[], Answer]],
    ) -> None:
        self._served, self._pool, self._memory = served, pool, memory
        self._about, self._pages = about, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        work = Work(self._memory)
        try:
            await _send(send, *await self._ended(scope, receive, work))
        finally:
            work.end()

    async def _ended(self, scope: Scope, receive: Receive, work: Work) -> tuple[Answer, Mapping[str, object]]:
        """An answer in any case, and what the envelope is told."""
        try:
            return await self._answer(scope, receive, work), {SHOWN: work.shown}
        except ClientGone:
            return refusal(CLIENT_GONE, "the client has gone"), {LONGEST_RUN: work.longest_run}
        except Exception:
            _log.exception("a request failed")
            return refusal(500, "the request failed; the log of the predictor says why"), {}

    async def _answer(self, scope: Scope, receive: Receive, work: Work) -> Answer:
        """The answer to any request. Raises ClientGone."""
        path, method = scope["path"], scope["method"]
        told = _FEEDBACK.fullmatch(path)
        asked = _ASKED.fullmatch(path) or told
        allowed = "POST" if asked or path == MODEL_INFER else "GET" if self._is_read(path) else ""
        if not allowed:
            return refusal(404, f"there is no path {escaped(path[:200])}")
        if method != allowed:
            refused = refusal(405, f"{escaped(path[:200])} takes {allowed}, not {method}")
            return replace(refused, headers={**refused.headers, ALLOW: allowed})
        if path in self._about:
            return self._about[path]
        if path in self._pages:
            return await asyncio.to_thread(self._pages[path])
        if path == MODEL_INFER:
            return await self._work(self._served.call, scope, receive, work)
        if asked is None or next(filter(None, asked.groups())) != self._served.name:
            return refusal(404, f"there is no such model here; this is {self._served.name}")
        if told:
            return await self._work(self._served.feedback.take, scope, receive, work)
        predict = self._served.predict if asked["v1"] else self._served.infer
        return await self._work(self._logged(predict), scope, receive, work)

    def _logged(self, predict: Act) -> Act:
        """The same, and the log is told."""
        log = self._served.log
        return predict if log is None or not log.share else partial(log.logged, predict)

    def _is_read(self, path: str) -> bool:
        return path in self._about or path in self._pages or _ABOUT.fullmatch(path) is not None

    async def _work(self, act: Act, scope: Scope, receive: Receive, work: Work) -> Answer:
        """Answer in a thread. If the client goes, the work ends at its next check."""
        body = (await receive())["body"]
        answering = asyncio.get_running_loop().run_in_executor(self._pool, act, body, _headers(scope), work)
        gone = asyncio.ensure_future(receive())
        gone.add_done_callback(lambda _: work.cancel())
        try:
            return await answering
        finally:
            work.cancel()
            gone.cancel()


def _headers(scope: Scope) -> dict[str, str]:
    """Each header once, with all its values."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def _send(send: Send, answer: Answer, about: Mapping[str, object]) -> None:
    """Send it. `about` is for the envelope."""
    headers = {**answer.headers, CONTENT_LENGTH: str(len(answer.body))}
    encoded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded, **about})
    await send({"type": "http.response.body", "body": answer.body})
