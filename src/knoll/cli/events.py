"""`knoll events`: what has happened, as the broker keeps it."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knoll.cli.completion import complete_event_types, complete_models
from knoll.cli.session import Output, OutputOption, platform_of, print_json
from knoll.errors import KnollError

if TYPE_CHECKING:
    from knoll.dead_letters.letters import Death
    from knoll.events import Event
    from knoll.ports import Platform

    _Read = Callable[[int], list[tuple[int, Event]]]

__all__ = ["events"]


def events(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    type: Annotated[
        str,
        typer.Option(
            "--type", metavar="PREFIX", help="Only types that begin so.", autocompletion=complete_event_types
        ),
    ] = "",
    model: Annotated[
        str, typer.Option("--model", help="Only events about this model.", autocompletion=complete_models)
    ] = "",
    dead: Annotated[
        bool,
        typer.Option("--dead", help="Only dead letters: events that a function refused, or could not take."),
    ] = False,
    limit: Annotated[int, typer.Option(min=0, help="Begin with this many of the newest events.")] = 100,
    output: OutputOption = Output.table,
) -> None:
    """Print the events that the broker has taken, oldest first; on a cluster, whose broker forgets them, the
    dead letters with --dead.

    Example: knoll events -f --type dev.knoll.rollout --model digits

    JSON: one CloudEvent in structured form on each line; dead letters have the extensions knativeerrordest,
    -code and -data. Next: knoll why MODEL, knoll dlq list
    """
    from knoll.events import event_to_json

    platform = platform_of(ctx)
    read, every = (_deaths(platform), 5.0) if dead else (_history(platform), 0.3)
    show: Callable[[Event], None] = (
        (lambda event: print_json(event_to_json(event))) if output is Output.json else _print
    )
    for event in _stream(
        read,
        lambda event: event.type.startswith(type) and model in ("", _model_of(event)),
        limit,
        every if follow else 0,
    ):
        show(event)


def _history(platform: "Platform") -> "_Read":
    """What the broker has taken. Raises KnollError on a cluster, where no broker keeps it."""
    if platform.settings.cluster == "kubernetes":
        fix = (
            "knoll events --dead shows what nobody took; "
            "knoll why MODEL and knoll runs tell from records what has happened"
        )
        raise KnollError("the Broker of a cluster keeps no history of its events", fix=fix)
    from knoll.wiring import laptop

    return laptop.history(platform.settings).history


def _deaths(platform: "Platform") -> "_Read":
    """Each time that nobody took an event, as the dead-letters function keeps it, oldest first."""
    from knoll.dead_letters.letters import read_dead_letters

    seen: set[tuple[str, str]] = set()

    def read(after: int) -> "list[tuple[int, Event]]":
        letters = read_dead_letters(platform.store, platform.settings.model_root)
        found = {(letter.id, death.name): death for letter in letters for death in letter.deaths}
        new = sorted((name for name in found if name not in seen), key=lambda name: (found[name].at, name))
        seen.update(new)
        return [(after + number, _event_of(found[name])) for number, name in enumerate(new, 1)]

    return read


def _event_of(death: "Death") -> "Event":
    """The event with its reason in plain words, or one that says what came in its place."""
    from knoll.events import Event

    if death.event is None:
        data = {"reason": death.body[:500].decode(errors="replace")}
        return Event(
            death.headers.get("ce-id", ""),
            death.headers.get("ce-source", ""),
            "not-an-event",
            death.at,
            data=data,
        )
    told = {"knativeerrordata": death.reason} if death.reason else {}
    return replace(
        death.event, time=death.event.time or death.at, extensions={**death.event.extensions, **told}
    )


def _stream(
    read: "_Read", is_wanted: "Callable[[Event], bool]", limit: int, every: float
) -> "Iterator[Event]":
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


def _model_of(event: "Event") -> str:
    data = _fields(event.data)
    labels = _fields(_fields(data.get("metadata")).get("labels"))
    return str(data.get("model") or labels.get("knoll.dev/model") or event.subject)


def _fields(value: Any) -> dict[str, Any]:
    """The value if it is an object, else nothing: anybody may send the broker anything."""
    return value if isinstance(value, dict) else {}


def _print(event: "Event") -> None:
    data = _fields(event.data)
    keys = (
        "runId",
        "state",
        "progressPercentage",
        "version",
        "step",
        "percent",
        "objects",
        "reason",
        "metrics",
        "requests",
        "errors",
    )
    error = {
        name.removeprefix("knativeerror"): value
        for name, value in event.extensions.items()
        if name.startswith("knativeerror")
    }
    shown = [*((key, data.get(key)) for key in keys), *error.items()]
    facts = " ".join(f"{key}={value}" for key, value in shown if value not in (None, "", {}))
    typer.echo(f"{event.time[11:19]}  {event.type}  {event.subject}  {facts}".rstrip())
