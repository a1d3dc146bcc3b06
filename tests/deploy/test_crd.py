"""The CRD says what knoll.models reads: the same fields, and the same verdict on Models good and bad.

Only a rule of the CRD can see some faults; those are left to the API server, in tests/cluster/test_crd.py.
And `knoll apply` says more than any CRD can: what depends on the family, such as its config and the gate's
metric, on other Models, or on the model bucket.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml

from knoll.adapters.memory.platform import memory_platform
from knoll.errors import InvalidModel
from knoll.ingest.landed import Landed, Waiting
from knoll.ingest.look import dataset_status
from knoll.models import API_VERSION, KIND, Model, parse_model
from knoll.records.dataset import Dataset
from knoll.rollout.disbelieved import disbelieve
from knoll.rollout.slot import Phase, Slot, slot_to_status
from knoll.rollout.steering import Edit, Steering

ROOT = Path(__file__).parents[2]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the other one takes half a second
CRD = yaml.load((ROOT / "deploy/crd/models.yaml").read_text(), LOADER)
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
CASES = yaml.load(Path(__file__).with_name("models.yaml").read_text(), LOADER)

STEERED = Steering(
    paused="ann",
    approved={"v000002": "ann"},
    quarantined={"v000001": "now"},
    written=3,
    edit=Edit(4, ("predictor.minReplicas",), "kubectl-edit", "now"),
)

BOUNDS = ("enum", "minimum", "maximum", "maxProperties", "required", "type")


def document(case: Mapping[str, Any]) -> dict[str, Any]:
    """The whole Model of a case; None takes a field away, but for those that may be null."""
    base = {"family": "image-classifier", "dataset": {"uri": "s3://datasets/digits/"}}
    spec = {
        key: value
        for key, value in {**base, **case.get("spec", {})}.items()
        if value is not None or key == "gate"
    }
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": case.get("name", "digits")},
        "spec": spec,
    }


def json_schema(schema: Any) -> Any:
    """A structural schema of Kubernetes as JSON Schema: its own words translated, unknown fields refused as
    by kubectl."""
    if isinstance(schema, list):
        return [json_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: json_schema(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        plain["type"] = ["integer", "string"]
    if schema.get("nullable"):
        plain["type"] = [schema["type"], "null"]
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        plain["additionalProperties"] = False
    return plain


@pytest.mark.parametrize(
    "case",
    CASES,
    ids=lambda case: f"{case.get('good') or case['bad']} {case.get('name') or case.get('spec', '')}",
)
def test_the_schema_judges_a_model_as_knoll_does(case: Mapping[str, Any]) -> None:
    """What knoll refuses, the schema refuses, in the same field; what knoll takes, it takes."""
    model = document(case)
    validator = jsonschema.Draft202012Validator(json_schema(SCHEMA["properties"]["spec"]))
    name = jsonschema.Draft202012Validator(SCHEMA["properties"]["metadata"]["properties"]["name"])
    faults = [*validator.iter_errors(model["spec"]), *name.iter_errors(model["metadata"]["name"])]
    if "good" in case:
        parse_model(model)
        assert not faults
        return
    with pytest.raises(InvalidModel) as refused:
        parse_model(model)
    assert case["bad"].partition("[")[0] in str(refused.value)
    assert bool(faults) != case.get("rule", False)


def test_the_crd_lets_a_metric_pass_that_the_gate_bounds_twice() -> None:
    gate = {"metric": "loss", "also": [{"metric": "loss"}]}
    spec = document({"spec": {"gate": gate}})["spec"]
    jsonschema.validate(spec, json_schema(SCHEMA["properties"]["spec"]))
    rules = SCHEMA["properties"]["spec"]["properties"]["gate"]["x-kubernetes-validations"]
    assert not any(".also" in one["rule"] for one in rules + SCHEMA["x-kubernetes-validations"])
    with pytest.raises(InvalidModel, match="given twice"):
        parse_model(document({"spec": {"gate": gate}}))


def test_the_crd_has_the_fields_of_the_model_and_no_others() -> None:
    """Names, types, choices, bounds and required fields are those of knoll.models, down to the last one."""
    pydantic = Model.model_json_schema()
    del pydantic["properties"]["name"]
    pydantic["required"].remove("name")
    assert described(SCHEMA["properties"]["spec"]) == expected(pydantic, pydantic["$defs"])


def described(schema: Mapping[str, Any], path: str = "spec") -> dict[str, dict[str, Any]]:
    """Bounds of each field of the CRD, by its path. A duration is a string there, and a number once it is
    read."""
    bounds = {
        key: schema[key] for key in BOUNDS if key in schema and (key != "type" or schema["type"] != "string")
    }
    fields = {path: {**bounds, "required": sorted(schema.get("required", []))}}
    for name, one in schema.get("properties", {}).items():
        fields |= described(one, f"{path}.{name}")
    return fields | (described(schema["items"], f"{path}[]") if "items" in schema else {})


def expected(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str = "spec"
) -> dict[str, dict[str, Any]]:
    """The same of knoll.models."""
    schema = resolved(schema, definitions)
    duration = schema.get("kind") == "duration"
    bounds = {
        key: schema[key]
        for key in BOUNDS
        if key in schema and (key != "type" or not (duration or schema["type"] == "string"))
    }
    fields = {path: {**bounds, "required": sorted(schema.get("required", []))}}
    for name, one in schema.get("properties", {}).items():
        fields |= expected(one, definitions, f"{path}.{name}")
    return fields | (expected(schema["items"], definitions, f"{path}[]") if "items" in schema else {})


def resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema without references, and without the null beside another type; one constant is an enumeration
    of one."""
    for one in schema.get("anyOf", ()):
        if one != {"type": "null"}:
            schema = one
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return {**schema, "enum": [schema["const"]]} if "const" in schema else schema


