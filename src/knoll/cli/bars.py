"""A progress bar, for a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knoll.cli.session import errors_out

__all__ = ["progress"]


@contextmanager
def progress(words: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar with these words. Yields a function that takes the number of further steps."""
    if not sys.stderr.isatty() or not total:
        yield lambda _: None
        return
    columns = (TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors_out()) as bar:
        task = bar.add_task(words, total=total)
        yield lambda count: bar.advance(task, count)
