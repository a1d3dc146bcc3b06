"""`knoll models` and `knoll versions`: what serves, and everything that was ever made."""

from pathlib import Path
from typing import Annotated

import typer

from knoll.cli.completion import complete_models, complete_versions
from knoll.cli.session import Output, OutputOption, errors_out, platform_of, print_json, say, stdout
from knoll.cli.tables import plain_table
from knoll.errors import NotFound

__all__ = ["models", "versions"]


def models(ctx: typer.Context, output: OutputOption = Output.table) -> None:
    """List the models with the version that serves, the one on trial, and where to ask for predictions.

    Example: knoll models

    JSON: {"models": [{name, family, champion, candidate, previous, phase, dataset: {state, reason},
    quarantine, traffic, url}]}. Next: knoll versions MODEL, knoll predict MODEL FILE
    """
    from knoll.cli.model_view import MODEL_HEADINGS, model_document, model_row, place_words, read_models

    platform = platform_of(ctx)
    views = read_models(platform)
    if output is Output.json:
        print_json({"models": [model_document(view) for view in views]})
    elif views:
        stdout().print(plain_table(MODEL_HEADINGS, (model_row(view) for view in views)))
    else:
        say(ctx, f"No models yet{place_words(platform.settings)}. Next: knoll apply -f FILE")


def versions(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the model.", autocompletion=complete_models)],
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="Only this one.", autocompletion=complete_versions)
    ] = "",
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="DIR",
            help="Save the pictures of the version, or of all that are listed, here.",
            file_okay=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show this many of the newest versions.")] = 50,
    output: OutputOption = Output.table,
) -> None:
    """List the versions of a model: which serves, how good each is, and which data and run made it.

    Example: knoll versions digits v000002 --pictures pictures/

    JSON: {"versions": [{model, version, state, reason, family, metrics, datasetDigest, run, createdAt, bytes,
    files}]}. Next: knoll why MODEL VERSION
    """
    from knoll.cli import version_view as view

    platform = platform_of(ctx)
    found = (
        [view.read_version(platform, model, version)]
        if version
        else view.read_versions(platform, model, limit)
    )
    if output is Output.json:
        print_json({"versions": [view.version_document(one) for one in found]})
    elif found:
        stdout().print(
            plain_table(view.VERSION_HEADINGS, (view.version_row(one, platform.clock.now()) for one in found))
        )
    else:
        say(ctx, f"{model} has no version yet. Next: knoll runs {model} -w")
    if pictures is not None:
        saved = [
            _save(pictures, one.manifest.version, view.pictures(platform, one.manifest)) for one in found
        ]
        if not any(saved):
            raise NotFound(
                f"pictures of {model}: there are none", fix=f"knoll versions {model} lists its versions"
            )


def _save(folder: Path, version: str, found: dict[str, bytes]) -> list[Path]:
    paths = []
    for name, body in found.items():
        path = (
            folder / f"{Path(version).name}-{Path(name).name}"
        )  # both come from the bucket, and must not lead out of the folder
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        errors_out().print(f"Saved {path}")
        paths.append(path)
    return paths
