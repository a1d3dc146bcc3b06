"""In which bins answers are counted, without a server."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from knoll.predict.bins import MOST_BINS, NOT_FINITE, SAME, Shown, bins_of, number_bin
from knoll.predict.counts import Ended, Judged, PredictorCounts
from knoll.records.outputs import Outputs
from knoll.records.signature import Signature, Tensor

X = Tensor("x", "FP32", (-1, 2))
INPUT = {"x": np.zeros((1, 2))}


def classifier(*labels: str) -> Signature:
    return Signature((X,), (Tensor("p", "FP32", (-1, len(labels)), "classes", {"labels": list(labels)}),))


def found(signature: Signature, *row: float) -> int | None:
    """The bin of one answer with these numbers."""
    output = signature.outputs[-1].name
    return bins_of(signature).shown(INPUT, {output: np.asarray([row], np.float32)}).bin


def test_a_class_has_the_same_bin_in_two_versions_with_another_order() -> None:
    one, other = classifier("cat", "dog", "ape"), classifier("ape", "cat", "dog")
    assert bins_of(one).name == bins_of(other).name
    assert bins_of(one).number == 3
    assert [found(one, 0, 1, 0), found(other, 0, 0, 1)] == [2, 2]
    assert {found(one, *row) for row in np.eye(3)} == {0, 1, 2}


def test_versions_with_other_classes_have_other_bins() -> None:
    """They are never compared."""
    names = {
        bins_of(classifier(*labels)).name
        for labels in (("a", "b"), ("a", "c"), ("a", "b", "c"), ("a,b", "c"))
    }
    assert len(names) == 4


def test_a_thousand_classes_share_64_bins() -> None:
    many = classifier(*(f"class {number}" for number in range(1000)))
    used = Counter(found(many, *row) for row in np.eye(1000))
    assert bins_of(many).number == len(used) == MOST_BINS
    assert max(used.values()) < 40


@pytest.mark.parametrize("number", [3e-9, 0.004, 0.7, 1.0, 21.0, 950.0, 4e12])
def test_a_number_a_third_larger_or_of_another_sign_is_in_another_bin(number: float) -> None:
    bins = {number_bin(one) for one in (number, number * 1.34, number / 1.34, -number)}
    assert len(bins) == 4
    assert bins <= set(range(MOST_BINS))


def test_any_number_has_a_bin() -> None:
    numbers = (0.0, -0.0, 5e-324, 1.7e308, -1.7e308)
    assert {number_bin(one) for one in numbers} <= set(range(MOST_BINS))
    assert {number_bin(sign * 1.2**power) for power in range(-60, 60) for sign in (1, -1)} == set(
        range(MOST_BINS)
    )


@pytest.mark.parametrize("shape", [(-1, 1), (-1,), (-1, 1, 1)])
def test_a_single_number_is_binned_by_its_size(shape: tuple[int, ...]) -> None:
    signature = Signature((X,), (Tensor("y", "FP64", shape),))
    shown = bins_of(signature).shown(INPUT, {"y": np.full([1, *shape[1:]], 20.5)})
    assert (shown.bin, bins_of(signature).name) == (number_bin(20.5), "numbers")


def test_the_first_row_alone_is_counted() -> None:
    signature = classifier("a", "b")
    batch = {"p": np.asarray([[0, 1], [1, 0], [1, 0]])}
    assert bins_of(signature).shown({"x": np.zeros((3, 2))}, batch).bin == 1


PICTURES = Signature((X,), (Tensor("image", "FP32", (-1, 3, 2, 2), "image"),))


def counted(signature: Signature, *ended: Ended) -> Outputs:
    counts = PredictorCounts.of(bins_of(signature))
    for one in ended:
        counts = counts.plus(one, Judged(is_judged=not one.is_cold))
    return counts.outputs


def test_the_same_picture_for_another_request_is_constant() -> None:
    """Not for the same request again; and the first answer of all is compared with none."""
    bins = bins_of(PICTURES)
    dark, light = (
        bins.shown({"x": np.full((1, 2), one)}, {"image": np.zeros((1, 3, 2, 2))}) for one in (0, 1)
    )
    other = bins.shown({"x": np.full((1, 2), 2)}, {"image": np.ones((1, 3, 2, 2))})
    asked = [Ended(200, 0.1, shown=one) for one in (dark, dark, light, dark, other)]
    assert counted(PICTURES, *asked) == Outputs(SAME, (1, 2), constant=2)


def test_of_a_classifier_constant_answers_are_counted_beside_the_classes() -> None:
    asked = [Ended(200, 0.1, shown=Shown(1, number, 5)) for number in range(3)]
    result = counted(classifier("a", "b"), *asked)
    assert (result.counts, result.constant) == ((0, 3), 2)


def test_cold_answers_are_in_no_bin_and_infinite_ones_are_counted() -> None:
    ended: list[Any] = [
        Ended(200, 0.1, True, Shown(0, 1, 1)),
        Ended(500, 0.1, False, NOT_FINITE),
        Ended(400, 0.1),
        Ended(200, 0.1, False, Shown(0, 2, 2)),
    ]
    result = counted(classifier("a", "b"), *ended)
    assert (result.counts, result.not_finite, result.constant) == ((1, 0), 1, 0)
