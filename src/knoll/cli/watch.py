"""Looking until something is over: a live picture on a terminal, one line per change everywhere else.

A watcher that polls needs no server push and shows the stored truth, not what events said.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.live import Live

from knoll.cli.failures import TimedOut
from knoll.cli.session import Output, print_json, stdout

__all__ = ["Frame", "watch"]


@dataclass(frozen=True)
class Frame:
    """One look: the picture for a terminal, lines for a pipe, a document for programs, and whether there is
    nothing more to see."""

    picture: RenderableType
    lines: tuple[str, ...]
    document: Mapping[str, Any]
    is_final: bool


def watch(
    look: Callable[[], Frame],
    output: Output,
    *,
    timeout: float | None = None,
    every: float = 1.0,
    waiting_for: str,
) -> Frame:
    """Look every `every` seconds until a final frame, and return it. Raises TimedOut after `timeout`
    seconds."""
    show = _documents() if output is Output.json else _lines()
    deadline = None if timeout is None else time.monotonic() + timeout
    if output is Output.table and sys.stdout.isatty():
        with Live(console=stdout(), refresh_per_second=4) as live:
            return _until_final(look, lambda frame: live.update(frame.picture), deadline, every, waiting_for)
    return _until_final(look, show, deadline, every, waiting_for)


def _until_final(
    look: Callable[[], Frame],
    show: Callable[[Frame], None],
    deadline: float | None,
    every: float,
    waiting_for: str,
) -> Frame:
    while True:
        frame = look()
        show(frame)
        if frame.is_final:
            return frame
        if deadline is not None and time.monotonic() >= deadline:
            raise TimedOut(
                f"time is up, still waiting for {waiting_for}",
                fix="run the command again, with a longer --timeout",
            )
        time.sleep(every)


def _lines() -> Callable[[Frame], None]:
    printed: set[str] = set()

    def show(frame: Frame) -> None:
        for line in frame.lines:
            if line not in printed:
                printed.add(line)
                print(line, flush=True)

    return show


def _documents() -> Callable[[Frame], None]:
    last: list[Mapping[str, Any]] = []

    def show(frame: Frame) -> None:
        if not last or last[-1] != frame.document:
            last[:] = [frame.document]
            print_json(frame.document)
            sys.stdout.flush()

    return show
