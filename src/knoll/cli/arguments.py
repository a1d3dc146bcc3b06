"""Arguments that commands share, with their completion.

A text that cannot be a name is reported as not there, without a question to any store. It may not even be
UTF-8.
"""

from re import Pattern
from typing import Annotated

import typer

from knoll.cli.completion import complete_event_types, complete_models, complete_runs, complete_versions
from knoll.errors import NotFound
from knoll.names import OBJECT_NAME, VERSION_NAME

__all__ = [
    "EventTypeOption",
    "ModelArgument",
    "ModelsArgument",
    "OneModelArgument",
    "RunArgument",
    "VersionArgument",
    "version_name",
    "version_names",
]


def _model_name(name: str) -> str:
    """The name, or "" for none. Raises NotFound if no Model can have it."""
    return _name(name, OBJECT_NAME, "model", "there is no Model of that name", "knoll models lists them")


def _model_names(names: list[str] | None) -> list[str] | None:
    """Each of the names, as `_model_name`."""
    return names and [_model_name(one) for one in names]


def version_name(name: str) -> str:
    """The name, or "" for none. Raises NotFound if no version can have it."""
    return _name(
        name, VERSION_NAME, "version", "it does not exist", "knoll versions MODEL lists those that do"
    )


def version_names(names: tuple[str, str] | None) -> tuple[str, str] | None:
    """Both names, as `version_name`."""
    return names and (version_name(names[0]), version_name(names[1]))


def _name(name: str, form: Pattern[str], what: str, fault: str, fix: str) -> str:
    if name and not form.fullmatch(name):
        raise NotFound(f"{what} {name}: {fault}", fix=fix)
    return name


ModelArgument = Annotated[
    str, typer.Argument(help="Name of the model.", autocompletion=complete_models, callback=_model_name)
]
OneModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Only this model; default all.",
        autocompletion=complete_models,
        callback=_model_name,
    ),
]
ModelsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL",
        help="Only these models; default all.",
        autocompletion=complete_models,
        callback=_model_names,
    ),
]
RunArgument = Annotated[
    str,
    typer.Argument(
        help="Run id, a unique prefix of one, or a model for its newest run.", autocompletion=complete_runs
    ),
]
VersionArgument = Annotated[
    str,
    typer.Argument(
        metavar="VERSION",
        help="Default: the version that serves.",
        autocompletion=complete_versions,
        callback=version_name,
    ),
]
EventTypeOption = Annotated[
    str,
    typer.Option(
        "--type",
        metavar="PREFIX",
        help="Only types that begin like this.",
        autocompletion=complete_event_types,
    ),
]
