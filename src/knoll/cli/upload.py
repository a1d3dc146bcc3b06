"""`knoll upload`: a model's data into its bucket, so that the dataset lands once and whole."""

import io
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from knoll.cli.completion import complete_models
from knoll.cli.grammar import spoken
from knoll.cli.session import Output, OutputOption, YesOption, errors_out, platform_of, print_json, program_of
from knoll.views.units import counted, size

if TYPE_CHECKING:
    from knoll.cli.upload_plan import Item, Plan
    from knoll.models import Model
    from knoll.ports import Platform

__all__ = ["send", "tenths", "upload"]

_THREADS = 8
_SMALL = 2**20  # bytes; such a file is one request, and is not worth a progress of its own
_Advance = Callable[[int], None]  # bytes sent since the last call; negative when a part is sent again


def upload(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(help="Name of the model whose data it is.", autocompletion=complete_models)
    ],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Files and folders; a folder's files keep their relative paths."
        ),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Also delete what lies under the prefix and is not uploaded.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent and deleted, and change nothing.")
    ] = False,
    yes: YesOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Upload a model's data; where the dataset has a marker or a manifest that goes last, so that training
    starts on whole data.

    Example: knoll upload digits path/to/data --replace

    The same bytes again are fine: they lead to no second run. JSON: {model, uri, objects, bytes, deleted,
    marker, dryRun}. Next: knoll runs MODEL -w
    """
    from knoll.cli.upload_plan import plan_upload
    from knoll.models import parse_model
    from knoll.views.models import find_model

    platform = platform_of(ctx)
    declared = parse_model(find_model(platform, model).document)
    plan = plan_upload(declared, paths, platform.store.list(declared.dataset.uri), replace=replace)
    if plan.stale and not dry_run and not yes:
        _confirm(plan)
    if not dry_run:
        send(platform, declared, plan)
    if output is Output.json:
        print_json(_document(declared, plan, dry_run=dry_run))
    else:
        _tell(declared, plan, spoken(program_of(ctx), f"Next: knoll runs {model} -w"), dry_run=dry_run)


def send(platform: "Platform", model: "Model", plan: "Plan") -> None:
    """Carry out the plan: the old marker away, the files in parallel, what is stale away, the new marker
    last.

    An old manifest stays until there is a new one: what it lists of what stays would be lost with it.
    """
    from knoll.cli.upload_manifest import entries_that_stay, manifest_of
    from knoll.names import split_uri

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


def _send_all(platform: "Platform", plan: "Plan", advance: _Advance) -> None:
    pool = ThreadPoolExecutor(_THREADS)
    try:
        for done in as_completed([pool.submit(_send, platform, item, advance) for item in plan.items]):
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _send(platform: "Platform", item: "Item", advance: _Advance) -> None:
    if item.size <= _SMALL:
        platform.store.put(item.uri, item.path.read_bytes())
        advance(item.size)
        return
    with _Counted(item.path, advance) as file:
        platform.store.put(item.uri, file)


class _Counted(io.FileIO):
    """A file that tells how far it has been read, forwards and, when a part is sent again, backwards."""

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
    """Print a line on stderr for every further tenth, in order, whichever threads send."""
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


def _confirm(plan: "Plan") -> None:
    shown = "\n".join(f"  {uri}" for uri in plan.stale[:5])
    more = f"\n  and {len(plan.stale) - 5} more" if len(plan.stale) > 5 else ""
    typer.echo(f"--replace deletes {counted(len(plan.stale), 'object')}:\n{shown}{more}", err=True)
    typer.confirm("Delete them?", abort=True, err=True)


def _document(model: "Model", plan: "Plan", *, dry_run: bool) -> dict[str, Any]:
    sent = {
        "objects": len(plan.items),
        "bytes": plan.total,
        "deleted": len(plan.stale),
        "marker": plan.marker,
    }
    return {"model": model.name, "uri": model.dataset.uri, **sent, "dryRun": dry_run}


def _tell(model: "Model", plan: "Plan", then: str, *, dry_run: bool) -> None:
    if dry_run:
        for item in plan.items:
            typer.echo(f"would upload {item.path} to {item.uri} ({size(item.size)})")
        for uri in plan.stale:
            typer.echo(f"would delete {uri}")
        return
    deleted = f", deleted {len(plan.stale)}" if plan.stale else ""
    typer.echo(
        f"Uploaded {counted(len(plan.items), 'file')}, {size(plan.total)}, to {model.dataset.uri}{deleted}."
    )
    consequence = {
        "marker": "The marker is written: the data has landed. If it is new, training starts at once.",
        "manifest": f"The manifest {model.dataset.landed.manifest} is written: when every sha256 is "
        "checked, the data has landed.",
        "quiet": f"Training starts when nothing has changed for {model.dataset.landed.quiet:g} s.",
        "object": "Each file that is new is trained on as a dataset of its own.",
    }
    typer.echo(f"{consequence[model.dataset.landed.when]}\n{then}")
