"""One request from its client to the Revision that was chosen, and a copy of it to another one."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import aiohttp
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from knoll.errors import Unavailable
from knoll.headers import RETRY_AFTER
from knoll.paths import FEEDBACK
from knoll.request_limits import ARRIVES_WITHIN, CLIENT_GONE, COUNTED_BEFORE, RETRY_SECONDS, ByteBudget
from knoll.router.choose import Choice
from knoll.router.copies import Copies
from knoll.router.proxy import Question, question_of, to_compare, unless_gone
from knoll.router.request_body import BodyTooLarge, held_body
from knoll.router.targets import Target

__all__ = ["in_error", "relay", "unavailable", "why_no_answer"]

_COPIED = (":predict", "/infer", FEEDBACK)
_COUNTED = (200, COUNTED_BEFORE)  # statuses of feedback
_Ask = Callable[[Target, Question], Coroutine[Any, Any, Response]]


async def relay(
    request: Request, choice: Choice, ask: _Ask, copy: _Ask, bodies: ByteBudget, copies: Copies
) -> Response:
    """The answer of the Revision that the choice names, by `ask`. When the client has it, `copies` may send a
    copy of a prediction or of feedback by `copy`. A failure is answered with {"error": …}."""
    try:
        async with held_body(request, bodies) as body:
            question = question_of(request, body, choice.session)
            answer = await unless_gone(request, ask(choice.answers, question))
    except BodyTooLarge as error:
        return in_error(413, f"{error}: send fewer instances at a time")
    except TimeoutError:
        return in_error(408, f"the body did not arrive within {ARRIVES_WITHIN:g} s")
    except ClientDisconnect:
        return in_error(CLIENT_GONE, "the client has gone")
    except Unavailable as error:
        return unavailable(f"{error}; {error.fix}" if error.fix else str(error))
    if choice.copied_to and _is_copied(request.url.path, answer.status_code):
        send = partial(copy, choice.copied_to, to_compare(question, answer))
        answer.background = BackgroundTask(copies.offer, len(question.body), send)
    return answer


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
