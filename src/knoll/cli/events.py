"""`knoll events`: what has happened, as the broker keeps it."""

import base64
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
    from knoll.dead_letters.handler import DeadLetter
    from knoll.events import Event
    from knoll.ports import Platform

    _Read = Callable[[int], list[tuple[int, Event]]]

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
    """Print the events that the broker has taken, oldest first; on a cluster, whose broker forgets them, the dead letters with --dead.

    Example: knoll events -f --type dev.knoll.rollout --model digits

    JSON: one CloudEvent in structured form on each line; dead letters have the extensions knativeerrordest, -code and -data.
    Next: knoll why MODEL
    """
    from knoll.events import event_to_json

    platform = platform_of(ctx)
    is_remote = platform.settings.cluster == "kubernetes"
    read, every = (_of_cluster(platform, dead=dead), 5.0) if is_remote else (_of_laptop(platform, dead=dead), 0.3)
    show: Callable[[Event], None] = (lambda event: print_json(event_to_json(event))) if output is Output.json else _print
    for event in _stream(
        read, lambda event: event.type.startswith(type) and model in ("", _model_of(event)), limit, every if follow else 0
    ):
        show(event)


def _of_laptop(platform: "Platform", *, dead: bool) -> "_Read":
    from knoll.wiring import laptop

    log = laptop.history(platform.settings)
    return (lambda after: [(one.number, one.event) for one in log.dead_letters(after)]) if dead else log.history


def _of_cluster(platform: "Platform", *, dead: bool) -> "_Read":
    """The dead letters that the function knoll-dead-letters keeps. Raises KnollError for events, which no broker there keeps."""
    from knoll.dead_letters.handler import read_dead_letters

    if not dead:
        fix = "knoll events --dead shows what nobody took; knoll why MODEL and knoll runs tell from records what has happened"
        raise KnollError("the Broker of a cluster keeps no history of its events", fix=fix)

    def read(after: int) -> "list[tuple[int, Event]]":
        found = enumerate(read_dead_letters(platform.store, platform.settings.model_root), 1)
        return [(number, _event_of(letter)) for number, letter in found if number > after]

    return read


def _event_of(letter: "DeadLetter") -> "Event":
    """The event with its reason in plain words, or one that says what came in its place."""
    from knoll.events import Event

    if letter.event is None:
        data = {"reason": letter.body[:500].decode(errors="replace")}
        return Event(letter.headers.get("ce-id", ""), letter.headers.get("ce-source", ""), "not-an-event", letter.at, data=data)
    extensions = {name: _plain(value) if name == "knativeerrordata" else value for name, value in letter.event.extensions.items()}
    return replace(letter.event, time=letter.event.time or letter.at, extensions=extensions)


def _plain(text: str) -> str:
    """What a function answered; Knative's broker puts it in base64."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return text


def _stream(read: "_Read", is_wanted: "Callable[[Event], bool]", limit: int, every: float) -> "Iterator[Event]":
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
    keys = ("runId", "state", "progressPercentage", "version", "step", "percent", "objects", "reason", "metrics", "requests", "errors")
    error = {name.removeprefix("knativeerror"): value for name, value in event.extensions.items() if name.startswith("knativeerror")}
    shown = [*((key, data.get(key)) for key in keys), *error.items()]
    facts = " ".join(f"{key}={value}" for key, value in shown if value not in (None, "", {}))
    typer.echo(f"{event.time[11:19]}  {event.type}  {event.subject}  {facts}".rstrip())
