"""Work that is done in threads before its results are asked for, in order and up to a bound."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead"]

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def ahead(
    work: Callable[[_Item], _Made],
    items: Iterable[_Item],
    workers: int,
    room: int,
    weigh: Callable[[_Item], int] = lambda _: 1,
) -> Iterator[_Made]:
    """`work` of each item in order; raises what it raises. Results that nobody has asked for weigh `room`
    together, or there is only one of them. Without `workers`, nothing is done ahead."""
    if not workers:
        yield from map(work, items)
        return
    waiting: deque[tuple[Future[_Made], int]] = deque()
    held = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                weight = weigh(item)
                while waiting and held + weight > room:
                    made, freed = waiting.popleft()
                    held -= freed
                    yield made.result()
                waiting.append((pool.submit(work, item), weight))
                held += weight
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
