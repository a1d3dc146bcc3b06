"""A wish from the command line: it is left on the Model, and its answer is waited for and printed."""

import time
from typing import TYPE_CHECKING

import typer

from knoll.cli.failures import TimedOut
from knoll.cli.grammar import spoken
from knoll.cli.interrupts import leaving
from knoll.cli.manner import Manner
from knoll.cli.options import Output
from knoll.cli.output import echo
from knoll.cli.session import platform_of, print_json, program_of, say
from knoll.cli.who import user_name
from knoll.exits import FAILURE
from knoll.names import VERSION_NAME

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.rollout.asking import WishAnswer
    from knoll.rollout.slot import Slot
    from knoll.rollout.wishes import Verb, Wish

__all__ = ["steer"]

_EVERY = 0.3  # seconds between two looks for the answer


def steer(
    ctx: typer.Context,
    model: str,
    verb: "Verb",
    manner: Manner,
    version: str = "",
    *,
    is_full: bool = False,
    because: str = "",
) -> None:
    """Leave the wish for the version that is named, or else for the one that the user sees. Wait for its
    answer, and print it; exit code 1 if it is not granted.

    Raises TimedOut.
    """
    from knoll.rollout.asking import WishAnswer, ask
    from knoll.rollout.wishes import new_wish
    from knoll.views.models import find_model
    from knoll.views.wishes import foresee_answer

    if version and not VERSION_NAME.fullmatch(version):
        raise typer.BadParameter(f"{version!r} is no version, such as v000002", param_hint="VERSION")
    platform = platform_of(ctx)
    find_model(platform, model)

    def make(slot: "Slot") -> "Wish":
        seen = version or (slot.previous if verb == "undo" else slot.candidate or slot.hooked.starts)
        at = platform.clock.now().isoformat()
        return new_wish(verb, seen, user_name(), at, is_full=is_full, because=because)

    if manner.is_dry:
        wish, answer = foresee_answer(platform, model, make)
    else:
        wish, replaced = ask(platform, model, make)
        if replaced:
            say(ctx, f"{replaced.by} asked to {replaced.words}; that was not handled yet, and is dropped.")
        answer = _wait_for(platform, model, wish, manner.seconds) if manner.waits else WishAnswer()
    _print(ctx, model, wish, answer, manner)
    if answer.result in ("refused", "lost"):
        raise typer.Exit(FAILURE)


def _wait_for(platform: "Platform", model: str, wish: "Wish", seconds: float) -> "WishAnswer":
    from knoll.rollout.asking import find_answer

    deadline = time.monotonic() + seconds
    with leaving("The wish stays with the Model, and is handled without this command."):
        while (answer := find_answer(platform, model, wish)).result == "wanted":
            if time.monotonic() >= deadline:
                raise TimedOut(
                    f"model/{model} {wish.words}: asked, and not handled within {seconds:g} s",
                    fix=f"knoll rollout status {model}: the wish stays with the Model",
                )
            time.sleep(_EVERY)
    return answer


def _print(ctx: typer.Context, model: str, wish: "Wish", answer: "WishAnswer", manner: Manner) -> None:
    is_dry, reason = manner.is_dry, spoken(program_of(ctx), answer.reason)
    if manner.output is Output.json:
        print_json(
            {
                "model": model,
                "verb": wish.verb,
                "version": wish.version,
                "id": wish.id,
                "result": answer.result,
                "reason": reason,
                "dryRun": is_dry,
            }
        )
        return
    told = f"{answer.result}: {reason}" if reason else answer.result
    echo(f"model/{model} {wish.words} {told}{' (dry run)' if is_dry else ''}")
    if answer.result == "wanted" and not is_dry:
        say(ctx, f"The command does not wait for the answer. Next: knoll rollout status {model}")
