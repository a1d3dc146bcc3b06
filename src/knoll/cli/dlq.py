"""`knoll dlq list` and `knoll dlq show`: the dead letters in the model bucket."""

from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.arguments import EventTypeOption
from knoll.cli.completion import complete_letters
from knoll.cli.options import Output, OutputOption
from knoll.cli.session import errors_out, platform_of, print_json, say, stdout

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.views.letters import LetterView

__all__ = ["LETTER_HELP", "list_letters", "read_all", "show"]

LETTER_HELP = "Id of a dead letter, or the beginning of one."


def list_letters(
    ctx: typer.Context,
    type: EventTypeOption = "",
    every: Annotated[
        bool, typer.Option("--all", "-a", help="Also those that were resent and have not died since.")
    ] = False,
    output: OutputOption = Output.table,
) -> None:
    """List the dead letters, newest first: the event, why no function took it, how often, and whether a
    resend is wanted.

    Example: knoll dlq list --type dev.knoll.training

    JSON: {"letters": [{letter, state: Dead|Wanted|Replayed, type, subject, source, id, destination, code,
    reason, times, firstAt, lastAt, wait: {for, have, need, since, until, ends}}], "room": {letters,
    ofLetters, bytes, ofBytes, refused: {count, since, last, source} or null}}.
    Next: knoll dlq show ID, knoll dlq replay ID
    """
    from knoll.cli.render.letters import letters_table
    from knoll.quantities import counted
    from knoll.quoting import escaped
    from knoll.views.letter_room import FIX, read_letter_room, room_document, room_faults
    from knoll.views.letters import letter_document

    platform = platform_of(ctx)
    of_type, room = read_all(platform, type), read_letter_room(platform)
    found = [one for one in of_type if every or one.state != "Replayed"]
    if output is Output.json:
        print_json({"letters": [letter_document(one) for one in found], "room": room_document(room)})
        return
    if found:
        stdout().print(letters_table(found, platform.clock.now()))
    rest = len(of_type) - len(found)
    hidden = f" {counted(rest, 'other')} resent: knoll dlq list --all" if rest else ""
    if rest or not found:
        say(ctx, ("" if found else "No dead letters.") + hidden)
    for told in room_faults(room, platform.clock.now()):
        say(ctx, f"{escaped(told)}. {FIX}")


def show(
    ctx: typer.Context,
    letter: Annotated[str, typer.Argument(metavar="ID", help=LETTER_HELP, autocompletion=complete_letters)],
    output: OutputOption = Output.table,
) -> None:
    """Show a dead letter: its body, each time that no function took it, and every resend.

    Example: knoll dlq show 3f9c

    JSON: as one of knoll dlq list, and {deaths: [{at, destination, code, reason, replay}], replays: [{number,
    by, askedAt, publishedAt}], event: the CloudEvent, or headers and body in base64}. Next: knoll dlq replay
    ID, knoll dlq drop ID
    """
    from knoll.cli.render.letters import letter_picture
    from knoll.views.letters import find_letters, whole_document

    platform = platform_of(ctx)
    (found,) = find_letters(platform, [letter])
    if output is Output.json:
        print_json(whole_document(found))
    else:
        stdout().print(letter_picture(found, platform.clock.now()))


def read_all(platform: "Platform", type: str) -> "list[LetterView]":
    """The letters of the types that begin like this, newest first, with a sign that they are being read."""
    from knoll.views.letters import read_letters

    with errors_out().status("Reading the dead letters"):
        return read_letters(platform, type)
