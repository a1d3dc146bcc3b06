"""Looking until something is over: a live picture on a terminal, one line per change everywhere else.

It polls the stored truth. It needs no push from a server, and does not depend on events.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from rich.console import RenderableType
from rich.live import Live

from knoll.cli.failures import TimedOut
from knoll.cli.interrupts import leaving
from knoll.cli.options import Output
from knoll.cli.output import echo
from knoll.cli.session import print_json, stdout

__all__ = ["Frame", "watch"]

_View = TypeVar("_View")


@dataclass(frozen=True)
class Frame:
    """A view as it is shown: a picture for a terminal, lines for a pipe, a document for programs. A final one
    is the last."""

    picture: RenderableType
    lines: tuple[str, ...]
    document: Mapping[str, Any]
    is_final: bool


def watch(
    look: Callable[[], _View],
    render: Callable[[_View], Frame],
    output: Output,
    *,
    timeout: float | None = None,
    every: float = 1.0,
    waiting_for: str,
) -> _View:
    """Look every `every` seconds until a view is final, and return it. Raises TimedOut after `timeout`
    seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout

    def follow(show: Callable[[Frame], None]) -> _View:
        while True:
            view = look()
            frame = render(view)
            show(frame)
            if frame.is_final:
                return view
            if deadline is not None and time.monotonic() >= deadline:
                raise TimedOut(
                    f"time is up, still waiting for {waiting_for}",
                    fix="run the command again, with a longer --timeout",
                )
            time.sleep(every)

    with leaving(f"This command waited for {waiting_for}. That goes on without it."):
        if output is Output.table and sys.stdout.isatty():
            with Live(console=stdout(), refresh_per_second=4) as live:
                return follow(lambda frame: live.update(frame.picture))
        return follow(_document_printer() if output is Output.json else _line_printer())


def _line_printer() -> Callable[[Frame], None]:
    """Prints each line once."""
    printed: set[str] = set()

    def show(frame: Frame) -> None:
        for line in frame.lines:
            if line not in printed:
                printed.add(line)
                echo(line)
                sys.stdout.flush()

    return show


def _document_printer() -> Callable[[Frame], None]:
    """Prints each document that differs from the one before."""
    last: list[Mapping[str, Any]] = []

    def show(frame: Frame) -> None:
        if not last or last[-1] != frame.document:
            last[:] = [frame.document]
            print_json(frame.document)
            sys.stdout.flush()

    return show
