"""Copies are bounded: what is too much is dropped, and nothing waits."""

import asyncio
from collections.abc import Awaitable, Callable

from knoll.router.copies import Copies


def test_copies_beyond_the_bounds_are_dropped() -> None:
    """By number and by bytes; when one is done, the next has its place."""

    async def story() -> None:
        copies, done = Copies(most=2, most_bytes=100), asyncio.Event()
        for size in (60, 60, 30, 1):  # the second is too large, the fourth one too many
            await copies.offer(size, done.wait)
        assert (copies.sent, copies.dropped) == (2, 2)
        done.set()
        await asyncio.sleep(0.1)
        await copies.offer(100, done.wait)
        assert (copies.sent, copies.dropped) == (3, 2)

    asyncio.run(story())


def test_a_copy_that_fails_or_takes_too_long_gives_its_place_back() -> None:
    async def fail() -> None:
        raise ValueError("no answer")

    async def story(send: Callable[[], Awaitable[object]]) -> None:
        copies = Copies(most=1, most_bytes=10, within=0.01)
        for _ in range(3):
            await copies.offer(10, send)
            await asyncio.sleep(0.1)
        assert (copies.sent, copies.dropped) == (3, 0)

    asyncio.run(story(fail))
    asyncio.run(story(lambda: asyncio.sleep(60)))


def test_copies_under_way_end_with_the_router() -> None:
    async def story() -> None:
        copies = Copies()
        await copies.offer(1, lambda: asyncio.sleep(60))
        async with asyncio.timeout(5):
            await copies.close()

    asyncio.run(story())
