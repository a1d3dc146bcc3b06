"""Carrying out an upload: the files in parallel, with progress, and the marker last."""

import hashlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
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

from knoll.cli.interrupts import ended_by_signals
from knoll.cli.session import errors_out
from knoll.cli.upload_manifest import entries_that_stay, manifest_of
from knoll.cli.upload_plan import UploadFile, UploadPlan
from knoll.cli.upload_turn import one_at_a_time
from knoll.models import Model
from knoll.names import split_uri
from knoll.ports import Platform
from knoll.quantities import counted
from knoll.views.units import size

__all__ = ["Sent", "find_unchanged", "send", "tenths", "what_is_left"]

_THREADS = 8
_MD5 = re.compile("[0-9a-f]{32}")  # the etag of an object that was sent in one part
_SMALL = 2**20  # bytes; such a file is one request, and is not worth a progress of its own
_Advance = Callable[[int], None]  # bytes sent since the last call; negative when a part is sent again


class Sent:
    """How many files are in their places. `unchanged` of them were there before."""

    def __init__(self) -> None:
        self.files = self.bytes = self.unchanged = 0
        self._turn = Lock()

    def add(self, item: UploadFile, *, is_there: bool) -> None:
        """One more file is in its place."""
        with self._turn:
            self.files, self.bytes = self.files + 1, self.bytes + item.size
            self.unchanged += is_there


def send(platform: Platform, model: Model, plan: UploadPlan) -> int:
    """Carry out the plan: delete the old marker, send the files in parallel, delete stale objects, and write
    the new marker last. Returns how many files were in their places before: they are not sent.

    If it ends too early, also by SIGTERM or SIGHUP, stderr says what is left. Raises Conflict if another
    upload to this model goes on.

    An old manifest stays until the new one is written, because it lists the objects that stay.
    """
    with ended_by_signals(), one_at_a_time(model.name, platform):
        return _carry_out(platform, model, plan)


def find_unchanged(plan: UploadPlan) -> frozenset[str]:
    """The URIs of the files that are in their places: they would not be sent."""
    return frozenset(item.uri for item in plan.items if _is_there(item))


def _carry_out(platform: Platform, model: Model, plan: UploadPlan) -> int:
    has_manifest = model.dataset.landed.when == "manifest"
    stay = entries_that_stay(platform.store, model, plan) if has_manifest else ()

    ensure_bucket = getattr(platform.store, "ensure_bucket", None)
    if ensure_bucket is not None:
        ensure_bucket(split_uri(model.dataset.uri)[0])
    sent = Sent()
    try:
        if plan.marker and not has_manifest:
            platform.store.delete(plan.marker)
        with _progress(plan.total) as advance:
            _send_all(platform, plan, advance, sent)
        for uri in plan.stale:
            platform.store.delete(uri)
        if plan.marker:
            platform.store.put(plan.marker, manifest_of(model, plan, stay) if has_manifest else b"")
    except BaseException:
        errors_out().print(what_is_left(model, plan, sent))
        raise
    return sent.unchanged


def what_is_left(model: Model, plan: UploadPlan, sent: Sent) -> str:
    """What a user must know when an upload ends too early."""
    left, bytes_left = len(plan.items) - sent.files, plan.total - sent.bytes
    consequence = {
        "marker": "The marker is not written, so the data does not land.",
        "manifest": "The manifest is not written, so the data does not land.",
        "quiet": "The files that were sent land when nothing was written for long enough.",
        "object": "Each file that was sent is a dataset already.",
    }
    return (
        f"The upload ended too early: {sent.files} of {counted(len(plan.items), 'file')} are there, {left} "
        f"({size(bytes_left)}) are left. {consequence[model.dataset.landed.when]} Run the same command "
        "again: it goes on where this one ended."
    )


def _send_all(platform: Platform, plan: UploadPlan, advance: _Advance, sent: Sent) -> None:
    pool = ThreadPoolExecutor(_THREADS)
    try:
        for done in as_completed([pool.submit(_send, platform, item, advance, sent) for item in plan.items]):
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _send(platform: Platform, item: UploadFile, advance: _Advance, sent: Sent) -> None:
    is_there = _is_there(item)
    if is_there:
        advance(item.size)
    else:
        _send_file(platform, item, advance)
    sent.add(item, is_there=is_there)


def _is_there(item: UploadFile) -> bool:
    """Whether the object in its place has the bytes of the file."""
    return bool(_MD5.fullmatch(item.etag)) and _md5(item.path) == item.etag


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def _send_file(platform: Platform, item: UploadFile, advance: _Advance) -> None:
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
    if not total:  # empty files only: no bar could move
        yield lambda _: None
        return
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
            reached = 10 * state["sent"] // total
            if reached > state["tenths"]:
                state["tenths"] = reached
                errors_out().print(f"Uploaded {10 * min(reached, 10)} % of {size(total)}")

    return advance
