"""What a Model asks for is judged where its form is right, so that no fault is told twice."""

import math

import pytest

from cli.declared import model_yaml
from knoll.cli.sense import faults_of_sense, shortages
from knoll.cli.yaml_file import read_yaml
from knoll.errors import InvalidModel
from knoll.models import parse_model


def _faults(text: str) -> list[str]:
    (one,) = read_yaml(text, "model.yaml")
    with pytest.raises(InvalidModel) as raised:
        parse_model(one.value)
    return [*map(str, raised.value.faults), *map(str, faults_of_sense(one.value, "knoll-models"))]


@pytest.mark.parametrize("bound", ["atLeast", "maxRegression"])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_bound_that_is_not_finite_is_told_once(bound: str, number: float) -> None:
    written = f".{number}".replace(".-", "-.")
    told = _faults(model_yaml("cli-data", gate=f"{{metric: accuracy, {bound}: {written}}}"))
    assert len([one for one in told if f"spec.gate.{bound}" in one]) == 1


def test_a_name_that_yaml_reads_as_a_number_wants_quotes() -> None:
    text = model_yaml("cli-data").replace("name: digits", "name: 1e3", 1)
    assert any("1000.0, which is no text without quotes" in one for one in _faults(text))


def _short(training: str = "{}", serving: str = "{}") -> str:
    (one,) = read_yaml(model_yaml("cli-data", training=training, serving=serving), "model.yaml")
    return "\n".join(shortages(parse_model(one.value), 2, 4 * 2**30, 0))


def test_more_nodes_than_a_laptop_has_are_told_whatever_each_asks_for() -> None:
    assert "spec.training.nodes is 4, and a laptop is one node" in _short("{nodes: 4}")
    assert _short("{nodes: 1}") == ""


@pytest.mark.parametrize("amount", ["nvidia.com/gpu: 4", "memory: 100Ti", "cpu: 500", "amd.com/gpu: 8"])
@pytest.mark.parametrize("part", ["training", "serving"])
def test_what_a_laptop_lacks_is_told_of_training_and_serving(part: str, amount: str) -> None:
    told = _short(**{part: f"{{resources: {{{amount}}}}}"})
    assert f"spec.{part}" in told
    assert amount.partition(":")[0] in told


def test_a_part_of_a_device_is_a_fault() -> None:
    """No cluster takes it."""
    resources = "{resources: {nvidia.com/gpu: 500m, cpu: 500m}}"
    (told,) = _faults(model_yaml("cli-data", training=resources))
    assert "nvidia.com/gpu must be a whole number" in told
