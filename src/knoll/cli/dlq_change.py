"""`knoll dlq replay` and `knoll dlq drop`: publish dead letters again, or forget them.

Both work on the model bucket alone, so they are the same on a laptop and on a cluster.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.arguments import EventTypeOption
from knoll.cli.bars import progress
from knoll.cli.completion import complete_letters
from knoll.cli.dlq import LETTER_HELP, read_all
from knoll.cli.options import Output, OutputOption, TimeoutOption, YesOption
from knoll.cli.output import echo
from knoll.cli.session import errors_out, platform_of, print_json, program_of, say
from knoll.cli.who import user_name
from knoll.errors import Rejected
from knoll.quantities import counted
from knoll.waits import Wait, wait_document

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.views.letters import LetterView

__all__ = ["drop", "replay"]

_IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help=LETTER_HELP, autocompletion=complete_letters)
]
_Result = tuple[str, str, str]  # id, wanted | unchanged | refused, reason


def replay(
    ctx: typer.Context,
    letters: _IdsArgument = None,
    every: Annotated[
        bool, typer.Option("--all", "-a", help="All dead ones; those that were resent are left alone.")
    ] = False,
    type: EventTypeOption = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be resent, and change nothing.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("-w", "--watch", help="Wait until the broker has taken them.")
    ] = False,
    timeout: TimeoutOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Publish dead letters again, after you have mended what refused them.

    Example: knoll dlq replay --all --type dev.knoll.training

    This command leaves a wish in the model bucket. The next tick publishes the letters: within KNOLL_TICK
    seconds on a laptop, within a minute on a cluster. Events keep their id and source, so a function that has
    taken one already does nothing twice. A letter that dies again keeps its whole history. JSON: {"dryRun",
    "letters": [{letter, result: wanted|unchanged|refused, reason}]}; with -w then {"pending": AMOUNT, wait}
    for each change. Next: knoll dlq list --all
    """
    platform = platform_of(ctx)
    found = _chosen_letters(platform, letters, type, states=("Dead",), every=every)
    refused = _refused_letters(found)
    if refused and not every:
        raise next(iter(refused.values()))
    taken = [one for one in found if one.id not in refused]
    new = set() if dry_run else _ask_for_resends(taken, _asker(ctx), platform)
    told = [(one.id, "wanted" if dry_run or one.id in new else "unchanged", "") for one in taken]
    told += [(id, "refused", str(error)) for id, error in refused.items()]
    _print_results(ctx, told, output, dry_run=dry_run)
    if watch and taken and not dry_run:
        _watch_resends({one.id for one in taken}, platform, output, timeout)


