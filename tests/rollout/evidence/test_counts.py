"""What the reports of all replicas and knoll's own requests add up to."""

import pytest

from knoll.records.evidence import Report
from knoll.rollout.counted import CandidateCounts, Evidence
from knoll.rollout.evidence import count, total

REPORTS = {
    "a": Report("digits", "v2", "a", 50, 5, refused=4, timeouts=1),
    "b": Report("digits", "v2", "b", 0, 0),
    "d": Report("digits", "v2", "d", 2, 0, timeouts=2),
}
KNOWN = {"a": (30, 9), "c": (5, 1)}


def test_a_replica_that_was_known_before_counts_with_the_larger_numbers() -> None:
    assert total(REPORTS, KNOWN) == (57, 12, 4)
    assert total(REPORTS) == (52, 8, 4)
    assert total({}) == (0, 0, 0)


@pytest.mark.parametrize(
    ("evidence", "reports", "counts"),
    [
        (
            Evidence(replayed=(20, 2), recorded=(7, 5, 1), before=40, earlier=(10, 6, 3), replicas={**KNOWN}),
            REPORTS,
            CandidateCounts(66, 8, 20, 26, 1, 7),
        ),
        (Evidence(), {"a": Report("digits", "v2", "a", 3, 0, refused=3)}, CandidateCounts(refused=3)),
        (Evidence(earlier=(99, 9, 9)), REPORTS, CandidateCounts()),
    ],
)
def test_what_was_refused_or_came_before_the_rollout_says_nothing_for_a_version(
    evidence: Evidence, reports: dict[str, Report], counts: CandidateCounts
) -> None:
    assert count(evidence, reports).counts == counts
