"""What no training of a config can score, or can do, is told when the Model is declared."""

import pytest

from cli.declared import model_yaml
from knoll.cli.yaml_file import read_yaml
from knoll.models import parse_model
from knoll.views.doubts import doubts
from knoll.views.sense import faults_of_sense

CLASSES = "target: y, task: classification"
NUMBERS = "target: y, task: regression"


def _yaml(config: str, family: str = "tabular", **spec: str) -> str:
    return model_yaml(
        "cli-data", family=family, **{"gate": "null", "training": f"{{config: {{{config}}}}}", **spec}
    )


def _faults(config: str, family: str = "tabular", **spec: str) -> list[str]:
    (one,) = read_yaml(_yaml(config, family, **spec), "model.yaml")
    return [str(fault).removeprefix("spec.") for fault in faults_of_sense(one.value, "knoll-models")]


@pytest.mark.parametrize(
    ("config", "spec", "told"),
    [
        (
            CLASSES,
            {"gate": "{metric: rmse, atMost: 3}"},
            "gate.metric: 'rmse' is a metric of regression, and spec.training.config",
        ),
        (
            NUMBERS,
            {"gate": "{metric: auroc, atLeast: 0.9}"},
            "gate.metric: 'auroc' is a metric of classification",
        ),
        (
            NUMBERS,
            {"gate": "{metric: rsme, atMost: 3}"},
            "gate.metric: the family tabular has no metric 'rsme'; did you mean rmse?",
        ),
        (
            NUMBERS,
            {"compression": "{metric: accuracy}"},
            "compression.metric: 'accuracy' is a metric of classification",
        ),
        (
            "target: y",
            {"gate": "{metric: auroc, atLeast: 0.9, also: [{metric: rmse, atMost: 1}]}"},
            "gate.also.0.metric: 'rmse' is a metric of regression, and spec.gate.metric asks",
        ),
        ("target: y, categories: [y]", {"gate": "{metric: rmse, atMost: 1}"}, "gate.metric: 'rmse' is"),
        (NUMBERS, {"rollout": "{labels: true}"}, "rollout.labels: an answer of regression is a number"),
        (
            "target: y",
            {"gate": "{metric: rmse, atMost: 1}", "rollout": "{labels: true}"},
            "rollout.labels: an answer of regression is a number",
        ),
        (
            NUMBERS,
            {"gate": "{metric: rmse, atMost: 3, sliceAtLeast: 0.5}"},
            "gate.sliceAtLeast: regression has metrics of parts of the rows only if",
        ),
        (NUMBERS, {"gate": "{metric: coverage, atLeast: 1}"}, "gate.atLeast: no version has a coverage of 1"),
    ],
)
def test_what_no_training_of_the_config_scores_is_a_fault(
    config: str, spec: dict[str, str], told: str
) -> None:
    (fault,) = _faults(config, **spec)
    assert fault.startswith(told)


@pytest.mark.parametrize(
    ("config", "spec"),
    [
        (CLASSES, {"gate": "{metric: auroc, atLeast: 0.9, sliceAtLeast: 0.5}", "rollout": "{labels: true}"}),
        (f"{NUMBERS}, slices: [a]", {"gate": "{metric: rmse, atMost: 3, sliceAtLeast: 0.5}"}),
        ("target: y", {"gate": "{metric: rmse, atMost: 3, also: [{metric: coverage, atLeast: 0.8}]}"}),
        ("target: y, slices: [a], leaveOut: [a], categories: [y]", {}),
    ],
)
def test_what_one_training_scores_is_none(config: str, spec: dict[str, str]) -> None:
    assert _faults(config, **spec) == []


def test_labels_of_what_has_no_classes_are_a_fault() -> None:
    assert _faults("", "image-classifier", rollout="{labels: true}") == []
    (fault,) = _faults("", "dcgan", rollout="{labels: true}")
    assert fault.startswith("rollout.labels: an answer of the family dcgan is no class")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("epochs: 2", "target: must be given"),
        ('target: ""', "target: must be the name of a column, not ''"),
        ('target: " y "', "target: ' y ' has blanks at its ends; did you mean y?"),
        (f"target: {'x' * 300}", "target: must have at most 200 characters"),
        ("target: y, leaveOut: [y]", "leaveOut: names 'y', which is the target"),
        ("target: y, slices: [y]", "slices: names 'y', which is the target"),
        ("target: y, groupBy: y", "groupBy: names 'y', which is the target"),
        ("target: y, categories: [a], leaveOut: [a]", "categories: names 'a', which leaveOut names, too"),
        ("target: y, leaveOut: [a, a]", "leaveOut: names 'a' twice"),
        (f"{NUMBERS}, categories: [y]", "categories: names the target 'y', and regression learns a number"),
        ("target: y, heldOut: 0.9999", "heldOut: must be more than 0 and at most 0.9, not 0.9999"),
    ],
)
def test_a_column_that_cannot_be_meant_is_a_fault_of_its_field(config: str, told: str) -> None:
    (fault,) = _faults(config)
    assert fault.startswith(f"training.config.{told}")


@pytest.mark.parametrize(
    ("config", "spec", "told"),
    [
        ("target: y, width: 4096, blocks: 64", {}, "4,296,278,016 weights, which take 64"),
        (
            "target: y",
            {"serving": "{grpc: true}", "rollout": "{sticky: 'header:x', compare: 10}"},
            "so sticky and compare of spec.rollout",
        ),
        (
            "target: y",
            {"serving": "{grpc: true}", "rollout": "{mode: shadow}"},
            "mode: shadow of spec.rollout",
        ),
    ],
)
def test_what_is_hardly_meant_is_a_doubt(config: str, spec: dict[str, str], told: str) -> None:
    assert any(told in one for one in _doubts(config, **spec))


def test_a_network_that_fits_and_calls_without_a_router_are_none() -> None:
    assert _doubts("target: y", serving="{grpc: true}") == []


def _doubts(config: str, **spec: str) -> list[str]:
    (one,) = read_yaml(_yaml(config, **spec), "model.yaml")
    return [*doubts(parse_model(one.value))]
