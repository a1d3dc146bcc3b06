"""A gate that no version can pass is refused, and one that no version can fail is warned about."""

import pytest

from cli.declared import model_yaml
from knoll.cli.yaml_file import read_yaml
from knoll.models import parse_model
from knoll.views.doubts import doubts
from knoll.views.sense import faults_of_sense


def _faults(gate: str, family: str = "image-classifier") -> str:
    (one,) = read_yaml(model_yaml("cli-data", family=family, gate=f"{{{gate}}}"), "model.yaml")
    return "\n".join(map(str, faults_of_sense(one.value, "knoll-models")))


def _doubts(gate: str, family: str = "image-classifier") -> str:
    (one,) = read_yaml(model_yaml("cli-data", family=family, gate=f"{{{gate}}}"), "model.yaml")
    return "\n".join(doubts(parse_model(one.value)))


@pytest.mark.parametrize(
    ("family", "metric"),
    [("image-classifier", "loss"), ("dcgan", "frechet_pixels")],
)
def test_a_bound_that_no_version_reaches_is_refused(family: str, metric: str) -> None:
    told = _faults(f"metric: {metric}, atMost: 0", family)
    assert told == f"spec.gate.atMost: no version has a {metric} of 0, so none could pass (write more)"
    assert _faults(f"metric: {metric}, atMost: 0.001", family) == ""


def test_the_best_share_can_be_asked_for() -> None:
    assert _faults("metric: accuracy, atLeast: 1") == ""


@pytest.mark.parametrize(
    ("bound", "hint"), [("atLeast: 1.5", ""), ("atLeast: 95", "0.95"), ("maxRegression: 2", "0.02")]
)
def test_percents_are_guessed_only_where_they_are_meant(bound: str, hint: str) -> None:
    told = _faults(f"metric: accuracy, {bound}")
    assert "accuracy lies in 0..1" in told
    assert told.partition("did you mean ")[2] == (f"{hint}?" if hint else "")


def test_only_a_family_with_parts_is_asked_for_them() -> None:
    told = _faults("metric: diversity, maxSliceRegression: 0.1", "dcgan")
    assert "spec.gate.maxSliceRegression: the family dcgan has no metrics of parts" in told
    assert _faults("metric: accuracy, maxSliceRegression: 0.1") == ""
    assert _doubts("metric: accuracy, maxSliceRegression: 0.1") == ""


def test_each_further_metric_is_checked_as_the_first_one() -> None:
    told = _faults(
        "metric: accuracy, atLeast: 0.9, also: [{metric: los, atMost: 1}, {metric: loss, atMost: 0}]"
    )
    assert (
        "spec.gate.also.0.metric: the family image-classifier has no metric 'los'; did you mean loss?" in told
    )
    assert "spec.gate.also.1.atMost: no version has a loss of 0" in told
    assert _doubts("metric: accuracy, atLeast: 0.9, also: [{metric: macro_f1, atLeast: 0}]") == (
        "digits: spec.gate.also.0.atLeast is 0, which every macro_f1 reaches: no version can fail it"
    )
    assert "sliceAtLeast is 0, which every part reaches" in _doubts(
        "metric: accuracy, atLeast: 0.9, sliceAtLeast: 0"
    )
    assert _doubts("metric: accuracy, approval: manual") == ""


def test_a_loss_that_may_not_grow_needs_its_direction() -> None:
    """The gate would take a falling loss for a regression."""
    told = _faults("metric: loss, maxRegression: 0.1")
    assert "spec.gate.maxRegression: less loss is better, and only atMost tells the gate so" in told
    assert _faults("metric: loss, maxRegression: 0.1, atMost: 2") == ""
    assert _faults("metric: accuracy, maxRegression: 0.1") == ""


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ("metric: accuracy", "digits: spec.gate asks nothing of accuracy, so no version can fail it"),
        ("metric: loss, goldenSet: s3://exams/a/", "spec.gate asks nothing of loss"),
        ("metric: accuracy, atLeast: 0", "spec.gate.atLeast is 0, which every accuracy reaches"),
        ("metric: accuracy, maxRegression: 1", "spec.gate.maxRegression is 1, and accuracy lies in 0..1"),
    ],
)
def test_a_gate_that_no_version_can_fail_is_warned_about(gate: str, told: str) -> None:
    assert _faults(gate) == ""
    assert told in _doubts(gate)


@pytest.mark.parametrize(
    "gate",
    [
        "metric: accuracy, atLeast: 0.9",
        "metric: accuracy, maxRegression: 0.1",
        "metric: accuracy, minAgreement: 0.9",
        "metric: loss, atMost: 1, goldenSet: s3://exams/a/",
    ],
)
def test_a_gate_that_a_version_can_fail_is_not(gate: str) -> None:
    assert _doubts(gate) == ""


def test_the_least_diversity_is_warned_about() -> None:
    assert "every diversity reaches" in _doubts("metric: diversity, atLeast: 0", "dcgan")
