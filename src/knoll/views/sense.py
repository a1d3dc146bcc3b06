"""Whether a declaration can make sense, beyond its form: its family, its gate, its data, this machine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Any

from knoll.errors import Fault, InvalidModel
from knoll.families import find_declaration
from knoll.families.declaration import Declaration, FamilyConfig
from knoll.models import Model
from knoll.models.document import another_kind
from knoll.names import is_in_bucket, overlap
from knoll.quantities import (
    DEFAULT_RESOURCES,
    GPU,
    PREDICTOR_BASE,
    TRAINER_BASE,
    in_words,
    is_quantity,
    parse_quantity,
)
from knoll.quoting import did_you_mean, shown
from knoll.views.gates import faults_of_gate
from knoll.views.scored import faults_of_scores

__all__ = ["clashes", "faults_of_sense", "shortages"]

_DATA, _GOLDEN_SET = ("spec", "dataset", "uri"), ("spec", "gate", "goldenSet")
_PRECISION = ("spec", "training", "accelerate", "precision")
_REDACT = ("spec", "rollout", "recorded", "redact")
_MOST_PROCESSES = 16  # of a node
_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")
_METADATA = (
    *("name", "namespace", "labels", "annotations", "uid", "resourceVersion", "generation", "finalizers"),
    *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"),
    *("ownerReferences", "generateName", "selfLink"),
)


def faults_of_sense(document: Any, model_bucket: str) -> Iterator[Fault]:
    """What cannot be meant."""
    if not isinstance(document, Mapping) or another_kind(document):
        return
    yield from _unknown(document, _FIELDS)
    yield from _unknown(document.get("metadata"), _METADATA, "metadata")
    family = _at(document, "spec", "family")
    if isinstance(family, str):
        yield from _family_faults(document, family)
    yield from _memory_faults(document)
    for path, why in (
        (_DATA, "its records would be the data"),
        (_GOLDEN_SET, "its records would be the golden set"),
    ):
        uri = _at(document, *path)
        if isinstance(uri, str) and is_in_bucket(uri, model_bucket):
            yield Fault(path, f"{uri} lies in the model bucket: {why} (use a bucket of your own)")


def clashes(model: Model, others: Iterable[Model]) -> Iterator[Fault]:
    """Where data of one Model lies in the golden set of another one, or the other way round: whoever uploads
    data could change the test."""
    ours, golden, fix = model.dataset.uri, model.golden_set, "(use a prefix of its own)"
    for other in others:
        if other.name != model.name and overlap(golden, other.dataset.uri):
            theirs = f"{other.dataset.uri}, the data of {other.name}"
            yield Fault(_GOLDEN_SET, f"{golden} overlaps {theirs} {fix}")
        if other.name != model.name and overlap(ours, other.golden_set):
            theirs = f"{other.golden_set}, the golden set of {other.name}"
            yield Fault(_DATA, f"{ours} overlaps {theirs} {fix}")


def shortages(model: Model, cores: float, memory: float, gpus: int) -> Iterator[str]:
    """What the Model asks for and this machine does not have, in words. Runs that lack something wait for
    ever; predictors start all the same, and so does what asks for a resource that a laptop does not count."""
    training, serving = model.training, model.serving
    has = {"cpu": (cores, "cores"), "memory": (memory, "bytes"), GPU: (gpus, "GPUs")}
    if training.nodes > 1:
        yield (
            f"{model.name} cannot train here: spec.training.nodes is {training.nodes}, and a laptop is one "
            "node (train it on a cluster, or write 1)"
        )
    for part, wanted, result in (
        ("training", {**DEFAULT_RESOURCES, **training.resources}, "cannot train here"),
        ("serving", serving.resources, "is served here with less than it asks for"),
    ):
        for name, amount in wanted.items():
            there, unit = has.get(name, (inf, ""))
            if float(parse_quantity(amount)) > there:
                asked = f"spec.{part} asks for {amount} of {name}"
                yield f"{model.name} {result}: {asked}, and this machine has {there:,.0f} {unit}"
            elif name not in has:
                yield f"{model.name}: a laptop keeps no {name} apart, as spec.{part} asks for {amount} of it"


def _family_faults(document: Any, family: str) -> Iterator[Fault]:
    try:
        declared = find_declaration(family)
    except InvalidModel as error:
        yield from error.faults
        return
    if declared is None:
        return
    spec, gate = document["spec"], _at(document, "spec", "gate")
    if isinstance(gate, Mapping):
        yield from faults_of_gate(gate, declared)
    yield from _redact_faults(_at(document, *_REDACT), declared)
    yield from _precision_faults(_at(document, *_PRECISION), declared)
    config = None
    try:
        config = _config(spec.get("training"), declared)
    except InvalidModel as error:
        yield from error.faults
    yield from faults_of_scores(spec, declared, config)


def _config(training: Any, declared: Declaration[Any]) -> FamilyConfig | None:
    """The config of the family; None if its place in the document has faults. Raises InvalidModel."""
    given = {} if training is None else training
    config = given.get("config", {}) if isinstance(given, Mapping) else None
    return declared.configure(config) if isinstance(config, Mapping) else None


def _precision_faults(precision: Any, declared: Declaration[Any]) -> Iterator[Fault]:
    """In what the family does not learn. Whether the device computes in it, only the trainer knows."""
    known = ("fp32", *declared.precisions)
    if precision in ("bf16", "fp16") and precision not in known:
        what = f"the family {declared.name} does not learn in {precision}"
        yield Fault(_PRECISION, f"{what} (one of: auto, {', '.join(known)})")


def _redact_faults(names: Any, declared: Declaration[Any]) -> Iterator[Fault]:
    """What is not redacted would be kept, though its owner believes otherwise."""
    for name in names if isinstance(names, list) else ():
        if not declared.fields:
            why = "a picture or tensor is kept as a whole, or not at all (leave out redact, or recorded)"
            yield Fault(_REDACT, f"what the family {declared.name} is asked has no fields: {why}")
            return
        if name not in declared.fields:
            known = f"{did_you_mean(name, declared.fields)} (they are: {', '.join(declared.fields)})"
            yield Fault(_REDACT, f"{shown(name)} is no field of what {declared.name} is asked{known}")


def _memory_faults(document: Any) -> Iterator[Fault]:
    """Where less memory is asked for than a process takes before it does anything."""
    processes = _at(document, "spec", "training", "processesPerNode")
    each = processes if isinstance(processes, int) and 0 < processes <= _MOST_PROCESSES else 1
    for part, what, least in (
        ("training", _trainers(each), each * TRAINER_BASE),
        ("serving", "a predictor", PREDICTOR_BASE),
    ):
        path = ("spec", part, "resources", "memory")
        asked = _at(document, *path)
        if is_quantity(str(asked)) and parse_quantity(asked) < least:
            yield Fault(path, f"must be at least {in_words(least)}, the least for {what}, not {asked}")


def _trainers(count: int) -> str:
    return "a process that trains" if count == 1 else f"{count} processes that train"


def _unknown(fields: Any, known: Sequence[str], *place: str) -> Iterator[Fault]:
    for key in fields if isinstance(fields, Mapping) else ():
        if key not in known:
            yield Fault((*place, key), f"there is no such field{did_you_mean(key, known)}")


def _at(document: Any, *path: str) -> Any:
    """The value at a path of a document, which may have faults; None if there is no value."""
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
