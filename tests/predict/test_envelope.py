"""What the outermost layer of a predictor counts, without a server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from knoll.predict.counts import Ended
from knoll.predict.envelope import Envelope
from knoll.predict.work import LONGEST_RUN
from knoll.request_limits import CLIENT_GONE, ByteBudget

Steps = Callable[[Callable[..., Awaitable[int]]], Awaitable[Any]]


def ended(steps: Steps) -> list[Ended]:
    """How requests ended. A step is a request that is answered with a status after a while."""
    seen: list[Ended] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        await asyncio.sleep(scope["takes"])
        await send({"type": "http.response.start", "status": scope["status"], **scope["about"]})
        await send({"type": "http.response.body", "body": b""})

    envelope = Envelope(app, {}, seen.append, ByteBudget(2**20))

    async def ask(status: int, takes: float = 0.0, *headers: tuple[bytes, bytes], **about: float) -> int:
        head = {"type": "http", "method": "POST", "path": "/v1/models/m:predict", "headers": headers}
        answers: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"{}"}

        async def send(message: Any) -> None:
            answers.append(message)

        await envelope({**head, "status": status, "takes": takes, "about": about}, receive, send)
        return int(answers[0]["status"])

    asyncio.run(_run(steps, ask))
    return seen


async def _run(steps: Steps, ask: Callable[..., Awaitable[int]]) -> None:
    await steps(ask)


def test_requests_that_came_before_the_first_answer_are_cold() -> None:
    """Also those that were answered later: they came together, when the process was ready."""

    async def steps(ask: Callable[..., Awaitable[int]]) -> None:
        await asyncio.gather(ask(200, 0.05), ask(500, 0.01), ask(200, 0.1))
        await ask(200)
        await ask(500)

    assert [(one.status, one.is_cold) for one in ended(steps)] == [
        (500, True),
        (200, True),
        (200, True),
        (200, False),
        (500, False),
    ]


def test_after_a_replay_no_request_is_cold() -> None:
    async def steps(ask: Callable[..., Awaitable[int]]) -> None:
        await ask(200, 0.0, (b"x-knoll-replay", b"true"))
        await ask(200)

    assert [one.is_cold for one in ended(steps)] == [False]


def test_a_request_by_way_of_a_router_has_the_session_that_it_names() -> None:
    async def steps(ask: Callable[..., Awaitable[int]]) -> None:
        await ask(200, 0.0, (b"x-knoll-session", b"ab"))
        await ask(200, 0.0, (b"x-knoll-session", b"ab"))
        await ask(200, 0.0, (b"x-knoll-session", b"\xff" * 9000))
        await ask(200)

    first, again, long, none = (one.session for one in ended(steps))
    assert first == again != ""
    assert (0 < len(long) <= 64, none) == (True, "")


def test_a_client_that_hangs_up_counts_if_the_version_was_late() -> None:
    """One that has waited for other requests or for its own pictures, and one for which there is no memory,
    say nothing about the version."""

    async def steps(ask: Callable[..., Awaitable[int]]) -> None:
        await ask(CLIENT_GONE, 1.05)
        await ask(CLIENT_GONE, **{LONGEST_RUN: 9.9})
        await ask(503)
        await ask(CLIENT_GONE, 0.01, **{LONGEST_RUN: 10.0})

    (one,) = ended(steps)
    assert (one.status, one.seconds < 1) == (CLIENT_GONE, True)
