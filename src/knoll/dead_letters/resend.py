"""Resending a dead letter: a person asks for it, and the next tick publishes it.

A person cannot reach the broker of a cluster, but can reach the model bucket. So the wish is an object there,
and the sweep fulfils it, on a laptop as on a cluster. The order is: the wish, the publication, the mark with
the letter, the end of the wish. After a kill in between, the rest is done again. An event that is published
twice is the same event to its handler, and the same death if it dies again.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from knoll.dead_letters.handler import RESEND, keep_body, without_trace
from knoll.dead_letters.letters import Death, Letter, read_letter
from knoll.errors import InvalidEvent, NewerSchema, NotFound, Rejected, act_on_each
from knoll.events import Event
from knoll.ports import Platform
from knoll.records.dead_letter import (
    LetterObject,
    Resend,
    find_letter_object,
    list_wishes,
    remove_letter,
    remove_wish,
    write_resend,
    write_wish,
)

__all__ = ["TakeBody", "check_resendable", "drop", "resend_wanted", "want_resend"]

# called with the function that a body was meant for, the headers and the body
TakeBody = Callable[[str, Mapping[str, str], bytes], Event | None]

_MOST, _TIME = 500, timedelta(seconds=10)  # of one tick: the broker does not wait long for its answer


def check_resendable(letter: Letter) -> None:
    """Raises Rejected if the letter cannot be resent."""
    if not letter.last.can_be_resent:
        raise Rejected(
            f"dead letter {letter.id} cannot be resent: it is not an event, and nothing says which "
            f"function should get it: {letter.last.reason}",
            fix=f"knoll dlq show {letter.id} prints it: mend it, send it again, and drop the letter",
        )


def want_resend(letter: Letter, by: str, platform: Platform) -> bool:
    """Ask for a resend in the name of `by`. False if it is wanted already. Raises Rejected if the letter
    cannot be resent."""
    check_resendable(letter)
    number = letter.resends[-1].number + 1 if letter.resends else 1
    wish = Resend(number, platform.clock.now().isoformat(), by, tuple(one.name for one in letter.deaths))
    return write_wish(letter.id, wish, platform.bucket)


def drop(letter: str, platform: Platform) -> None:
    """Remove all of a letter."""
    remove_letter(letter, platform.bucket)


def resend_wanted(platform: Platform, take_body: TakeBody) -> None:
    """Resend the letters that are wanted: some hundreds at most, for some seconds. `take_body` gets those
    that are no event.

    If a letter cannot be resent now, it stays wanted, and the others go on.
    """
    until = platform.clock.now() + _TIME

    def resend(wish: LetterObject) -> None:
        if platform.clock.now() < until:
            _resend(wish, platform, take_body)

    act_on_each(list(islice(list_wishes(platform.bucket), _MOST)), resend)


def _resend(one: LetterObject, platform: Platform, take_body: TakeBody) -> None:
    try:
        wish = find_letter_object(one, platform.bucket)
        letter = _find(one.letter, platform)
    except (InvalidEvent, NewerSchema):  # it stays, and `knoll doctor` names it
        return
    if isinstance(wish, Resend) and letter and wish.number not in {done.number for done in letter.resends}:
        _publish(letter.last, f"{letter.id}.{wish.number}", platform, take_body)
        done = replace(wish, published_at=platform.clock.now().isoformat())
        write_resend(letter.id, done, platform.bucket)
    remove_wish(one, platform.bucket)


def _find(letter: str, platform: Platform) -> Letter | None:
    """The letter; None if it was dropped."""
    try:
        return read_letter(letter, platform.bucket)
    except NotFound:
        return None


def _publish(death: Death, name: str, platform: Platform, take_body: TakeBody) -> None:
    if death.event is not None:
        event = without_trace(death.event)
        platform.events.publish(replace(event, extensions={**event.extensions, RESEND: name}))
        return
    try:
        reply = take_body(death.meant_for, death.headers, death.body)
    except Rejected as error:
        keep_body(death.headers, death.body, str(error), platform, meant_for=death.meant_for, resend=name)
        return
    if reply is not None:
        platform.events.publish(reply)
