"""What a Model asks for is judged where its form is right, so that no fault is told twice."""

import math
from unittest.mock import patch

import pytest

from cli.declared import model_yaml
from knoll.cli.yaml_file import read_yaml
from knoll.errors import InvalidModel
from knoll.families import FAMILIES, FamilyPlace
from knoll.families.declaration import Declaration, FamilyConfig, more
from knoll.families.image.declaration import ImageDeclaration
from knoll.models import parse_model
from knoll.views.doubts import doubts
from knoll.views.sense import faults_of_sense, shortages


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


@pytest.mark.parametrize("family", ["image-classifier", "dcgan"])
def test_fields_of_what_has_none_cannot_be_redacted(family: str) -> None:
    """Else its owner would believe that nothing of them is kept. A Model that redacts nothing is right."""
    told = _told(family, "{redact: [face]}")
    assert told == [
        f"spec.rollout.recorded.redact: what the family {family} is asked has no fields: a picture or tensor "
        "is kept as a whole, or not at all (leave out redact, or recorded)"
    ]
    assert _told(family, "{}") == _told(family, "{redact: []}") == []


def test_a_field_that_a_family_does_not_have_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip of the pen would have the field kept."""
    place = FamilyPlace("views.test_sense:People")
    monkeypatch.setitem(FAMILIES, "people", place)
    assert _told("people", "{redact: [age]}") == []
    assert _told("people", "{redact: [aeg, age]}") == [
        "spec.rollout.recorded.redact: 'aeg' is no field of what people is asked; did you mean age? (they "
        "are: age, income)"
    ]


def test_graphs_are_compared_by_a_metric_that_the_family_has() -> None:
    """Else all of them would be left out after a training."""
    faults = []
    for metric in ("accuracy", "acuracy"):
        text = model_yaml("cli-data", gate="null", compression=f"{{metric: {metric}}}")
        (one,) = read_yaml(text, "model.yaml")
        faults.append([str(fault) for fault in faults_of_sense(one.value, "knoll-models")])
    assert faults[0] == []
    assert faults[1] == [
        "spec.compression.metric: the family image-classifier has no metric 'acuracy'; did you mean "
        "accuracy? (one of: accuracy, loss, macro_f1)"
    ]


def test_one_process_has_nobody_to_share_with() -> None:
    for processes in (1, 2):
        training = f"{{sharding: optimizer, processesPerNode: {processes}}}"
        (one,) = read_yaml(model_yaml("cli-data", gate="null", training=training), "model.yaml")
        told = [*doubts(parse_model(one.value))]
        assert ["one process trains" in each for each in told] == [True] * (2 - processes)


def test_a_family_computes_in_no_precision_in_which_it_does_not_learn() -> None:
    """Whether a device can, the trainer finds out. A Model that asks for no GPU is warned of what needs
    one."""
    text = model_yaml("cli-data", gate="null", training="{accelerate: {precision: fp16, cudaGraphs: true}}")
    (one,) = read_yaml(text, "model.yaml")
    assert [*faults_of_sense(one.value, "knoll-models")] == []
    (told,) = doubts(parse_model(one.value))
    assert "accelerate asks for precision fp16, cudaGraphs, and spec.training.resources for no nvidia" in told
    with patch.object(ImageDeclaration, "precisions", ("bf16",)):
        (fault,) = faults_of_sense(one.value, "knoll-models")
    assert str(fault) == (
        "spec.training.accelerate.precision: the family image-classifier does not learn in fp16 (one of: "
        "auto, fp32, bf16)"
    )


class People(Declaration[FamilyConfig]):
    """A family that knows two things of a person."""

    name = "people"
    metrics = (more("accuracy", 0, 1),)
    config_type = FamilyConfig
    fields = ("age", "income")


def _told(family: str, recorded: str) -> list[str]:
    text = model_yaml("cli-data", family=family, gate="null", rollout=f"{{recorded: {recorded}}}")
    (one,) = read_yaml(text, "model.yaml")
    return [str(fault) for fault in faults_of_sense(one.value, "knoll-models")]
