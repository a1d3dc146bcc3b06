"""`knoll events`: what has happened, as the broker keeps it."""

import time
from collections import deque
from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.arguments import EventTypeOption
from knoll.cli.completion import complete_models
from knoll.cli.options import Output, OutputOption
from knoll.cli.output import echo
from knoll.cli.session import platform_of, print_json
from knoll.errors import KnollError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knoll.events import Event
    from knoll.ports import Platform
    from knoll.views.events import EventFilter, ReadEvents

__all__ = ["events"]


def events(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    type: EventTypeOption = "",
    model: Annotated[
        str, typer.Option("--model", help="Only events about this model.", autocompletion=complete_models)
    ] = "",
    dead: Annotated[
        bool,
        typer.Option("--dead", help="Only dead letters: events that a function refused or could not take."),
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", "-a", help="Also ticks, which only tell the functions to look.")
    ] = False,
    limit: Annotated[int, typer.Option(min=0, help="Begin with this many of the newest events.")] = 100,
    output: OutputOption = Output.table,
) -> None:
    """Print the events that the broker has taken, oldest first. On a cluster the broker keeps none: use
    --dead.

    Example: knoll events -f --type dev.knoll.rollout --model digits

    JSON: one CloudEvent in structured form on each line; dead letters also have knativeerrordest,
    knativeerrorcode and knativeerrordata. Next: knoll why MODEL, knoll dlq list
    """
    from knoll.events import event_to_json
    from knoll.views.events import EventFilter, reader_of_deaths

    platform = platform_of(ctx)
    read, pause = (reader_of_deaths(platform), 5.0) if dead else (_history(platform), 0.3)
    for event in _stream(read, EventFilter(type, model, every or dead), limit, pause if follow else 0):
        if output is Output.json:
            print_json(event_to_json(event))
        else:
            echo(_line(event))


def _stream(read: "ReadEvents", is_wanted: "EventFilter", limit: int, every: float) -> "Iterator[Event]":
    """The newest `limit` events, oldest first; then further ones, with a look every `every` seconds, or never
    for 0."""
    newest: deque[Event] = deque(maxlen=limit)
    after = 0
    while found := read(after):
        newest.extend(event for _, event in found if is_wanted(event))
        after = found[-1][0]
    yield from newest
    while every:
        found = read(after)
        yield from (event for _, event in found if is_wanted(event))
        after = found[-1][0] if found else after
        time.sleep(every)


def _history(platform: "Platform") -> "ReadEvents":
    """The events that the broker has taken. Raises KnollError on a cluster, whose broker keeps none."""
    if platform.settings.cluster == "kubernetes":
        fix = (
            "knoll events --dead shows the events that no function took; "
            "knoll why MODEL and knoll runs show from records what has happened"
        )
        raise KnollError("the Broker of a cluster keeps no history of its events", fix=fix)
    from knoll.wiring.platform import event_log

    return event_log(platform.settings).history


def _line(event: "Event") -> str:
    from knoll.views.events import facts_of

    facts = " ".join(f"{key}={value}" for key, value in facts_of(event).items())
    return f"{event.time[11:19]}  {event.type}  {event.subject}  {facts}".rstrip()