def test_the_status_takes_what_rollouts_write() -> None:
    """Every field of the slot is in the schema with its type, and every phase among its choices."""
    status = SCHEMA["properties"]["status"]
    assert status["properties"]["phase"]["enum"] == list(get_args(Phase))
    slot = Slot(quarantine={"v000001": "slow"}).moved("Start", "now", "why", candidate="v000002")
    written = slot_to_status(
        replace(slot, steering=STEERED),
        {},
    )
    jsonschema.validate(written, json_schema(status))
    assert unknown(written, status) == []


def test_the_status_takes_what_is_seen_of_the_data() -> None:
    """The schema has each field that ingest writes, and no others."""
    model, data = parse_model(document({})), Dataset("digits", "s3://datasets/digits/", ())
    landed = dataset_status(model, Landed((data,), "2026-01-01T00:00:00+00:00"), {}, run="digits-0")
    waiting = dataset_status(model, Waiting("no objects yet"), landed)
    schema = SCHEMA["properties"]["status"]["properties"]["dataset"]
    for written in (landed, waiting):
        jsonschema.validate(written, json_schema(schema))
        assert sorted(written) == sorted(schema["properties"])


def test_the_status_takes_what_is_told_of_reports_that_are_not_believed() -> None:
    platform = memory_platform()
    model = platform.cluster.create(document({}))
    disbelieve(model, "no proof", platform)
    written = platform.cluster.get("Model", model["metadata"]["name"])["status"]
    jsonschema.validate(written, json_schema(SCHEMA["properties"]["status"]))
    assert unknown(written, SCHEMA["properties"]["status"]) == []
    told = SCHEMA["properties"]["status"]["properties"]["disbelievedReports"]["properties"]
    assert sorted(written["disbelievedReports"]) == sorted(told)


def unknown(written: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Written fields that a schema does not name, however deep; maps have names of their own."""
    named = schema.get("properties", {})
    own = [] if "additionalProperties" in schema else sorted(set(written) - set(named))
    return own + [
        name
        for key, value in written.items()
        if isinstance(value, dict) and key in named
        for name in unknown(value, named[key])
    ]


def test_every_field_says_what_it_is() -> None:
    """kubectl explain has words for each of them, and the columns of kubectl get as well."""
    for path, schema in fields_of(SCHEMA):
        assert schema.get("description", "").endswith("."), path


def fields_of(schema: Mapping[str, Any], path: str = "") -> list[tuple[str, Mapping[str, Any]]]:
    """Every field below, with its path."""
    own = [
        (f"{path}.{name}", one)
        for name, one in schema.get("properties", {}).items()
        if (path, name) != ("", "metadata")
    ]
    return own + [field for below, one in own for field in fields_of(one, below)]
