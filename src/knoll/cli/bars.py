"""A progress bar, for a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knoll.cli.interrupts import leaving
from knoll.cli.session import errors_out

__all__ = ["progress"]


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
