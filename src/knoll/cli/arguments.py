"""Arguments that commands share, with their completion."""

from typing import Annotated

import typer

from knoll.cli.completion import complete_event_types, complete_models, complete_runs, complete_versions

__all__ = ["EventTypeOption", "ModelArgument", "RunArgument", "VersionArgument"]

ModelArgument = Annotated[str, typer.Argument(help="Name of the model.", autocompletion=complete_models)]
RunArgument = Annotated[
    str,
    typer.Argument(
        help="Run id, a unique prefix of one, or a model for its newest run.", autocompletion=complete_runs
    ),
]
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