def drop(
    ctx: typer.Context,
    letters: _IdsArgument = None,
    every: Annotated[bool, typer.Option("--all", "-a", help="All: dead, wanted, and resent ones.")] = False,
    resent: Annotated[
        bool, typer.Option("--replayed", help="All that were resent and have not died since.")
    ] = False,
    type: EventTypeOption = "",
    yes: YesOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Delete dead letters and their history. You cannot bring them back.

    Example: knoll dlq drop --replayed --yes

    Letters that cannot be read are dropped if you name them, and by --all without --type.

    JSON: {"dropped": [ID]}.
    Next: knoll dlq list
    """
    from knoll.dead_letters.resend import drop as drop_letter

    platform = platform_of(ctx)
    found = _ids_to_drop(platform, letters, type, every=every, resent=resent)
    if found and not yes:
        _confirm_drop(platform, found)
    with progress("Dropping", len(found)) as advance:
        for one in found:
            drop_letter(one, platform)
            advance(1)
    if output is Output.json:
        print_json({"dropped": found})
        return
    for one in found:
        echo(f"letter/{one} dropped")
    if not found:
        say(ctx, "No dead letters.")


def _ids_to_drop(
    platform: "Platform", ids: list[str] | None, type: str, *, every: bool, resent: bool
) -> list[str]:
    """The ids that a command line means. A letter is only read where its type or state matters."""
    from knoll.views.letters import find_letter_ids, letter_ids

    _check_choice(ids, type, every=every or resent)
    if ids:
        return find_letter_ids(platform, ids)
    if not (type or resent):
        return letter_ids(platform)
    return [one.id for one in read_all(platform, type) if not resent or one.state == "Replayed"]


def _confirm_drop(platform: "Platform", ids: Sequence[str]) -> None:
    """Show the letters, and ask. Raises typer.Abort."""
    from knoll.cli.render.letters import letters_table
    from knoll.views.letters import find_readable_letters

    shown = find_readable_letters(platform, ids)
    if shown:
        errors_out().print(letters_table(shown, platform.clock.now()))
    for one in sorted(set(ids) - {view.id for view in shown}):
        echo(f"letter/{one} cannot be read", err=True)
    typer.confirm(f"Drop {counted(len(ids), 'dead letter')} for good?", abort=True, err=True)


def _check_choice(ids: list[str] | None, type: str, *, every: bool) -> None:
    if bool(ids) == every or (ids and type):
        raise typer.BadParameter("name dead letters, or give --all, with --type if need be", param_hint="ID")


def _chosen_letters(
    platform: "Platform", ids: list[str] | None, type: str, *, states: Sequence[str], every: bool
) -> "list[LetterView]":
    """The letters that a command line means: those that it names, or all in these states."""
    from knoll.views.letters import find_letters

    _check_choice(ids, type, every=every)
    if ids:
        return find_letters(platform, ids)
    return [one for one in read_all(platform, type) if one.state in states]


def _refused_letters(letters: "Sequence[LetterView]") -> dict[str, Rejected]:
    """Those that cannot be resent, and why."""
    from knoll.dead_letters.resend import check_resendable

    refused = {}
    for one in letters:
        try:
            check_resendable(one.letter)
        except Rejected as error:
            refused[one.id] = error
    return refused


def _ask_for_resends(letters: "Sequence[LetterView]", by: str, platform: "Platform") -> set[str]:
    """Ask for a resend of each letter; the ids of those for which this is new."""
    from knoll.dead_letters.resend import want_resend

    new = set()
    with progress("Asking for resends", len(letters)) as advance:
        for one in letters:
            if want_resend(one.letter, by, platform):
                new.add(one.id)
            advance(1)
    return new


def _asker(ctx: typer.Context) -> str:
    """Who asks, for the history of the letter."""
    return f"{user_name()}, with {program_of(ctx)} dlq replay"


def _print_results(ctx: typer.Context, told: Sequence[_Result], output: Output, *, dry_run: bool) -> None:
    if output is Output.json:
        letters = [{"letter": id, "result": result, "reason": reason} for id, result, reason in told]
        print_json({"dryRun": dry_run, "letters": letters})
        return
    for id, result, reason in told:
        echo(f"letter/{id} {result}{f': {reason}' if reason else ''}{' (dry run)' if dry_run else ''}")
    if not told:
        say(ctx, "No dead letters.")
    elif not dry_run and any(result == "wanted" for _, result, _ in told):
        say(ctx, "The next tick publishes them. Next: knoll dlq list --all")


def _watch_resends(ids: set[str], platform: "Platform", output: Output, timeout: float | None) -> None:
    from knoll.cli.watch import Frame, watch
    from knoll.views.letters import count_wanted

    asked_at = platform.clock.now().isoformat()

    def show(pending: int) -> Frame:
        done = len(ids) - pending
        wait = Wait(
            f"{done} of {len(ids)} to be published", asked_at, "a tick publishes them", done, len(ids)
        )
        document = {"pending": pending, "wait": wait_document(wait if pending else None)}
        words = wait.told if pending else "All are published."
        return Frame(words, (words,), document, is_final=not pending)

    what = "a tick to publish the letters"
    watch(lambda: count_wanted(platform, ids), show, output, timeout=timeout, waiting_for=what)
