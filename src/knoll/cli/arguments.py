"""Arguments that commands share, with their completion."""

from typing import Annotated

import typer

from knoll.cli.completion import complete_event_types, complete_models, complete_versions

__all__ = ["EventTypeOption", "ModelArgument", "VersionArgument"]

ModelArgument = Annotated[str, typer.Argument(help="Name of the model.", autocompletion=complete_models)]
VersionArgument = Annotated[
    str,
    typer.Argument(
        metavar="VERSION", help="Default: the version that serves.", autocompletion=complete_versions
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
