"""What the slot keeps of a judgement is what it was."""

import json
from typing import Any

import pytest

from knoll.rollout.evidence import Seen, Tally, begin, judge, judgement_to_fields, read_judgement
from knoll.rollout.replay_times import usual_edges


def fields(edges: tuple[float, ...]) -> dict[str, Any]:
    tally = Tally(60, 1, 2, edges, (20,) * (len(edges) + 1), (30, 30), "two")
    found = judgement_to_fields(judge(begin(tally, Seen()), Seen(tally, tally, candidate_replays=tally)))
    assert found is not None
    return found


@pytest.mark.parametrize("edges", [(), usual_edges(64), usual_edges(3), (0.5,), (0.001, 0.0012, 0.0015)])
def test_a_judgement_is_read_as_it_was_written(edges: tuple[float, ...]) -> None:
    written = fields(edges)
    read = read_judgement(json.loads(json.dumps(written)))
    assert read is not None
    assert (read.seen.candidate.edges, read.seen.champion_replays.edges) == (edges, ())
    assert judgement_to_fields(read) == written


def test_of_the_usual_buckets_only_the_number_is_written() -> None:
    assert fields(usual_edges(61))["seen"]["champion"]["edges"] == 61
    assert fields((0.5,))["seen"]["champion"]["edges"] == [0.5]


def test_what_a_newer_knoll_has_added_stays_as_long_as_it_is_the_same_judgement() -> None:
    judgement = begin(Tally(60), Seen())
    written = {**(judgement_to_fields(judgement) or {}), "addedLater": 1}
    after = judge(judgement, Seen(Tally(2), Tally(1)))
    anew = begin(Tally(60), Seen(Tally(9)))
    assert (judgement_to_fields(after, written) or {})["addedLater"] == 1
    assert "addedLater" not in (judgement_to_fields(anew, written) or {})


@pytest.mark.parametrize("edges", [10**9, -1, True, "61", 1.5, None])
def test_a_judgement_whose_buckets_cannot_be_is_begun_anew(edges: Any) -> None:
    written = fields(usual_edges(3))
    written["seen"]["champion"]["edges"] = edges
    assert read_judgement(written) is None
