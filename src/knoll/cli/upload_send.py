"""Carrying out an upload: the files in parallel, with progress, and the marker last."""

import io
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from knoll.cli.session import errors_out
from knoll.cli.upload_manifest import entries_that_stay, manifest_of
from knoll.cli.upload_plan import Item, Plan
from knoll.models import Model
from knoll.names import split_uri
from knoll.ports import Platform
from knoll.views.units import size

__all__ = ["send", "tenths"]

_THREADS = 8
_SMALL = 2**20  # bytes; such a file is one request, and is not worth a progress of its own
_Advance = Callable[[int], None]  # bytes sent since the last call; negative when a part is sent again


def send(platform: Platform, model: Model, plan: Plan) -> None:
    """Carry out the plan: delete the old marker, send the files in parallel, delete stale objects, and write
    the new marker last.

    An old manifest stays until the new one is written, because it lists the objects that stay.
    """
    has_manifest = model.dataset.landed.when == "manifest"
    stay = entries_that_stay(platform.store, model, plan) if has_manifest else ()

    ensure_bucket = getattr(platform.store, "ensure_bucket", None)
    if ensure_bucket is not None:
        ensure_bucket(split_uri(model.dataset.uri)[0])
    if plan.marker and not has_manifest:
        platform.store.delete(plan.marker)
    with _progress(plan.total) as advance:
        _send_all(platform, plan, advance)
    for uri in plan.stale:
        platform.store.delete(uri)
    if plan.marker:
        platform.store.put(plan.marker, manifest_of(model, plan, stay) if has_manifest else b"")


def _send_all(platform: Platform, plan: Plan, advance: _Advance) -> None:
    pool = ThreadPoolExecutor(_THREADS)
    try:
        for done in as_completed([pool.submit(_send, platform, item, advance) for item in plan.items]):
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _send(platform: Platform, item: Item, advance: _Advance) -> None:
    if item.size <= _SMALL:
        platform.store.put(item.uri, item.path.read_bytes())
        advance(item.size)
        return
    with _Counted(item.path, advance) as file:
        platform.store.put(item.uri, file)


class _Counted(io.FileIO):
    """A file that reports how far it is read: forwards, and backwards when a part is sent again."""

    def __init__(self, path: Path, advance: _Advance) -> None:
        super().__init__(path)
        self._advance = advance

    def read(self, size: int | None = -1, /) -> Any:
        body = super().read(-1 if size is None else size)
        self._advance(len(body or b""))
        return body

    def seek(self, offset: int, whence: int = 0, /) -> int:
        before = self.tell()
        after = super().seek(offset, whence)
        self._advance(after - before)
        return after


@contextmanager
def _progress(total: int) -> Iterator[_Advance]:
    if not sys.stderr.isatty():
        yield tenths(total)
        return
    columns = (
        TextColumn("Uploading"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors_out()) as bar:
        task = bar.add_task("upload", total=total)
        yield lambda count: bar.advance(task, count)


def tenths(total: int) -> _Advance:
    """Print a line on stderr for every further tenth, in order, also if several threads send."""
    state = {"sent": 0, "tenths": 0}
    turn = Lock()

    def advance(count: int) -> None:
        with turn:
            state["sent"] += count
            reached = 10 * state["sent"] // total if total else 10
            if reached > state["tenths"]:
                state["tenths"] = reached
                errors_out().print(f"Uploaded {10 * min(reached, 10)} % of {size(total)}")

    return advance
