"""`knoll apply` and `knoll delete`: declare models and remove them."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knoll.cli.arguments import ModelArgument
from knoll.cli.options import Output, OutputOption, YesOption
from knoll.cli.output import echo
from knoll.cli.session import platform_of, print_json, say
from knoll.errors import AlreadyExists, Conflict, KnollError, NotFound, StoreUnavailable

if TYPE_CHECKING:
    from knoll.models import Model
    from knoll.ports import Document, Platform

__all__ = ["apply", "apply_files", "delete"]

_TRIES = 10


def apply(
    ctx: typer.Context,
    files: Annotated[
        list[str],
        typer.Option(
            "-f", "--filename", metavar="FILE", help="YAML file with Models; - is stdin; may be repeated."
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Check all Models in YAML files, then create or update them.

    Example: knoll apply -f examples/digits/model.yaml

    JSON: {"applied": [{model, result: created|configured|unchanged, dryRun}]}.
    Next: knoll upload MODEL PATH
    """
    results = apply_files(platform_of(ctx), files, dry_run=dry_run, warn=lambda text: say(ctx, text))
    if output is Output.json:
        print_json(
            {"applied": [{"model": name, "result": result, "dryRun": dry_run} for name, result in results]}
        )
        return
    for name, result in results:
        echo(f"model/{name} {result}{' (dry run)' if dry_run else ''}")


def apply_files(
    platform: "Platform",
    files: list[str],
    *,
    dry_run: bool = False,
    warn: Callable[[str], object] = lambda _: None,
) -> list[tuple[str, str]]:
    """Apply the Models in the files. Returns name and result of each: created, configured or unchanged.
    Raises InvalidModel."""
    from knoll.cli.documents import read_declared

    declared = read_declared(files, platform.settings.model_bucket)
    results = [(one.model.name, _store(platform, one.document, dry_run=dry_run)) for one in declared]
    for warning in _warnings(platform, [one.model for one in declared]):
        warn(f"Warning: {warning}")
    for one in declared:
        if _has_no_data(platform, one.model.dataset.uri):
            warn(f"{one.model.dataset.uri} has no data yet. Next: knoll upload {one.model.name} PATH")
    return results


def _warnings(platform: "Platform", declared: list["Model"]) -> list[str]:
    """What can be meant, and probably is not."""
    from knoll.cli.sense import overlaps, shortages
    from knoll.laptop.resources import local_capacity
    from knoll.models import readable_models

    models = readable_models(platform.cluster.list("Model"))
    found = [words for one in declared for words in overlaps(one, models)]
    if platform.settings.cluster == "local":
        here = local_capacity()
        room = (float(here.cpu), float(here.memory), here.gpus)
        found += [words for one in declared for words in shortages(one, *room)]
    return found


def delete(
    ctx: typer.Context,
    model: ModelArgument,
    yes: YesOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Stop training and serving a model, and delete its Model. Its data and versions stay in their buckets.

    Example: knoll delete digits

    JSON: {"deleted": MODEL}.
    Next: knoll apply -f FILE brings it back
    """
    from knoll.kube.labels import part_labels
    from knoll.views.models import find_model

    platform = platform_of(ctx)
    find_model(platform, model)
    if not yes:
        typer.confirm(
            f"Stop serving {model} and delete its Model? Data and versions stay.", abort=True, err=True
        )
    _delete(platform, "Model", model)  # first: while the Model is there, the others are made again
    for kind in ("InferenceService", "Job"):
        for one in platform.cluster.list(kind, part_labels(model)):
            _delete(platform, kind, one["metadata"]["name"])
    if output is Output.json:
        print_json({"deleted": model})
    else:
        echo(f"model/{model} deleted")


def _delete(platform: "Platform", kind: str, name: str) -> None:
    with suppress(NotFound):
        platform.cluster.delete(kind, name)


def _store(platform: "Platform", document: "Document", *, dry_run: bool) -> str:
    name = document["metadata"]["name"]
    for _ in range(_TRIES):
        try:
            live = platform.cluster.get("Model", name)
        except NotFound:
            if dry_run or _try_to_create(platform, document):
                return "created"
            continue
        if _wanted(live, document) == live:
            return "unchanged"
        if dry_run or _try_to_update(platform, _wanted(live, document)):
            return "configured"
    raise KnollError(f"model {name}: it changed during each of {_TRIES} tries", fix="run knoll apply again")


def _wanted(live: "Document", document: "Document") -> "Document":
    metadata: dict[str, Any] = dict(live["metadata"])
    for key in ("labels", "annotations"):
        if document["metadata"].get(key):
            metadata[key] = {**(metadata.get(key) or {}), **document["metadata"][key]}
    return {**live, "metadata": metadata, "spec": document["spec"]}


def _try_to_create(platform: "Platform", document: "Document") -> bool:
    try:
        platform.cluster.create(document)
    except AlreadyExists:
        return False
    return True


def _try_to_update(platform: "Platform", document: "Document") -> bool:
    try:
        platform.cluster.update(document)
    except (Conflict, NotFound):
        return False
    return True


def _has_no_data(platform: "Platform", uri: str) -> bool:
    """Whether the store has no object there. False if the user cannot reach the store: declaring a model
    does not need it."""
    try:
        return next(iter(platform.store.list(uri)), None) is None
    except StoreUnavailable:
        return False
