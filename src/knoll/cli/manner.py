"""How a wish is left from the command line, and the options for that, which all its verbs share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any

from knoll.cli.options import AnswerTimeOption, DryRunOption, Output, OutputOption, WaitOption

__all__ = ["Manner", "with_manner"]

_PATIENCE = 30.0


@dataclass(frozen=True)
class Manner:
    """How a wish is left: whether the command waits for the answer, and for how many seconds; whether it only
    tries the wish out; and how it prints the result."""

    waits: bool
    seconds: float
    is_dry: bool
    output: Output


def with_manner(verb: Callable[..., None]) -> Callable[..., None]:
    """The command of a verb: typer sees options where the verb has its parameter `manner`."""
    options = signature(_manner_of).parameters
    own = {name: one for name, one in signature(verb).parameters.items() if name != "manner"}

    @wraps(verb)
    def command(**given: Any) -> None:
        manner = _manner_of(**{name: given.pop(name) for name in options})
        verb(**given, manner=manner)

    shown = [*own.values(), *options.values()]
    command.__signature__ = signature(verb).replace(parameters=shown)  # type: ignore[attr-defined]
    return command


def _manner_of(
    wait: WaitOption = True,
    timeout: AnswerTimeOption = _PATIENCE,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.table,
) -> Manner:
    return Manner(wait, timeout, dry_run, output)
