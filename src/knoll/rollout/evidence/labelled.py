"""Answers that are known beside the counts of requests: labelled ones, and those of both versions to the same
request. Pure.

Labels come late, so the time of the answer counts, not that of its label: what the champion answered before
the traffic was shared says nothing about the same requests as the candidate got. Predictors count by the
minute; a minute that began before the time does not count.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from knoll.records.labels import Labels
from knoll.rollout.evidence.tally import Compared, Tally

__all__ = ["compared_by", "with_labels"]


def with_labels(tally: Tally, counted: Iterable[Labels], since: float = -inf, until: float = inf) -> Tally:
    """The tally with the labelled answers that were given between two times, in seconds since 1970."""
    windows = [
        (right, wrong) for one in counted for minute, right, wrong in one.windows if since <= minute < until
    ]
    wrong = sum(one for _, one in windows)
    return replace(tally, labelled=sum(right for right, _ in windows) + wrong, wrong=wrong)


def compared_by(candidate: str, champion: str, theirs: Iterable[Labels], mine: Iterable[Labels]) -> Compared:
    """The answers of each version that the other one has compared with its own. `theirs` is what is known of
    the champion's answers, and `mine` of the candidate's."""
    by_candidate = [one for one in theirs if one.by == candidate]
    by_champion = [one for one in mine if one.by == champion]
    both = [*by_candidate, *by_champion]
    return Compared(
        sum(one.compared for one in both),
        sum(one.different for one in both),
        sum(one.paired for one in both),
        sum(one.only_version for one in by_candidate) + sum(one.only_by for one in by_champion),
        sum(one.only_by for one in by_candidate) + sum(one.only_version for one in by_champion),
    )
