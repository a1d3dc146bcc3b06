"""One request from its client to the Revision that was chosen, and a copy of it to another one."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from knoll.errors import InvalidInstance, Unavailable
from knoll.headers import PREDICTION, REQUEST_TIMEOUT, RETRY_AFTER
from knoll.http_connection.deadline import seconds_in, too_late
from knoll.paths import FEEDBACK, MODEL_INFER
from knoll.request_limits import ARRIVES_WITHIN, CLIENT_GONE, COUNTED_BEFORE, RETRY_SECONDS, ByteBudget
from knoll.router.choose import Choice
from knoll.router.copies import Copies
from knoll.router.proxy import BrokenAnswer, Deliver, Question, ToClient, question_of, to_compare
from knoll.router.request_body import WHOLE, BodyTooLarge, Upload
from knoll.router.targets import Target

__all__ = ["Picked", "Relayed", "in_error", "unavailable", "why_no_answer"]

_COPIED = (":predict", "/infer", FEEDBACK, MODEL_INFER)
_COUNTED = (200, COUNTED_BEFORE)  # statuses of feedback
_LATE = f"the body did not arrive within {ARRIVES_WITHIN:g} s"
_LOG = logging.getLogger(__name__)
Ask = Callable[[Target, Question, Deliver], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Picked:
    """The choice for a request, what asks the Revision that answers, and what sends a copy."""

    choice: Choice
    ask: Ask
    copy: Ask


Pick = Callable[[bytes], Picked | Response]


class Relayed(Response):
    """The answer of the Revision that is picked. When the client has it, `copies` may send a copy of a
    prediction or of feedback. A failure is answered with {"error": …}.

    `pick` gets the beginning of the body when all of it is there, or when it `is_enough`. So nobody is picked
    for a request that never comes. A body that is copied is held as a whole.
    """

    def __init__(
        self,
        request: Request,
        pick: Pick,
        bodies: ByteBudget,
        copies: Copies,
        is_enough: Callable[[bytes], bool] = lambda begun: len(begun) > WHOLE,
    ) -> None:
        self._request, self._pick = request, pick
        self._bodies, self._copies, self._is_enough = bodies, copies, is_enough

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        deliver, seconds = ToClient(send), _deadline(self._request)
        try:
            async with asyncio.timeout(seconds) as limit:
                deliver.limit = limit
                await self._answered(deliver)
                return
        except BodyTooLarge as error:
            refused = in_error(413, f"{error}: send fewer instances at a time")
        except TimeoutError:
            is_late = seconds is not None and limit.expired()
            refused = in_error(504, too_late(seconds or 0)) if is_late else in_error(408, _LATE)
        except ClientDisconnect:
            refused = in_error(CLIENT_GONE, "the client has gone")
        except Unavailable as error:
            refused = unavailable(f"{error}; {error.fix}" if error.fix else str(error))
        except BrokenAnswer:
            _LOG.warning("an answer to %s broke off", self._request.scope["path"])
            return  # the server hangs up then
        deliver.limit = None
        if deliver.answer is None:
            await deliver(refused)

    async def _answered(self, deliver: ToClient) -> None:
        with closing(Upload(self._request, self._bodies)) as upload:
            picked = self._pick(await upload.hold(self._is_enough))
            if isinstance(picked, Response):
                await deliver(picked)
                return
            choice = picked.choice
            if choice.copied_to:
                await upload.hold()
            body = await upload.hold() if upload.is_whole else upload
            question = question_of(self._request, body, choice.session, deliver.ends_at)
            await _unless_gone(upload, deliver, picked.ask(choice.answers, question, deliver))
        answer = deliver.answer
        if choice.copied_to and answer and _is_copied(self._request.scope["path"], answer.status_code):
            copy = to_compare(question, answer.headers.get(PREDICTION, ""))
            send = partial(picked.copy, choice.copied_to, copy, ToClient(_to_nobody))
            await self._copies.offer(len(body) if isinstance(body, bytes) else 0, send)


async def _unless_gone(upload: Upload, deliver: ToClient, answering: Coroutine[Any, Any, None]) -> None:
    """Have it answered. If the client hangs up first, the replica is hung up on, too: raises
    ClientDisconnect."""
    answer, gone = asyncio.ensure_future(answering), asyncio.ensure_future(upload.gone())
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not (answer.done() or deliver.is_over):
            raise ClientDisconnect
        await answer
    finally:
        for task in (answer, gone):
            task.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


def _deadline(request: Request) -> float | None:
    """The seconds that the request allows; a faulty deadline is refused by who answers."""
    try:
        return seconds_in(request.headers.get(REQUEST_TIMEOUT, ""))
    except InvalidInstance:
        return None


async def _to_nobody(_: Message) -> None:
    """Nobody waits for the answer to a copy."""


def _is_copied(path: str, status: int) -> bool:
    """Whether a request that was answered so may be copied. The version that gets a copy of feedback counts
    its answers no more, so that is sent only if they were counted."""
    return path.endswith(_COPIED) and (status in _COUNTED or not path.endswith(FEEDBACK))


def in_error(status: int, text: str) -> Response:
    """An error as V1 and V2 have it."""
    return JSONResponse({"error": text}, status)


def why_no_answer(error: aiohttp.ClientError) -> str:
    """What went wrong with a request to a predictor, without its address."""
    match error:
        case aiohttp.ClientConnectorError():
            return "it takes no connection"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
            return "it closed the connection before its answer was complete"
        case aiohttp.ClientResponseError():
            return "what it answered is not HTTP"
    return "it gave no answer"


def unavailable(text: str) -> Response:
    """503: the client may ask again in a moment."""
    return JSONResponse({"error": text}, 503, headers={RETRY_AFTER: str(RETRY_SECONDS)})
