"""From the notification to the champion, the end of a process at any call, and any lost or repeated answer,
change nothing in the end.

`make test-schedules` tries all pairs of faults, too, and holds up every call of every story.
"""

from collections.abc import Iterator
from itertools import product

import pytest

from schedules.humans import HUMANS
from schedules.kill_points import ENDS, STORIES, STRIKES, Passage
from schedules.memory import repeatable

_LONG = ("queued", "deleted", *HUMANS)
_FEW_FAULTS = ("objects", *HUMANS)


@pytest.fixture(autouse=True)
def _played() -> Iterator[None]:
    with repeatable():
        yield


@pytest.mark.parametrize(
    ("story", "forgets_crashed"),
    [(story, forgets) for story, forgets in product(STORIES, (True, False)) if forgets or story not in _LONG],
)
def test_every_fault_at_every_call_leads_to_the_same_end(story: str, forgets_crashed: bool) -> None:
    """Whether the event of a function that was killed comes again, or never; that is all the same to answers
    that get lost or are repeated. `make test-schedules` has these of the longest stories."""
    strikes = ENDS if story in _FEW_FAULTS or not forgets_crashed else STRIKES
    passage = Passage(story, forgets_crashed=forgets_crashed, strikes=strikes)
    found = passage.singles()
    assert found.wrong == {}
    assert len(passage.calls()) > 100
    assert found.singles > (30 if strikes == ENDS else len(passage.calls()))


def test_a_fault_is_left_out_if_another_one_leaves_the_same_world() -> None:
    count, unlike = Passage("first", forgets_crashed=True).left_out()
    assert unlike == []
    assert count > 500


@pytest.mark.parametrize("story", ["failed", "objects"])
def test_a_process_that_is_held_up_at_any_call_does_no_harm_when_it_goes_on(story: str) -> None:
    """While it waits there are ticks, another attempt of the Job, events of all kinds, or newer data. Each
    twentieth of these pairs; `make test-schedules` has all."""
    found = Passage(story, forgets_crashed=False).pauses(of_each=20)
    assert found.wrong == {}
    assert found.singles > 20


def test_the_play_is_the_same_each_time() -> None:
    """What is replayed is what was seen."""
    first, second = (Passage("first", forgets_crashed=True).calls() for _ in range(2))
    assert first == second
