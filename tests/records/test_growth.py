"""Records can grow: a reader passes over fields that it does not know, fills in those that it lacks, and
refuses a record of a newer schema with the version of knoll to use."""

import dataclasses
import json
from typing import Any

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.errors import NewerSchema, Rejected
from knoll.records.run import load_run
from knoll.records.version_folder import VersionFolder
from records.kinds import KINDS, STORED, Kind, record_classes

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def _body(fields: Any) -> bytes:
    return json.dumps(fields).encode()


def _with_unknown(value: Any, depth: int = 0) -> Any:
    """The same with an unknown field in each object whose fields are known."""
    if isinstance(value, list):
        return [_with_unknown(one, depth) for one in value]
    if not isinstance(value, dict):
        return value
    grown = {
        name: _with_unknown(one, depth + 1) if isinstance(one, list) else one for name, one in value.items()
    }
    return {**grown, "unknownHere": {"deep": [1, None]}}


def test_every_kind_of_record_is_tried() -> None:
    """A new kind must be added to `records.kinds`."""
    assert record_classes() == {kind.record for kind in KINDS}


@each_kind
def test_a_field_that_is_not_known_is_passed_over(kind: Kind) -> None:
    assert kind.read(_body(_with_unknown(kind.least))) == kind.read(_body(kind.least))


@each_kind
def test_a_field_that_is_missing_gets_its_default(kind: Kind) -> None:
    """`least` has no field with a default; what is read has them all."""
    read = kind.read(_body(kind.least))
    assert read
    if dataclasses.is_dataclass(read):
        for field in dataclasses.fields(read):
            if STORED.get(field.name, field.name) in kind.least:
                continue
            made = (
                field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
            )
            assert getattr(read, field.name) == made, field.name


@each_kind
def test_a_record_of_a_newer_schema_names_the_knoll_to_use(kind: Kind) -> None:
    with pytest.raises(NewerSchema) as refused:
        kind.read(_body({**kind.least, "schema": 2, "needs": "7.3"}))
    assert "schema 2" in str(refused.value)
    assert "knoll 7.3" in refused.value.fix


@each_kind
def test_a_newer_record_is_refused_as_newer_also_where_its_fields_are_others(kind: Kind) -> None:
    with pytest.raises(NewerSchema, match="schema 9"):
        kind.read(_body({"schema": 9, "needs": "", "otherwise": True}))


@pytest.mark.parametrize("schema", [2, 2.0, "2", 10**400])
def test_a_newer_schema_is_known_in_whatever_form_it_stands(schema: Any) -> None:
    """A program that copies a record may write a number in another form."""
    with pytest.raises(NewerSchema) as refused:
        load_run(_body({"schema": schema, "needs": "7.3"}))
    assert refused.value.fix == "use knoll 7.3 or a newer one"


@pytest.mark.parametrize("schema", ["two", "", None, [2], 1.0, "1"])
def test_what_has_no_newer_schema_is_no_record_of_a_newer_knoll(schema: Any) -> None:
    with pytest.raises(Rejected):
        load_run(_body({"schema": schema}))


def test_the_manifest_of_a_newer_schema_is_named_with_its_place() -> None:
    uri = "s3://knoll-models/models/digits/v000001/"
    store = MemoryStore()
    store.put(f"{uri}manifest.json", _body({"schema": 9, "needs": "9.9"}))
    with pytest.raises(NewerSchema) as refused:
        VersionFolder(store, uri).read_sealed("")
    assert f"({uri}manifest.json)" in str(refused.value)
    assert refused.value.fix == "use knoll 9.9 or a newer one"
