"""Where predictions are asked for: our own ASGI application in front of KServe's.

KServe's server reads requests on the event loop, where a large one would hold up health checks, and answers
some faults of clients with 5xx. Here, requests are read and answered in threads.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from starlette.types import ASGIApp, Receive, Scope, Send

from knoll.headers import ALLOW, CONTENT_LENGTH
from knoll.paths import LABELLED, PREDICTED, READ, SERVER
from knoll.predict.answer import Answer, in_json, refusal
from knoll.predict.bins import SHOWN
from knoll.predict.memory_budget import MemoryBudget
from knoll.predict.served import Served
from knoll.predict.work import LONGEST_RUN, ClientGone, Work
from knoll.quoting import escaped
from knoll.request_limits import CLIENT_GONE

__all__ = ["Predictions", "is_feedback", "is_prediction"]


_ASKED = re.compile(
    "|".join(
        path.replace("{model}", f"(?P<{version}>[^/]+)")
        for path, version in zip(PREDICTED, ("v1", "v2"), strict=True)
    )
)
_FEEDBACK = re.compile(LABELLED.replace("{model}", "(?P<v1>[^/]+)"))
_READ = re.compile("|".join((*SERVER, *READ)).replace("{model}", "[^/:]+"))


def is_prediction(scope: Scope) -> bool:
    """Whether the request asks for a prediction."""
    return scope["method"] == "POST" and _ASKED.fullmatch(scope["path"]) is not None


def is_feedback(scope: Scope) -> bool:
    """Whether the request tells true labels."""
    return scope["method"] == "POST" and _FEEDBACK.fullmatch(scope["path"]) is not None


class Predictions:
    """Answers predictions and takes feedback with what is served, and leaves metadata and health to the other
    application."""

    def __init__(self, served: Served, app: ASGIApp, pool: ThreadPoolExecutor, memory: MemoryBudget) -> None:
        self._served, self._app, self._pool, self._memory = served, app, pool, memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        told = _FEEDBACK.fullmatch(path)
        asked = _ASKED.fullmatch(path) or told
        allowed = "POST" if asked else "GET" if _READ.fullmatch(path) else ""
        if not allowed:
            await _send(send, refusal(404, f"there is no path {escaped(path[:200])}"))
        elif scope["method"] != allowed:
            text = f"{escaped(path[:200])} takes {allowed}, not {scope['method']}"
            await _send(send, refusal(405, text), {ALLOW: allowed})
        elif asked and next(filter(None, asked.groups())) != self._served.name:
            await _send(send, refusal(404, f"there is no such model here; this is {self._served.name}"))
        elif asked:
            predict = self._served.predict if asked["v1"] else self._served.infer
            act = self._served.feedback.take if told else predict
            await self._answer(act, scope, receive, send)
        elif path == f"/v1/models/{self._served.name}":
            about = {"name": self._served.name, "ready": True, "example": self._served.example}
            await _send(send, in_json(200, about))
        else:
            await self._app(_bare(scope), receive, send)

    async def _answer(
        self,
        act: Callable[[bytes, Mapping[str, str], Work], Answer],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer in a thread. If the client goes, the work ends at its next check."""
        body, work = (await receive())["body"], Work(self._memory)
        answering = asyncio.get_running_loop().run_in_executor(self._pool, act, body, _headers(scope), work)
        gone = asyncio.ensure_future(receive())
        gone.add_done_callback(lambda _: work.cancel())
        try:
            await _send(send, await answering, {}, **{SHOWN: work.shown})
        except ClientGone:
            gone_answer = refusal(CLIENT_GONE, "the client has gone")
            await _send(send, gone_answer, {}, **{LONGEST_RUN: work.longest_run})
        finally:
            work.cancel()
            work.end()
            gone.cancel()


def _headers(scope: Scope) -> dict[str, str]:
    """Each header once, with all its values."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _bare(scope: Scope) -> Scope:
    """The request by its path alone: KServe's server fails for some queries and some Accept headers."""
    return {**scope, "query_string": b"", "headers": []}


async def _send(send: Send, answer: Answer, more: Mapping[str, str] | None = None, **about: object) -> None:
    """Send it. `about` is for the envelope."""
    headers = {**answer.headers, **(more or {}), CONTENT_LENGTH: str(len(answer.body))}
    encoded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded, **about})
    await send({"type": "http.response.body", "body": answer.body})
