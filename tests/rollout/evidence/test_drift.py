"""Whether requests lie elsewhere than the samples of their version."""

from dataclasses import replace
from math import log
from random import Random

import pytest

from knoll.records.evidence import Report
from knoll.records.facets import Facets
from knoll.rollout.evidence.drift import drift_of, stability_index

EXPECTED = (13, 13, 12, 13, 13)


def report(*counts: tuple[int, ...], replica: str = "pod", at: str = "1") -> Report:
    names = ("a", "b")[: len(counts)]
    facets = Facets(names, (EXPECTED,) * len(counts), counts)
    return Report("digits", "v000001", replica, 500, 0, reported_at=at, facets=facets)


def test_the_index_is_that_of_the_formula() -> None:
    assert stability_index((9, 0, 0, 0, 0), (9, 0, 0, 0, 0)) == 0
    one, other = (9.5 / 11.5, 0.5 / 11.5), (0.5 / 11.5, 9.5 / 11.5)
    expected = 2 * (one[0] - other[0]) * log(one[0] / one[1])
    assert stability_index((9, 0, 0, 0, 0), (0, 9, 0, 0, 0)) == pytest.approx(expected)


def test_replicas_add_up_and_the_facet_that_moved_most_is_the_first() -> None:
    same, moved = (20, 20, 20, 20, 20), (0, 0, 0, 20, 80)
    first, second = drift_of([report(same, moved), report(same, moved, replica="other")])
    assert (first.facet, first.has_moved, first.requests) == ("b", True, 200)
    assert (second.facet, second.has_moved) == ("a", False)
    assert second.bound == pytest.approx(20 / 64 + 20 / 200)


def test_counts_of_other_bins_and_reports_without_facets_are_left_out() -> None:
    newest = report((1, 2, 3, 4, 5), at="2")
    other = replace(newest, replica="b", reported_at="1", facets=Facets(("x",), ((9,) * 5,), ((9,) * 5,)))
    third = replace(other, replica="d", reported_at="1.5")
    none = Report("digits", "v000001", "c", 1, 0, reported_at="3")
    found = drift_of([newest, other, third, none])
    assert [(one.facet, one.requests) for one in found] == [("a", 15)]
    assert found == drift_of([newest])
    assert drift_of([none]) == drift_of([report((0, 0, 0, 0, 0))]) == []


def test_without_samples_or_requests_of_a_facet_the_bound_is_that_of_one() -> None:
    counted = replace(report((1, 2, 3, 4, 5)), facets=Facets(("a",), ((0,) * 5,), ((1, 2, 3, 4, 5),)))
    (unsampled,) = drift_of([counted])
    assert unsampled.bound == pytest.approx(20 + 20 / 15)
    unasked = next(one for one in drift_of([report((1, 2, 3, 4, 5), (0,) * 5)]) if one.facet == "b")
    assert unasked.bound == pytest.approx(20 / 64 + 20)


def test_without_drift_a_facet_moves_once_in_a_thousand_cases_at_most() -> None:
    """64 samples and 300 requests from the same numbers, by the fifths of those samples."""
    random, moved = Random(7), 0
    for _ in range(2000):
        samples = sorted(random.random() for _ in range(64))
        edges = [samples[13], samples[26], samples[38], samples[51]]
        numbers = [random.random() for _ in range(300)]
        found = [sum(one >= edge for edge in edges) for one in numbers]
        moved += drift_of([report(tuple(found.count(index) for index in range(5)))])[0].has_moved
    assert moved <= 2
