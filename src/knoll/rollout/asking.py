"""How a human asks: the wish is left on the Model, and its answer is read from there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from knoll.errors import Conflict, KnollError
from knoll.kube.annotations import ROLLOUT_WISH
from knoll.ports import Document, Platform
from knoll.rollout.slot import Slot, slot_from_status
from knoll.rollout.wishes import Wish, open_wish

__all__ = ["WishAnswer", "ask", "find_answer"]

_TRIES = 10


@dataclass(frozen=True)
class WishAnswer:
    """What became of a wish, and why. Lost: another one took its place before it was handled, or was handled
    since."""

    result: Literal["wanted", "granted", "refused", "lost"] = "wanted"
    reason: str = ""


def ask(platform: Platform, model: str, make: Callable[[Slot], Wish]) -> tuple[Wish, Wish | None]:
    """Write the wish that `make` makes of the slot, if the Model is still the one that was read. Returns this
    wish, and the wish that it replaces, if that was not handled yet.

    Raises NotFound for no such Model, and KnollError if the Model changes again and again.
    """
    for _ in range(_TRIES):
        document = platform.cluster.get("Model", model)
        slot = slot_from_status(document.get("status") or {})
        wish, replaced = make(slot), open_wish(document, slot)
        try:
            platform.cluster.update(_with_wish(document, wish))
        except Conflict:
            continue
        return wish, replaced
    raise KnollError(f"model {model}: it changed during each of {_TRIES} tries", fix="run the command again")


def find_answer(platform: Platform, model: str, wish: Wish) -> WishAnswer:
    """What has become of the wish by now. Raises NotFound for no such Model."""
    document = platform.cluster.get("Model", model)
    slot = slot_from_status(document.get("status") or {})
    handled = slot.steering.handled
    if handled.id == wish.id:
        return WishAnswer("refused" if handled.is_refused else "granted", handled.answer)
    newest = open_wish(document, slot)
    return (
        WishAnswer()
        if newest and newest.id == wish.id
        else WishAnswer("lost", "another wish has taken its place")
    )


def _with_wish(document: Document, wish: Wish) -> Document:
    metadata = document["metadata"]
    annotations = {**(metadata.get("annotations") or {}), ROLLOUT_WISH: wish.encode()}
    return {**document, "metadata": {**metadata, "annotations": annotations}}
