"""What a Model asks for is judged where its form is right, so that no fault is told twice."""

import math

import pytest

from cli.declared import model_yaml
from knoll.cli.sense import faults_of_sense
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
