"""Progress bars, for a terminal only. A bar has a known end; other work has words."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar

from knoll.cli.interrupts import leaving
from knoll.cli.session import errors_out
from knoll.views.units import seconds_between
from knoll.waits import Wait

__all__ = ["progress", "wait_bar"]

_WIDTH = 40


@contextmanager
def progress(words: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar with these words. Yields a function that takes the number of further steps."""
    done = 0

    def count(steps: int) -> None:
        nonlocal done
        done += steps

    with leaving(lambda: f"{words}: {done} of {total} done. Run the same command again for the rest."):
        if not sys.stderr.isatty() or not total:
            yield count
            return
        with _bar(words, total) as advance:

            def move(steps: int) -> None:
                count(steps)
                advance(steps)

            yield move


@contextmanager
def _bar(words: str, total: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors_out()) as bar:
        task = bar.add_task(words, total=total)
        yield lambda count: bar.advance(task, count)


def wait_bar(wait: Wait, now: datetime) -> RenderableType:
    """How much of a wait is over, by its counts or else its time; "" if neither has an end."""
    if wait.need:
        return ProgressBar(total=wait.need, completed=min(wait.have, wait.need), width=_WIDTH)
    gone, whole = seconds_between(wait.since, now), seconds_between(wait.since, wait.until)
    if gone is None or not whole or whole <= 0:
        return ""
    return ProgressBar(total=whole, completed=max(0.0, min(gone, whole)), width=_WIDTH)
