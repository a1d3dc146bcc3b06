"""The YAML object around a Model: apiVersion, kind, metadata and spec."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from knoll.errors import Fault, InvalidModel
from knoll.models.spec import Model, ModelSpec
from knoll.models.wording import faults_of_fields
from knoll.names import MODEL_NAME, overlap
from knoll.quoting import did_you_mean, shown

__all__ = ["API_VERSION", "KIND", "another_kind", "fault_of", "parse_model", "readable_models"]

API_VERSION = "knoll.dev/v1alpha1"
KIND = "Model"
_MISSING = "must be given"

# The host name of a node is the run id, a dash and the node's number. A label has 63 characters, so with more
# than ten nodes two are left for the number.
_MOST_NODES_OF_A_LONG_NAME = 10
_LONGEST_NAME_WITH_MORE = 39


def parse_model(document: Any) -> Model:
    """Read a Model document. Raises InvalidModel that lists every fault with its path."""
    if not isinstance(document, Mapping):
        found = "a list" if isinstance(document, list) else "one value"
        raise InvalidModel(
            f"a Model is an object with the fields apiVersion, kind, metadata and spec, and this is {found}"
        )
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if another := another_kind(document):
        declared, faults = None, [another]
    else:
        faults = [
            Fault((key,), f"must be {wanted}, not {shown(document[key])}" if key in document else _MISSING)
            for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND))
            if document.get(key) != wanted
        ]
        declared, of_spec = _read_spec(document, str(name))
        faults += [*_faults_of_name(document), *of_spec]
    if faults or declared is None:
        raise InvalidModel(
            "\n  ".join(["the Model has faults:", *map(str, faults)]),
            fix="correct the YAML file and run knoll apply -f FILE again",
            faults=faults,
        )
    given = {*declared.model_fields_set, "name"}
    return Model.model_construct(given, **vars(declared), name=name)  # both have been checked


def another_kind(document: Mapping[Any, Any]) -> Fault | None:
    """Why an object of another kind is no Model; None if it is meant to be one, whatever else is wrong."""
    kind = document.get("kind")
    if isinstance(kind, str) and kind.endswith("List"):
        what = "this is a list of objects, as kubectl get prints it: write each of its items as a document"
        return Fault(("kind",), f"{what} of its own, with --- in a line between two of them")
    if not isinstance(kind, str) or kind == KIND or did_you_mean(kind, [KIND]):
        return None
    return Fault(("kind",), f"must be {KIND}, not {shown(kind)}: kubectl apply takes other objects")


def fault_of(document: Any) -> str:
    """What is wrong with the declaration, in one line; "" for nothing. An older release, or kubectl, may have
    stored what this release refuses."""
    try:
        parse_model(document)
    except InvalidModel as error:
        return "; ".join(map(str, error.faults))
    return ""


def readable_models(documents: Iterable[Any]) -> list[Model]:
    """The documents that are Models without faults. A faulty Model can be stored without our checks; it must
    not stop the others."""
    models = []
    for document in documents:
        with suppress(InvalidModel):
            models.append(parse_model(document))
    return models


def _faults_of_name(document: Mapping[Any, Any]) -> list[Fault]:
    wanted = "1-40 lower-case letters, digits and dashes, starting with a letter"
    metadata = document.get("metadata")
    if not isinstance(metadata, Mapping):
        told = f"must be an object with a name, not {shown(metadata)}"
        return [Fault(("metadata",), told if "metadata" in document else _MISSING)]
    name = metadata.get("name")
    if isinstance(name, str) and MODEL_NAME.fullmatch(name):
        return []
    read = "" if isinstance(name, str) else ", which is no text without quotes,"
    told = f"{shown(name)}{read} must be {wanted}" if "name" in metadata else _MISSING
    return [Fault(("metadata", "name"), told)]


def _read_spec(document: Mapping[Any, Any], name: str) -> tuple[ModelSpec | None, list[Fault]]:
    """The spec, and its faults; None for a spec that cannot be read."""
    if "spec" not in document:
        return None, [Fault(("spec",), _MISSING)]
    try:
        declared = ModelSpec.model_validate(document["spec"])
    except ValidationError as error:
        return None, faults_of_fields(error, ModelSpec, "spec")
    return declared, _faults_together(declared, name)


def _faults_together(declared: ModelSpec, name: str) -> list[Fault]:
    """The faults of fields that are sound alone."""
    nodes, golden = declared.training.nodes, declared.golden_set
    if overlap(golden, declared.dataset.uri):
        what = (
            f"{golden} overlaps the data, {declared.dataset.uri}: whoever uploads data could change the test "
            "(use a prefix of its own, such as s3://exams/digits/)"
        )
        return [Fault(("spec", "gate", "goldenSet"), what)]
    if nodes > _MOST_NODES_OF_A_LONG_NAME and len(name) > _LONGEST_NAME_WITH_MORE:
        what = f"with {nodes} nodes the Model's name may have {_LONGEST_NAME_WITH_MORE} characters at most"
        return [Fault(("spec", "training", "nodes"), what)]
    return []
