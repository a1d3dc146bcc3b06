"""What a wish about a rollout would be answered."""

from collections.abc import Callable

from knoll.ports import Platform
from knoll.rollout.asking import WishAnswer
from knoll.rollout.slot import Slot, slot_from_status
from knoll.rollout.wish_answers import why_refused
from knoll.rollout.wishes import Wish

__all__ = ["foresee_answer"]


def foresee_answer(platform: Platform, model: str, make: Callable[[Slot], Wish]) -> tuple[Wish, WishAnswer]:
    """The wish that `make` would leave, and whether it could be granted as things stand; the version's files
    are not checked. Raises NotFound if there is no such Model."""
    slot = slot_from_status(platform.cluster.get("Model", model).get("status") or {})
    wish = make(slot)
    why = why_refused(wish, slot)
    return wish, WishAnswer("refused", why) if why else WishAnswer()
