"""The deadline that a client gives to its request, by a header: no answer comes after it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from knoll.errors import InvalidInstance
from knoll.headers import REQUEST_TIMEOUT

__all__ = ["seconds_left", "too_late", "within"]

_TIMEOUT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|)", re.ASCII)


def seconds_left(headers: Mapping[bytes, bytes]) -> float | None:
    """What the request allows; None if it has no deadline. Raises InvalidInstance."""
    told = headers.get(REQUEST_TIMEOUT.encode())
    if told is None:
        return None
    found = _TIMEOUT.fullmatch(told.decode("latin-1").strip())
    if found is None:
        raise InvalidInstance(f"{REQUEST_TIMEOUT} is no time: send seconds as in 2.5, or 300ms")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def too_late(seconds: float) -> str:
    """Why there is no answer."""
    return f"there is no answer within the {seconds:g} s of the request's deadline"


async def within(
    left: float,
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    refuse: Callable[[], Awaitable[None]],
    note: Callable[[Message], None],
) -> None:
    """Run the application for `left` seconds. Then `refuse` answers in its place, and it hears that its
    client has gone. What it sends after that is only noted. Returns when it has ended."""
    is_late, has_begun = asyncio.Event(), False

    async def send_in_time(message: Message) -> None:
        nonlocal has_begun
        if is_late.is_set():
            note(message)
            return
        has_begun = True
        await send(message)

    async def receive_until() -> Message:
        getting, ending = asyncio.ensure_future(receive()), asyncio.ensure_future(is_late.wait())
        try:
            await asyncio.wait({getting, ending}, return_when=asyncio.FIRST_COMPLETED)
            return getting.result() if getting.done() else {"type": "http.disconnect"}
        finally:
            getting.cancel()
            ending.cancel()

    working = asyncio.ensure_future(app(scope, receive_until, send_in_time))
    done, _ = await asyncio.wait({working}, timeout=max(left, 0))
    if not done and not has_begun:
        is_late.set()
        await refuse()
    await working
