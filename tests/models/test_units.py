"""Durations and resources are shown as a Model has them."""

import pytest

from knoll.errors import InvalidModel
from knoll.models import parse_model, readable_models
from knoll.models.fields import fields_of
from knoll.models.spec import LandedSpec, ServingSpec, TrainingSpec
from knoll.models.units import as_duration
from knoll.quantities import DEFAULT_RESOURCES, PREDICTOR_RESOURCES, resources_in_words
from support.models import model_document


@pytest.mark.parametrize("text", ["0s", "0.5s", "30s", "1m30s", "10m", "2h", "1h30m", "100000h59m59.25s"])
def test_a_duration_is_shown_as_it_was_written(text: str) -> None:
    seconds = LandedSpec.model_validate({"quiet": text}).quiet
    assert as_duration(seconds) == text


def test_what_a_model_gets_without_asking_is_told() -> None:
    """In cores and memory."""
    for kind, given in ((TrainingSpec, DEFAULT_RESOURCES), (ServingSpec, PREDICTOR_RESOURCES)):
        (field,) = [one for one in fields_of(kind) if one.name == "resources"]
        assert field.without == resources_in_words(given)
    assert resources_in_words({"cpu": "50m", "memory": "512Mi"}) == "0.05 cores, 512Mi of memory"
    assert resources_in_words({"cpu": "1", "memory": "2Gi"}) == "1 core, 2Gi of memory"


@pytest.mark.parametrize("name", ["cpu", "memory", "nvidia.com/gpu"])
@pytest.mark.parametrize("amount", ["9" * 29, "9" * 5000, "9" * 19 + "Ei", str(2**63)])
def test_more_than_kubernetes_takes_is_refused_and_stops_no_other_model(name: str, amount: str) -> None:
    document = model_document("digits", training={"resources": {name: amount}})
    with pytest.raises(InvalidModel, match="is more than Kubernetes takes, which is 8Ei"):
        parse_model(document)
    assert [one.name for one in readable_models([document, model_document("faces")])] == ["faces"]


def test_the_most_that_kubernetes_takes_is_taken() -> None:
    parse_model(model_document("digits", training={"resources": {"nvidia.com/gpu": str(2**63 - 1)}}))
