"""The numbers by which requests and answers are held against the samples of a version."""

from typing import Any

import numpy as np
import pytest

from knoll.predict.bins import Shown, bins_of
from knoll.predict.counts import Ended, Judged, PredictorCounts
from knoll.predict.facets import FacetBins, facets_of
from knoll.records.samples import Sample
from knoll.records.signature import Signature, Tensor

ROW = Tensor("row", "FP32", (-1, 2))
PICTURE = Tensor("pixels", "FP32", (-1, 3, 4))
CLASSES = Tensor("p", "FP32", (-1, 2), "classes", {"labels": ["a", "b"]})
PRICE = Tensor("price", "FP32", (-1, 1))


def answer(sure: float) -> Any:
    return {"label": "a", "probabilities": {"a": sure, "b": 1 - sure}}


def rows(count: int = 20) -> FacetBins:
    """The first column of the samples rises from 0, the second one is always the same."""
    samples = [Sample([float(one), 7.0], answer(0.5 + one / 100)) for one in range(count)]
    return facets_of(Signature((ROW,), (CLASSES,)), samples)


def test_each_column_and_how_sure_an_answer_is_are_facets_by_fifths() -> None:
    """But a column that never changes."""
    found = rows()
    assert found.names == ("row[0]", "p highest")
    assert found.expected == ((4, 4, 4, 4, 4), (4, 4, 4, 4, 4))
    for value, sure, bins in ((0.0, 0.1, (0, 4)), (19.0, 0.5, (4, 0)), (10.0, 0.4, (2, 2))):
        inputs = {"row": np.array([[value, 3.0], [0.0, 0.0]], np.float32)}
        assert found.find(inputs, {"p": np.array([[sure, 1 - sure]], np.float32)}) == bins


def test_a_picture_has_a_mean_and_a_spread_and_an_answer_its_number() -> None:
    samples = [Sample([[one, one, one, one + one % 3]] * 3, [float(one)]) for one in range(16)]
    found = facets_of(Signature((PICTURE,), (PRICE,)), samples)
    assert found.names == ("pixels mean", "pixels spread", "price")
    bright = {"pixels": np.full((1, 3, 4), 99, np.float32)}
    assert found.find(bright, {"price": np.array([[-1.0]])}) == (4, 1, 0)


@pytest.mark.parametrize("count", [0, 1, 15])
def test_few_samples_say_nothing(count: int) -> None:
    assert rows(count).names == ()


def test_a_request_of_another_shape_has_no_facets() -> None:
    assert rows().find({"row": np.zeros((1, 9), np.float32)}, {"p": np.zeros((1, 2))}) == ()


def test_the_noise_that_clients_send_is_no_facet() -> None:
    latent = Tensor("z", "FP32", (-1, 2), "latent", {"size": 2})
    samples = [Sample({"latent": [one / 16, 0.0]}, [float(one)]) for one in range(16)]
    assert facets_of(Signature((latent,), (PRICE,)), samples).names == ("price",)


def test_of_judged_requests_each_facet_counts_once() -> None:
    """All facets have as many, so that a report can be checked."""
    signature = Signature((ROW,), (CLASSES,))
    counts = PredictorCounts.of(bins_of(signature), rows())
    for is_judged, facets in ((True, (0, 4)), (True, (0, 3)), (False, (1, 1)), (True, ())):
        counts = counts.plus(Ended(200, 0.01, shown=Shown(0, facets=facets)), Judged(is_judged))
    assert counts.facets.counts == ((2, 0, 0, 0, 0), (0, 0, 0, 1, 1))
    assert (counts.facets.requests, counts.facets.are_possible) == (2, True)
