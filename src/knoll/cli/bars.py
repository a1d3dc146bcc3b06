"""A bar while many things are done one after the other; only people at a terminal see it, elsewhere the
result says enough."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knoll.cli.session import errors_out

__all__ = ["progress"]


@contextmanager
def progress(words: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields what is told of each further step; `words` say what is being done."""
    if not sys.stderr.isatty() or not total:
        yield lambda _: None
        return
    columns = (TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors_out()) as bar:
        task = bar.add_task(words, total=total)
        yield lambda count: bar.advance(task, count)
