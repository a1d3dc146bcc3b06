"""`knoll events`: what has happened, as the broker keeps it."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knoll.cli.completion import complete_event_types, complete_models
from knoll.cli.session import Output, OutputOption, platform_of, print_json, settings_of

if TYPE_CHECKING:
    from knoll.events import Event

__all__ = ["events"]


def events(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    type: Annotated[
        str, typer.Option("--type", metavar="PREFIX", help="Only types that begin so.", autocompletion=complete_event_types)
    ] = "",
    model: Annotated[str, typer.Option("--model", help="Only events about this model.", autocompletion=complete_models)] = "",
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters: events that a function refused, or could not take.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="Begin with this many of the newest events.")] = 100,
    output: OutputOption = Output.table,
) -> None:
    """Print the events that the broker has taken, oldest first.

    Example: knoll events -f --type dev.knoll.rollout --model digits

    JSON: one CloudEvent in structured form on each line; dead letters have the extensions knativeerrordest, -code and -data.
    Next: knoll why MODEL
    """
    from knoll.events import event_to_json
    from knoll.wiring import laptop

    platform_of(ctx)
    log = laptop.history(settings_of(ctx))
    read = (lambda after: [(one.number, one.event) for one in log.dead_letters(after)]) if dead else log.history
    show: Callable[[Event], None] = (lambda event: print_json(event_to_json(event))) if output is Output.json else _print
    for event in _stream(read, lambda event: event.type.startswith(type) and model in ("", _model_of(event)), limit, follow=follow):
        show(event)


def _stream(
    read: "Callable[[int], list[tuple[int, Event]]]", is_wanted: "Callable[[Event], bool]", limit: int, *, follow: bool
) -> "Iterator[Event]":
    newest: deque[Event] = deque(maxlen=limit)
    after = 0
    while found := read(after):
        newest.extend(event for _, event in found if is_wanted(event))
        after = found[-1][0]
    yield from newest
    while follow:
        found = read(after)
        yield from (event for _, event in found if is_wanted(event))
        after = found[-1][0] if found else after
        time.sleep(0.3)


def _model_of(event: "Event") -> str:
    data = _fields(event.data)
    labels = _fields(_fields(data.get("metadata")).get("labels"))
    return str(data.get("model") or labels.get("knoll.dev/model") or event.subject)


def _fields(value: Any) -> dict[str, Any]:
    """The value if it is an object, else nothing: anybody may send the broker anything."""
    return value if isinstance(value, dict) else {}


def _print(event: "Event") -> None:
    data = _fields(event.data)
    keys = ("runId", "state", "progressPercentage", "version", "step", "percent", "objects", "reason", "metrics", "requests", "errors")
    error = {name.removeprefix("knativeerror"): value for name, value in event.extensions.items() if name.startswith("knativeerror")}
    shown = [*((key, data.get(key)) for key in keys), *error.items()]
    facts = " ".join(f"{key}={value}" for key, value in shown if value not in (None, "", {}))
    typer.echo(f"{event.time[11:19]}  {event.type}  {event.subject}  {facts}".rstrip())
