"""The schedules reach each state and each step of a rollout that they are there to try."""

from collections import Counter

from schedules.machine import Loop
from schedules.memory import repeatable
from schedules.reached import EXPECTED

_PLAYS = (  # a human's act, after so many turns, and the policy of the rollout
    ("abort", 3, "short"),
    ("edit", 4, "hooked"),
    ("approve", 2, "one by one"),
    ("pause", 4, "shadow"),
    ("promote", 2, "one by one"),
    ("remove", 2, "judged"),
    ("undo", 2, "short"),
    ("spoil", 3, "short"),
)


def _begun(policy: str) -> Loop:
    """A loop with two champions so far, the second one by that policy."""
    loop = Loop()
    loop.begin(
        ("marker", "marker"),
        "Queue",
        2,
        {},
        (False, False),
        has_champion=True,
        releases=0,
        policies=(policy, policy),
    )
    loop.upload("beans", ["0"], "good")
    loop.calm(8)
    return loop


def test_each_state_and_each_step_of_a_rollout_is_reached() -> None:
    reached: Counter[str] = Counter()
    for act, turns, policy in _PLAYS:
        with repeatable():
            loop = _begun(policy)
            if act == "undo":
                loop.wish("beans", "undo", 0)
                loop.calm(3)
            loop.interrupt("beans", "shifted" if act == "approve" else "good", turns, act)
            loop.shut_quota()
            loop.upload("beans", ["0"], "poor" if act == "promote" else "good")
            loop.calm(3)
            loop.teardown()
        reached += loop.world.reached
    assert not EXPECTED - reached.keys(), dict(reached)
