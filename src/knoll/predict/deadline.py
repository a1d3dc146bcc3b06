"""How a request with a deadline is answered in time, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["within"]


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
