"""Labelled answers by the time of the answer, and what each version knows of the answers of the other."""

import pytest

from knoll.records.labels import Labels
from knoll.rollout.evidence import Compared, Tally, compared_by, with_labels


def labels(by: str, *counts: int, windows: tuple[tuple[int, int, int], ...] = ()) -> Labels:
    return Labels("digits", "v", "pod", by, windows, "now", *counts)


@pytest.mark.parametrize(
    ("times", "labelled", "wrong"),
    [((), 36, 6), ((120,), 30, 5), ((121,), 21, 3), ((0, 120), 6, 1), ((60, 61), 3, 1)],
)
def test_answers_count_from_the_minute_on_that_began_after_the_first_time(
    times: tuple[float, ...], labelled: int, wrong: int
) -> None:
    known = [
        labels("a", windows=((0, 3, 0), (60, 2, 1), (120, 7, 2))),
        labels("b", windows=((180, 18, 3),)),
    ]
    found = with_labels(Tally(100, 5), known, *times)
    assert found == Tally(100, 5, labelled=labelled, wrong=wrong)


def test_what_each_version_compared_with_its_own_answers_is_added_up() -> None:
    """Of answers of the champion, the candidate is the replica; of its own, the version."""
    theirs = [labels("v2", 10, 1, 5, 3, 2), labels("v2", 20, 2, 6, 1, 0), labels("v9", 999, 99, 9, 9, 9)]
    mine = [labels("v1", 100, 30, 40, 8, 4), labels("v1", 1, 1, 1, 1, 0), labels("v2", 999, 99, 9, 9, 9)]
    assert compared_by("v2", "v1", theirs, mine) == Compared(131, 34, 52, 3 + 1 + 4, 2 + 8 + 1)
