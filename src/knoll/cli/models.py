"""`knoll models` and `knoll versions`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.arguments import ModelArgument, version_name, version_names
from knoll.cli.completion import complete_versions
from knoll.cli.options import Output, OutputOption
from knoll.cli.session import errors_out, platform_of, print_json, say, stdout
from knoll.cli.tables import plain_table
from knoll.errors import NotFound

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.views.versions import VersionView

__all__ = ["models", "versions"]


def models(ctx: typer.Context, output: OutputOption = Output.table) -> None:
    """List the models: the version that serves, the one on trial, the state of the data, and the URL for
    predictions.

    Example: knoll models

    DATA is Landed, or Waiting with the reason: what must happen before the data is complete. It is Faulty
    with the reason if this release cannot read the declaration, which an older one may have stored.

    JSON: {"models": [{name, family, champion, candidate, previous, phase, fault, dataset: {state, reason},
    quarantine, quarantinedAt, damage, fallen, verdict: {version, verdict, reason}, standing: {kind, version,
    by}|null, wait: {for, have, need, since, until, ends}|null, traffic, url}]}. `standing` says what holds
    the rollout up: Edited, WaitsForApproval, Paused, NoRoom, WaitsForHook or NotTaken. `wait` says what ends
    that. Next: knoll versions MODEL, knoll predict MODEL FILE
    """
    from knoll.cli.render.models import models_table
    from knoll.views.models import model_document, namespace_words, read_models

    platform = platform_of(ctx)
    views = read_models(platform)
    if output is Output.json:
        print_json({"models": [model_document(view) for view in views]})
    elif views:
        stdout().print(models_table(views))
    else:
        say(ctx, f"No models yet{namespace_words(platform.settings)}. Next: knoll apply -f FILE")


_VersionArgument = Annotated[
    str,
    typer.Argument(
        metavar="VERSION",
        help="Only this one.",
        autocompletion=complete_versions,
        callback=version_name,
    ),
]
_PicturesOption = Annotated[
    Path | None,
    typer.Option(
        "--pictures",
        metavar="DIR",
        help="Save the pictures of the version, or of all that are listed, here.",
        file_okay=False,
    ),
]
_CompareOption = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--compare",
        metavar="VERSION VERSION",
        help="Put two versions side by side.",
        autocompletion=complete_versions,
        callback=version_names,
    ),
]


def versions(
    ctx: typer.Context,
    model: ModelArgument,
    version: _VersionArgument = "",
    pictures: _PicturesOption = None,
    compare: _CompareOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Show this many of the newest versions.")] = 50,
    output: OutputOption = Output.table,
) -> None:
    """List the versions of a model: which one serves, how good each is, and its data and run.

    Example: knoll versions digits v000002 --pictures pics/; knoll versions digits --compare v000001 v000002

    JSON: {"versions": [{model, version, state, reason, family, metrics, golden: {uri, digest, count,
    metrics}|null, datasetDigest, run, createdAt, bytes, files}]}; with --compare {model, versions,
    fields: [{field, values, differs}]}. Next: knoll card MODEL VERSION, knoll why MODEL VERSION
    """
    platform = platform_of(ctx)
    if compare:
        _compare(platform, model, compare, output)
        return
    found = _show_versions(ctx, platform, model, version, limit, output)
    if pictures is not None:
        _save_pictures(pictures, found, platform, model)


def _show_versions(
    ctx: typer.Context, platform: "Platform", model: str, version: str, limit: int, output: Output
) -> "Sequence[VersionView]":
    """Show the version, or the newest ones for "", and return them."""
    from knoll.cli.render.versions import VERSION_HEADINGS, version_row
    from knoll.views.versions import VersionsView, read_version, read_versions, version_document

    only = VersionsView([read_version(platform, model, version)]) if version else None
    view = only or read_versions(platform, model, limit)
    if output is Output.json:
        print_json({"versions": [version_document(one) for one in view.shown]})
    elif view.shown:
        now = platform.clock.now()
        stdout().print(plain_table(VERSION_HEADINGS, (version_row(one, now) for one in view.shown)))
    elif not view.left_out:
        say(ctx, f"{model} has no version yet. Next: knoll runs {model} -w")
    if view.left_out:
        say(ctx, view.left_out)
    return view.shown


def _compare(platform: "Platform", model: str, compare: tuple[str, str], output: Output) -> None:
    from knoll.cli.render.comparison import comparison_table
    from knoll.views.comparison import compare_versions, comparison_document

    found = compare_versions(platform, model, *compare)
    if output is Output.json:
        print_json(comparison_document(found))
    else:
        stdout().print(comparison_table(found))


def _save_pictures(folder: Path, found: "Sequence[VersionView]", platform: "Platform", model: str) -> None:
    """Write the pictures of the versions into the folder. Raises NotFound if there are none."""
    from knoll.views.versions import read_pictures

    pictures = [
        (folder / f"{Path(one.manifest.version).name}-{Path(name).name}", body)
        for one in found
        for name, body in read_pictures(platform, one.manifest).items()
    ]  # versions and names come from the bucket, and must not lead out of the folder
    if not pictures:
        raise NotFound(
            f"pictures of {model}: there are none", fix=f"knoll versions {model} lists its versions"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path, body in pictures:
        path.write_bytes(body)
        errors_out().print(f"Saved {path}")
