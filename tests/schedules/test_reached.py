"""The schedules reach each state and each step of a rollout that they are there to try."""

from collections import Counter
from itertools import cycle

from schedules.declared import POLICIES
from schedules.machine import ACTS, Loop
from schedules.memory import repeatable
from schedules.reached import EXPECTED


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
    policies = cycle(POLICIES)
    for act in ACTS:
        for turns in range(1, 5):
            with repeatable():
                loop = _begun(next(policies))
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
