"""`knoll dlq`: dead letters, and what can be done about them: the same on a laptop and on a cluster, by way
of the model bucket."""

import getpass
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.bars import progress
from knoll.cli.completion import complete_event_types, complete_letters
from knoll.cli.session import (
    Output,
    OutputOption,
    TimeoutOption,
    YesOption,
    errors_out,
    platform_of,
    print_json,
    program_of,
    say,
    stdout,
)
from knoll.cli.tables import plain_table
from knoll.cli.units import counted
from knoll.errors import Rejected

if TYPE_CHECKING:
    from knoll.cli.watch import Frame
    from knoll.dead_letters.letters import Letter
    from knoll.ports import Platform

__all__ = ["drop", "list_letters", "replay", "show"]

_LETTER = "Id of a dead letter, or how one begins."
_IdArgument = Annotated[str, typer.Argument(metavar="ID", help=_LETTER, autocompletion=complete_letters)]
_IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help=_LETTER, autocompletion=complete_letters)
]
_TypeOption = Annotated[
    str,
    typer.Option(
        "--type", metavar="PREFIX", help="Only types that begin so.", autocompletion=complete_event_types
    ),
]


def list_letters(
    ctx: typer.Context,
    type: _TypeOption = "",
    every: Annotated[
        bool, typer.Option("--all", "-a", help="Also those that were replayed and have not died since.")
    ] = False,
    output: OutputOption = Output.table,
) -> None:
    """List the dead letters: what no function took, why, how often, and whether it is to be replayed. The
    newest stands first.

    Example: knoll dlq list --type dev.knoll.training

    JSON: {"letters": [{letter, state: Dead|Wanted|Replayed, type, subject, source, id, destination, code,
    reason, times, firstAt, lastAt}]}. Next: knoll dlq show ID, knoll dlq replay ID
    """
    from knoll.cli.dlq_view import HEADINGS, letter_document, letter_row

    platform = platform_of(ctx)
    of_type = _all_letters(platform, type)
    found = [one for one in of_type if every or one.state != "Replayed"]
    if output is Output.json:
        print_json({"letters": [letter_document(one) for one in found]})
        return
    if found:
        stdout().print(plain_table(HEADINGS, (letter_row(one, platform.clock.now()) for one in found)))
    rest = len(of_type) - len(found)
    hidden = f" {counted(rest, 'other')} replayed: knoll dlq list --all" if rest else ""
    if rest or not found:
        say(ctx, ("" if found else "No dead letters.") + hidden)


def show(ctx: typer.Context, letter: _IdArgument, output: OutputOption = Output.table) -> None:
    """Show a dead letter with its body, every time that nobody took it, and every replay.

    Example: knoll dlq show 3f9c

    JSON: as one of knoll dlq list, and {deaths: [{at, destination, code, reason, replay}], replays: [{number,
    by, askedAt, publishedAt}], event: the CloudEvent, or headers and body in base64}. Next: knoll dlq replay
    ID, knoll dlq drop ID
    """
    from knoll.cli.dlq_view import find_letters, letter_picture, whole_document

    platform = platform_of(ctx)
    (found,) = find_letters(platform, [letter])
    if output is Output.json:
        print_json(whole_document(found))
    else:
        stdout().print(letter_picture(found, platform.clock.now()))


