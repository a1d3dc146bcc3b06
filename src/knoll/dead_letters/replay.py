"""Replaying a dead letter: somebody says that it is wanted, and the next tick publishes it.

A broker of a cluster cannot be reached from outside, the model bucket can: so the wish is an object, and
whoever sweeps does what it says, on a laptop as on a cluster. The order is: the wish; the publication; the
mark with the letter; the end of the wish. Whatever is killed in between is done again, and an event that is
published twice so is the same event to its handler, and the same death if it dies again.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import islice

from knoll.dead_letters.handler import REPLAY, keep_body, without_trace
from knoll.dead_letters.letters import Death, Letter, Replay, load_replay, read_letter, wanted_replays
from knoll.errors import AlreadyExists, NotFound, Rejected, act_on_each
from knoll.events import Event
from knoll.names import join
from knoll.ports import Platform
from knoll.records.dead_letter import dead_letter_uri, replay_uri, wanted_replay_uri, wanted_replays_uri

__all__ = ["TakeBody", "check_replayable", "drop", "replay_wanted", "want_replay"]

TakeBody = Callable[[Mapping[str, str], bytes], Event | None]

_MOST = 500  # in one tick: a broker waits for its answer a minute


def check_replayable(letter: Letter) -> None:
    """Raises Rejected for what cannot be replayed."""
    if not letter.last.can_be_replayed:
        raise Rejected(
            f"dead letter {letter.id} is no event, and nobody knows whom it was meant for: "
            f"{letter.last.reason}",
            fix=f"knoll dlq show {letter.id} prints it: mend it, send it again, and drop the letter",
        )


def want_replay(letter: Letter, by: str, platform: Platform) -> bool:
    """Ask for a replay in the name of `by`; False when somebody has asked already. Raises Rejected for what
    cannot be replayed."""
    check_replayable(letter)
    number = letter.replays[-1].number + 1 if letter.replays else 1
    wish = Replay(number, platform.clock.now().isoformat(), by, tuple(one.name for one in letter.deaths))
    try:
        platform.store.put(
            wanted_replay_uri(platform.settings.model_root, letter.id, number), _dump(wish), if_absent=True
        )
    except AlreadyExists:
        return False
    return True


def drop(letter: str, platform: Platform) -> None:
    """Remove all of a letter. Its deaths go last: a letter that is left half way can still be seen, and
    dropped again."""
    root = platform.settings.model_root
    lying = sorted((one.uri for one in platform.store.list(dead_letter_uri(root, letter))), reverse=True)
    wanted = [one.uri for one in platform.store.list(join(wanted_replays_uri(root), f"{letter}."))]
    for uri in (*wanted, *lying):
        platform.store.delete(uri)


def replay_wanted(platform: Platform, take_body: TakeBody) -> None:
    """Replay what is wanted, the first hundreds of it; `take_body` is given what came as no event.

    One that cannot be replayed now does not stop the others, and stays wanted.
    """
    wanted = list(islice(wanted_replays(platform.store, platform.settings.model_root), _MOST))
    act_on_each(wanted, lambda one: _replay(*one, platform, take_body))


def _replay(uri: str, letter: str, platform: Platform, take_body: TakeBody) -> None:
    try:
        wish = load_replay(platform.store.get(uri))
        found = read_letter(platform.store, platform.settings.model_root, letter)
    except NotFound:  # somebody has dropped the letter, or another tick has done it
        platform.store.delete(uri)
        return
    if wish.number not in {one.number for one in found.replays}:
        _publish(found.last, f"{letter}.{wish.number}", platform, take_body)
        _mark(letter, wish, platform)
    platform.store.delete(uri)


def _publish(death: Death, name: str, platform: Platform, take_body: TakeBody) -> None:
    if death.event is not None:
        event = without_trace(death.event)
        platform.events.publish(replace(event, extensions={**event.extensions, REPLAY: name}))
        return
    try:
        reply = take_body(death.headers, death.body)
    except Rejected as error:
        keep_body(death.headers, death.body, str(error), platform, meant_for=death.meant_for, replayed=name)
        return
    if reply is not None:
        platform.events.publish(reply)


def _mark(letter: str, wish: Replay, platform: Platform) -> None:
    done = replace(wish, published_at=platform.clock.now().isoformat())
    with suppress(AlreadyExists):
        platform.store.put(
            replay_uri(platform.settings.model_root, letter, wish.number), _dump(done), if_absent=True
        )


def _dump(replay: Replay) -> bytes:
    return json.dumps(asdict(replay), indent=1).encode()
