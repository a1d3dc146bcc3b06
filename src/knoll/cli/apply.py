"""`knoll apply` and `knoll delete`: declare models and remove them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
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

__all__ = ["Applied", "apply", "apply_files", "delete", "hints"]

_TRIES = 10


@dataclass(frozen=True)
class Applied:
    """A Model that was applied, and the result: created, configured or unchanged."""

    model: "Model"
    result: str


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
    platform = platform_of(ctx)
    applied = apply_files(platform, files, dry_run=dry_run)
    if output is Output.json:
        print_json(
            {
                "applied": [
                    {"model": one.model.name, "result": one.result, "dryRun": dry_run} for one in applied
                ]
            }
        )
    else:
        for one in applied:
            echo(f"model/{one.model.name} {one.result}{' (dry run)' if dry_run else ''}")
    for hint in hints(platform, applied):
        say(ctx, hint)


def apply_files(platform: "Platform", files: list[str], *, dry_run: bool = False) -> list[Applied]:
    """Apply the Models in the files. Raises InvalidModel, and then nothing is changed."""
    from knoll.cli.documents import read_declared
    from knoll.models import readable_models

    declared = read_declared(
        files, platform.settings, lambda: readable_models(platform.cluster.list("Model"))
    )
    return [Applied(one.model, _store(platform, one.document, dry_run=dry_run)) for one in declared]


def hints(platform: "Platform", applied: Sequence[Applied]) -> Iterator[str]:
    """What is allowed and probably a mistake, and which Models have no data yet."""
    yield from (f"Warning: {one}" for one in _warnings(platform, [one.model for one in applied]))
    for one in applied:
        uri = one.model.dataset.uri
        if _has_no_data(platform, uri):
            yield f"{uri} has no data yet. Next: knoll upload {one.model.name} PATH"
        if (golden := one.model.golden_set) and _has_no_data(platform, golden):
            yield f"Warning: {golden} has no files yet, and a run without its golden set is rejected"


def _warnings(platform: "Platform", declared: list["Model"]) -> list[str]:
    from knoll.laptop.resources import local_capacity
    from knoll.models import readable_models
    from knoll.views.doubts import doubts, overlaps
    from knoll.views.sense import shortages

    models = readable_models(platform.cluster.list("Model"))
    found = [words for one in declared for words in doubts(one)] + list(overlaps(declared, models))
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
    secrets = ["Secret"] if platform.settings.cluster == "local" else []  # a cluster deletes what is owned
    for kind in ("InferenceService", "Job", *secrets):
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
    given = {key: value for key, value in document["metadata"].items() if key != "resourceVersion"}
    try:
        platform.cluster.create({**document, "metadata": given})  # a file may be that of a stored Model
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