def replay(
    ctx: typer.Context,
    letters: _IdsArgument = None,
    every: Annotated[
        bool, typer.Option("--all", "-a", help="All that are dead; what was replayed is left alone.")
    ] = False,
    type: _TypeOption = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be replayed, and change nothing.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("-w", "--watch", help="Wait until the broker has taken them.")
    ] = False,
    timeout: TimeoutOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Publish dead letters again, once what refused them is mended.

    Example: knoll dlq replay --all --type dev.knoll.training

    The next tick does it, within KNOLL_TICK seconds on a laptop and a minute on a cluster: this command
    leaves the wish in the model bucket. Events keep their id and source, so whoever has taken one already
    does nothing twice. A letter that dies again is dead again, with its whole history. JSON: {"dryRun",
    "letters": [{letter, result: wanted|unchanged|refused, reason}]}; with -w then {"pending": AMOUNT} for
    each change. Next: knoll dlq list --all
    """
    platform = platform_of(ctx)
    found = _chosen(platform, letters, type, states=("Dead",), every=every)
    refused = _refused(found)
    if refused and not every:
        raise next(iter(refused.values()))
    taken = [one for one in found if one.id not in refused]
    new = set() if dry_run else _want(taken, _who(ctx), platform)
    told = [(one.id, "wanted" if dry_run or one.id in new else "unchanged", "") for one in taken]
    told += [(id, "refused", str(error)) for id, error in refused.items()]
    _tell(ctx, told, output, dry_run=dry_run)
    if watch and taken and not dry_run:
        _wait({one.id for one in taken}, platform, output, timeout)


def drop(
    ctx: typer.Context,
    letters: _IdsArgument = None,
    every: Annotated[
        bool, typer.Option("--all", "-a", help="All, be they dead, wanted or replayed.")
    ] = False,
    replayed: Annotated[
        bool, typer.Option("--replayed", help="All that were replayed and have not died since.")
    ] = False,
    type: _TypeOption = "",
    yes: YesOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Forget dead letters, with their history. They cannot be brought back.

    Example: knoll dlq drop --replayed --yes

    JSON: {"dropped": [ID]}.
    Next: knoll dlq list
    """
    from knoll.cli.dlq_view import HEADINGS, letter_row
    from knoll.dead_letters.replay import drop as drop_letter

    platform = platform_of(ctx)
    states = ("Replayed",) if replayed else ("Dead", "Wanted", "Replayed")
    found = _chosen(platform, letters, type, states=states, every=every or replayed)
    if found and not yes:
        errors_out().print(plain_table(HEADINGS, (letter_row(one, platform.clock.now()) for one in found)))
        typer.confirm(f"Drop {counted(len(found), 'dead letter')} for good?", abort=True, err=True)
    with progress("Dropping", len(found)) as advance:
        for one in found:
            drop_letter(one.id, platform)
            advance(1)
    if output is Output.json:
        print_json({"dropped": [one.id for one in found]})
        return
    for one in found:
        typer.echo(f"letter/{one.id} dropped")
    if not found:
        say(ctx, "No dead letters.")


def _all_letters(platform: "Platform", type: str) -> "list[Letter]":
    """Those of the types that begin so, that which died last in front."""
    from knoll.cli.dlq_view import type_of
    from knoll.dead_letters.letters import read_dead_letters

    with errors_out().status("Reading the dead letters"):
        letters = read_dead_letters(platform.store, platform.settings.model_root)
    return [one for one in reversed(letters) if type_of(one).startswith(type)]


def _chosen(
    platform: "Platform", ids: list[str] | None, type: str, *, states: Sequence[str], every: bool
) -> "list[Letter]":
    """The letters that a command line means: those that it names, or all in these states."""
    from knoll.cli.dlq_view import find_letters

    if bool(ids) == every or (ids and type):
        raise typer.BadParameter(
            "name dead letters, or say --all, and which --type of all if need be", param_hint="ID"
        )
    if ids:
        return find_letters(platform, ids)
    return [one for one in _all_letters(platform, type) if one.state in states]


def _refused(letters: "Sequence[Letter]") -> dict[str, Rejected]:
    """Those that cannot be replayed, and why."""
    from knoll.dead_letters.replay import check_replayable

    refused = {}
    for letter in letters:
        try:
            check_replayable(letter)
        except Rejected as error:
            refused[letter.id] = error
    return refused


def _want(letters: "Sequence[Letter]", by: str, platform: "Platform") -> set[str]:
    """Ask for a replay of each, and tell for which nobody had asked."""
    from knoll.dead_letters.replay import want_replay

    new = set()
    with progress("Asking for replays", len(letters)) as advance:
        for letter in letters:
            if want_replay(letter, by, platform):
                new.add(letter.id)
            advance(1)
    return new


def _who(ctx: typer.Context) -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # nobody has told the system who this is
        name = "somebody"
    return f"{name}, with {program_of(ctx)} dlq replay"


def _tell(ctx: typer.Context, told: list[tuple[str, str, str]], output: Output, *, dry_run: bool) -> None:
    if output is Output.json:
        print_json(
            {
                "dryRun": dry_run,
                "letters": [
                    {"letter": id, "result": result, "reason": reason} for id, result, reason in told
                ],
            }
        )
        return
    for id, result, reason in told:
        typer.echo(f"letter/{id} {result}{f': {reason}' if reason else ''}{' (dry run)' if dry_run else ''}")
    if not told:
        say(ctx, "No dead letters.")
    elif not dry_run and any(result == "wanted" for _, result, _ in told):
        say(ctx, "The next tick publishes them. Next: knoll dlq list --all")


def _wait(ids: set[str], platform: "Platform", output: Output, timeout: float | None) -> None:
    from knoll.cli.watch import Frame, watch
    from knoll.dead_letters.letters import wanted_replays

    def look() -> "Frame":
        pending = len(
            ids & {letter for _, letter in wanted_replays(platform.store, platform.settings.model_root)}
        )
        words = f"{counted(pending, 'letter')} to be published" if pending else "All are published."
        return Frame(words, (words,), {"pending": pending}, is_final=not pending)

    watch(look, output, timeout=timeout, waiting_for="a tick to publish the letters")
